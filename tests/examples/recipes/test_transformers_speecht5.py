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
def speaker(cook: Callable[[str, str], Cooked]) -> Cooked:
    """Trains SpeechT5 for two epochs."""
    return cook("transformers_speecht5", "transformers")


def test_captions_are_the_texts(speaker: Cooked) -> None:
    """Prediction and target have the text that is spoken, and the epoch."""
    texts = [f"{text} | epoch 1" for text in speaker.recipe.TEXTS]
    for role in ("prediction", "target"):
        assert [clip.caption for clip in speaker.clips[role].values()] == texts


def test_mels_are_as_long_as_their_sounds(speaker: Cooked) -> None:
    """Lengths in frames cut the prediction, those in samples the target: 60, 52, 44, 36 frames."""
    for role in ("prediction", "target"):
        clips = speaker.clips[role].values()
        assert [clip.audio.duration_seconds for clip in clips] == [0.96, 0.832, 0.704, 0.576]
        assert {clip.audio.sample_rate for clip in clips} == {16_000}


def test_a_clip_is_the_mel_as_the_vocoder_sounds_it(speaker: Cooked) -> None:
    """The trained weights make, of the same texts, mels that the vocoder decodes to the clips."""
    recipe, made = speaker.recipe, []
    sounds = list(recipe.tones(4, 1.0, 16_000))
    data = [
        (text, sound[: 256 * (60 - 8 * index)])
        for index, (text, sound) in enumerate(zip(recipe.TEXTS, sounds, strict=True))
    ]
    speaker.assert_heard("target", [sound for _, sound in data])
    model = speaker.model.eval()
    for batch in (recipe.collate(data[:2]), recipe.collate(data[2:])):
        with torch.no_grad():
            made += list(model.vocoder(model.validation_step(batch).spectrogram))
    cut = [sound[: len(whole)] for sound, (_, whole) in zip(made, data, strict=True)]
    speaker.assert_heard("prediction", cut)
