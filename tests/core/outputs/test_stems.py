from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from earmark.errors import ArgumentError, ArgumentTypeError, ShapeError
from earmark.outputs.find import find_sounds
from earmark.outputs.stems import checked_stems
from tests.core.families.codecs import AudioSignal
from tests.core.outputs.arrays import array, refused


def test_stems_are_names() -> None:
    """A list or a tuple of them, in the order of the axis."""
    assert checked_stems(["speech", "noise"]) == ("speech", "noise")
    assert checked_stems(None) is None


@pytest.mark.parametrize(
    ("stems", "error", "message"),
    [
        ("speech", ArgumentTypeError, "expected stems as a list of names, such as"),
        ([1, 2], ArgumentTypeError, "expected stems as a list of names, such as"),
        ([], ArgumentError, "expected the name of each stem once, got [] (list): name them all"),
        (["a", "a"], ArgumentError, "expected the name of each stem once, got ['a', 'a'] (list)"),
        (["a", ""], ArgumentError, "expected the name of each stem once, got ['a', ''] (list)"),
    ],
)
def test_what_names_no_stems_is_refused(stems: Any, error: type[Exception], message: str) -> None:
    """Every stem has a name of its own."""
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        checked_stems(stems)


def test_a_stem_may_have_any_name() -> None:
    """Names that mean something in other places are names here."""
    sounds = {name: np.zeros((2, 8000), "float32") for name in ("noise", "clean", "0")}

    found = find_sounds({"loss": 0.5, "out": sounds}, None, stems=["clean", "0", "noise"])

    assert list(found.sounds) == ["prediction.clean", "prediction.0", "prediction.noise"]
    assert all(found.sounds[f"prediction.{name}"] is sounds[name] for name in sounds)


def test_the_sounds_of_a_mixture_need_their_names() -> None:
    """Under `sources` an axis of two is no stereo; a target that is unnamed costs itself alone."""
    sources = np.zeros((2, 2, 8000), "float32")

    with pytest.raises(ArgumentError, match=re.escape("AudioMonitor(stems=['stem 1', 'stem 2'])")):
        find_sounds({"sources": sources}, None)
    found = find_sounds({"pred": sources}, {"sources": sources.copy()})
    assert list(found.sounds) == ["prediction"]
    assert list(found.faults) == ["target"]


def test_a_stereo_mixture_of_two_stems_is_no_stems() -> None:
    """Two channels are as many as two stems: the axes of the prediction tell which is which."""
    made, mixture = np.zeros((3, 2, 2, 8000), "float32"), np.zeros((3, 2, 8000), "float32")
    stems = made.copy()

    found = find_sounds(made, [mixture, stems], stems=["bass", "vocals"])

    assert not found.faults
    assert found.sounds["input"] is mixture
    for index, name in enumerate(["bass", "vocals"]):
        assert found.sounds[f"target.{name}"].base is stems
        assert np.shares_memory(found.sounds[f"target.{name}"], stems[:, index])


def test_stems_are_views_of_the_batch() -> None:
    """Nothing is copied, and what came with the mixture goes with every stem."""
    signal = AudioSignal(np.random.default_rng(0).standard_normal((2, 2, 8000)), 16_000)

    found = find_sounds({"pred": signal}, None, stems=["speech", "noise"])

    assert found.sample_rates == {"prediction.speech": 16_000, "prediction.noise": 16_000}
    noise = found.sounds["prediction.noise"]
    assert np.shares_memory(noise, signal.audio_data)
    np.testing.assert_array_equal(noise, signal.audio_data[:, 1])


def test_as_many_stems_as_names() -> None:
    """Four names for two stems are an error; a target without stems stays whole."""
    with refused(
        ShapeError,
        "expected the prediction as 4 stems, a, b, c, d, of shape (B, 4, T) or (B, 4, C, T), or a "
        "dict of them, got shape (2, 2, 8000): name every stem of the second axis",
    ):
        find_sounds(array(2, 2, 8000), None, stems=["a", "b", "c", "d"])
    found = find_sounds(array(2, 2, 8000), {"clean": array(2, 8000)}, stems=["a", "b"])
    assert list(found.sounds) == ["prediction.a", "prediction.b", "target"]
