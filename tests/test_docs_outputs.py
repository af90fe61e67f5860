"""Every snippet of docs/outputs.md selects what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earmark
from earmark.errors import ArgumentError
from earmark.outputs import registry
from earmark.outputs.find import Found, find_sounds

PAGE = Path(__file__).parents[1] / "docs" / "outputs.md"
TEXT = PAGE.read_text(encoding="utf-8")
LINES = [
    line
    for code in re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    for line in code.splitlines()
]
WAV, OTHER = np.zeros((2, 8000), "float32"), np.ones((2, 8000), "float32")
STEMS = np.zeros((2, 2, 8000), "float32")
COUNTS = np.array([20, 25])
MEL = np.zeros((2, 80, 25), "float32")


class MyOutput:
    wav = WAV


def found_by(outputs: Any, batch: Any, **arguments: Any) -> Found:
    """What a monitor with these arguments finds."""
    selectors: dict[str, Any] = {
        role: arguments.pop(role) for role in ("input", "target", "prediction") if role in arguments
    }
    decoded = ("prediction",) if arguments.pop("decode", None) else ()
    return find_sounds(outputs, batch, selectors=selectors, decoded=decoded, **arguments)


EXPECTED = [
    ({"wav": WAV}, None, {"prediction": WAV}),
    ({"out": {"audio": WAV}}, None, {"prediction": WAV}),
    ((OTHER, WAV), None, {"prediction": WAV}),
    (STEMS, (WAV, OTHER), {"input": WAV, "target": OTHER}),
    ((OTHER, WAV), (OTHER, {"wav": WAV}), {"prediction": WAV, "target": WAV}),
    (WAV, {"pair": (WAV, OTHER)}, {"target": OTHER}),
    (MyOutput(), None, {"prediction": WAV}),
    (STEMS, None, {"prediction.speech": STEMS[:, 0], "prediction.noise": STEMS[:, 1]}),
    (WAV, {"num_samples": COUNTS}, {"prediction": WAV}),
    ({"wav": WAV, "mel_lengths": COUNTS}, None, {"prediction": WAV}),
    ({"mel": MEL}, None, {"prediction": MEL}),
]


@pytest.mark.parametrize(("line", "case"), list(zip(LINES, EXPECTED, strict=True)))
def test_every_line_finds_what_it_says(line: str, case: tuple[Any, Any, dict[str, Any]]) -> None:
    """The arguments on the page lead to the very arrays that they name."""
    outputs, batch, expected = case
    known = {"AudioMonitor": dict, "earmark": earmark, "MyOutput": MyOutput, "vocoder": str}

    arguments = eval(line.partition("  #")[0], known) or {}  # noqa: S307 - the page is ours
    found = found_by(outputs, batch, **arguments)

    assert found.faults == {}
    for role, value in expected.items():
        assert found.sounds[role] is value or found.sounds[role].base is value.base
    if "lengths" in arguments:
        by_hop = 256 if isinstance(arguments["lengths"], dict) else 1
        np.testing.assert_array_equal(found.lengths["prediction"], COUNTS * by_hop)
    registry._registered.pop(MyOutput, None)  # pyright: ignore[reportPrivateUsage] - ours to undo


def test_the_message_on_the_page_is_the_one_that_is_told() -> None:
    """Who sees it finds it here, word by word."""
    sound = np.zeros((4, 16_000), "float32")
    with pytest.raises(ArgumentError) as told:
        find_sounds({"coarse": sound, "fine": sound.copy()}, None)

    assert str(told.value) in " ".join(TEXT.split())
