from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.examples.recipes.conftest import Cooked

# Packages warn of each other; of what could not be heard, nothing may warn.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::earmark.EarmarkWarning"),
]


@pytest.fixture(scope="module")
def vocoder(cook: Callable[[str, str], Cooked]) -> Cooked:
    """Trains Vocos for three epochs, of which the first and the last are heard."""
    return cook("vocos_vocoder", "vocos")


def test_what_vocos_calls_its_sounds_needs_no_argument(vocoder: Cooked) -> None:
    """`audio_input` and `audio_pred` are heard, of all examples, every second epoch."""
    assert {role: sorted(clips) for role, clips in vocoder.clips.items()} == {
        "input": ["0", "1", "2", "3"],
        "prediction": ["0", "1", "2", "3"],
    }
    assert vocoder.steps == [1, 5]  # counted from 0: two steps in each epoch


def test_the_sample_rate_is_the_hyperparameter(vocoder: Cooked) -> None:
    """24 kHz, so that each clip is as long as the sound was."""
    for clips in vocoder.clips.values():
        assert {clip.audio.sample_rate for clip in clips.values()} == {24_000}
        assert {clip.audio.duration_seconds for clip in clips.values()} == {1.024}


def test_a_clip_is_what_the_vocoder_makes(vocoder: Cooked) -> None:
    """The trained weights make, of the stored inputs, the stored predictions."""
    sounds = vocoder.recipe.tones(8, 1.024, 24_000)[:4]
    vocoder.assert_heard("input", sounds)
    with torch.no_grad():
        made = torch.cat([vocoder.model.eval()(batch) for batch in sounds.split(2)])
    vocoder.assert_heard("prediction", made)
