from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from earmark.outputs.find import find_sounds
from tests.core.outputs.arrays import array


def test_lengths_are_found_by_the_name_of_the_sound_beside_them() -> None:
    """In samples or relative; `lengths` alone, and the lengths of a mel, are of something else."""
    counts = np.array([8000, 4000])
    for key in ("wav_lengths", "wav_len", "wavs_lens", "audio_length", "sequence_lengths"):
        found = find_sounds({"wav": array(2, 8000), key: counts}, None)
        assert found.lengths["prediction"] is counts
    for key in ("lengths", "mel_lengths", "text_lengths", "input_lengths", "wav"):
        found = find_sounds({"wavs": array(2, 8000), key: counts}, None)
        assert found.lengths == {}
    batch = {"wav": array(2, 8000), "sequence_lengths": counts, "wav_lens": np.array([1.0, 0.5])}
    assert find_sounds(array(2, 8000), batch).lengths["target"] is batch["wav_lens"]


def test_labels_that_follow_a_sound_in_a_batch_are_no_lengths() -> None:
    """`(waveform, label)` is what many datasets give; one loses no sound to a label."""
    found = find_sounds(
        array(2, 8000),
        (array(2, 8000), array(2, dtype="int64")),
        selectors={"input": 0},
    )

    assert found.lengths == {}


def test_lengths_are_selected_for_all_roles_or_by_role() -> None:
    """With a hop, integers become samples; floats are relative and stay."""
    outputs = {"wav": array(2, 8000), "frames": np.array([20, 30], "int16")}
    batch = {"clean": array(2, 8000), "part": [1.0, 0.5], "frames_list": [20, 30]}

    everywhere = find_sounds(outputs, batch, lengths=("frames", 256)).lengths
    by_role = find_sounds(
        outputs, batch, lengths={"prediction": ("frames_list", 2000), "target": ("part", 256)}
    ).lengths

    np.testing.assert_array_equal(everywhere["prediction"], [5120, 7680])
    np.testing.assert_array_equal(everywhere["target"], [5120, 7680])
    assert by_role == {"prediction": [40_000, 60_000], "target": [1.0, 0.5]}
    beside = find_sounds(outputs | {"wav_len": [1, 2]}, batch, lengths={"target": "part"}).lengths
    assert beside == {"prediction": [1, 2], "target": [1.0, 0.5]}


@pytest.mark.parametrize("lengths", [[8, 8, 8], np.array([8]), np.array(8), 8])
def test_lengths_of_another_number_of_sounds_cut_none(lengths: Any) -> None:
    """Nobody knows whose they are: the sounds are whole, and it is told."""
    found = find_sounds(array(2, 8000), None, lengths=lambda *_: lengths)

    assert found.lengths == {}
    assert str(found.faults["lengths"]).startswith(
        "expected one length for each of 2 sounds of the prediction, got "
    )


def test_a_function_that_raises_costs_its_own_role() -> None:
    """The prediction is logged, and what the user's function raised is told."""
    found = find_sounds(
        array(2, 8000),
        None,
        selectors={"target": lambda _, batch: batch["clean"]},
        lengths=lambda _, batch: batch["lengths"],
    )

    assert list(found.sounds) == ["prediction"]
    assert set(found.faults) == {"target", "lengths"}
    assert all(isinstance(fault, TypeError) for fault in found.faults.values())


def test_lengths_that_are_not_there_are_a_fault() -> None:
    """The sound is whole, and what is missing is told."""
    found = find_sounds(array(2, 8000), None, lengths="num_samples")

    assert list(found.sounds) == ["prediction"]
    assert str(found.faults["lengths"]).startswith("expected the lengths under 'num_samples'")
