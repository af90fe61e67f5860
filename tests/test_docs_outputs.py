"""Every snippet of docs/outputs.md selects what the page says."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import earmark
from earmark.errors import ArgumentError
from earmark.outputs import registry
from earmark.outputs.find import find_sounds
from earmark_integrations.loop import AudioMonitor
from tests.integrations.lightning_models import clips_in

PAGE = Path(__file__).parents[1] / "docs" / "outputs.md"
TEXT = PAGE.read_text(encoding="utf-8")
LINES = [
    line
    for code in re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    for line in code.splitlines()
]
FRAMES, HOP, RATE = 8000, 256, 16_000
STEMS = torch.stack([torch.full((2, FRAMES), level) for level in (0.25, 0.5)], dim=1)
WAV, OTHER = STEMS[:, 0], STEMS[:, 1]
COUNTS = torch.tensor([20, 25])
MEL = torch.full((2, 80, 25), -4.0)


class MyOutput:
    """What the page registers."""

    wav = WAV


def vocoder(mel: Tensor) -> Tensor:
    """From `(B, 80, frames)` to as many hops of sound, at a level that the mel says."""
    return (-1 / mel.mean(1)).repeat_interleave(HOP, dim=-1)


EXPECTED = [
    ({"wav": WAV}, None, {"prediction": WAV}),
    ({"out": {"audio": WAV}}, None, {"prediction": WAV}),
    ((OTHER, WAV), None, {"prediction": WAV}),
    (STEMS, (WAV, OTHER), {"input": WAV, "target": OTHER}),
    ((OTHER, WAV), (OTHER, {"wav": WAV}), {"prediction": WAV, "target": WAV}),
    (WAV, {"pair": (WAV, OTHER)}, {"target": OTHER}),
    (MyOutput(), None, {"prediction": WAV}),
    (STEMS, None, {"prediction.speech": STEMS[:, 0], "prediction.noise": STEMS[:, 1]}),
    (WAV, {"num_samples": COUNTS}, {"prediction": [WAV[0, :20], WAV[1, :25]]}),
    (
        {"wav": WAV, "mel_lengths": COUNTS},
        None,
        {"prediction": [WAV[0, : 20 * HOP], WAV[1, : 25 * HOP]]},
    ),
    (WAV, None, {"prediction": WAV}),
    ((WAV, RATE), {"input": OTHER}, {"prediction": WAV, "input": OTHER}),
    ({"mel": MEL}, None, {"prediction": WAV[:, : 25 * HOP]}),
]


@pytest.mark.filterwarnings("ignore:.*does not say which items it draws")
@pytest.mark.parametrize(("line", "case"), list(zip(LINES, EXPECTED, strict=True)))
def test_every_line_finds_what_it_says(
    line: str, case: tuple[Any, Any, dict[str, Any]], tmp_path: Path
) -> None:
    """A monitor with the arguments on the page logs the very sounds that they name."""
    outputs, batch, expected = case
    made = partial(AudioMonitor, nn.Identity(), run_dir=tmp_path, sample_rate=RATE, strict=True)
    known = {"AudioMonitor": made, "earmark": earmark, "MyOutput": MyOutput, "vocoder": vocoder}
    try:
        monitor = eval(line.partition("  #")[0], known) or made()  # noqa: S307 - the page is ours
        with monitor, monitor.validation(epoch=0):
            monitor.batch(outputs, batch)
    finally:
        registry._registered.pop(MyOutput, None)  # pyright: ignore[reportPrivateUsage] - undone

    for role, sounds in expected.items():
        logged = sorted(clips_in(tmp_path, role=role), key=lambda clip: clip.example)
        for clip, sound in zip(logged, sounds, strict=True):
            np.testing.assert_array_equal(clip.audio.samples[:, 0], sound.numpy())


def test_the_message_on_the_page_is_the_one_that_is_told() -> None:
    """Who sees it finds it here, word by word."""
    sound = np.zeros((4, 16_000), "float32")
    with pytest.raises(ArgumentError) as told:
        find_sounds({"coarse": sound, "fine": sound.copy()}, None)

    assert str(told.value) in " ".join(TEXT.split())
