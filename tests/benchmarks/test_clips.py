from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks import clips
from benchmarks.clips import EPOCH, LONG, SHORT, Case


def test_inputs_and_targets_have_16_bits_and_predictions_have_more() -> None:
    """What is compared on disk comes from 16-bit recordings, but for what the model returns."""
    made = clips.make(EPOCH)
    for role, batch in made.items():
        is_pcm = np.array_equal(batch * 2**15, np.rint(batch * 2**15))
        assert is_pcm == (role != "prediction")


def test_no_sample_reaches_full_scale(tiny: Case) -> None:
    """No peer has anything to clip, and all of them compress sound that peaks near -6 dBFS."""
    for case in (tiny, EPOCH):
        for batch in clips.make(case).values():
            assert 0.3 < np.abs(batch).max() < 1


def test_the_shapes_are_what_the_titles_say() -> None:
    """16 mono clips of 5 s, and 8 stereo clips of 30 s."""
    assert clips.make(replace(SHORT, count=1))["prediction"].shape == (1, 5 * 22_050)
    assert clips.make(replace(LONG, count=1))["prediction"].shape == (1, 30 * 44_100, 2)
    assert SHORT.num_samples == 16 * 5 * 22_050
    assert LONG.num_samples == 8 * 30 * 44_100 * 2


def test_what_is_saved_is_loaded(tiny: Case, tmp_path: Path) -> None:
    """Every process logs the same samples."""
    clips.save(tiny, tmp_path)
    assert np.array_equal(clips.load(tiny, tmp_path)["prediction"], clips.make(tiny)["prediction"])


def test_epochs_differ_in_their_predictions_alone() -> None:
    """An epoch's prediction is another one, within the same memory; its target is the same."""
    first = clips.make(EPOCH)
    sounds = clips.copy(first)
    before = sounds["prediction"]
    clips.advance(sounds, first, 7)
    assert sounds["prediction"] is before
    assert not np.array_equal(before, first["prediction"])
    assert np.array_equal(sounds["target"], first["target"])
