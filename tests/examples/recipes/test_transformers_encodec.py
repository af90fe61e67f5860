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

SECONDS = [1.0, 0.875, 0.75, 0.625]


@pytest.fixture(scope="module")
def codec(cook: Callable[[str, str], Cooked]) -> Cooked:
    """Trains Encodec for two epochs."""
    return cook("transformers_encodec", "transformers")


def test_a_model_output_needs_no_argument(codec: Cooked) -> None:
    """`audio_values` are heard, the codes beside them are not, and the padding is cut."""
    assert sorted(codec.clips) == ["input", "prediction"]
    for clips in codec.clips.values():
        lengths = [clips[example].audio.duration_seconds for example in ("0", "1", "2", "3")]
        assert lengths == SECONDS


def test_the_sample_rate_is_that_of_the_configuration(codec: Cooked) -> None:
    """It is found in the configuration of the model that the module holds."""
    for clips in codec.clips.values():
        assert {clip.audio.sample_rate for clip in clips.values()} == {24_000}


def test_a_clip_is_what_encodec_decodes(codec: Cooked) -> None:
    """The trained weights make the stored predictions of the padded inputs, less the padding."""
    tones = codec.recipe.tones(4, 1.0, 24_000)
    sounds = [tone[: round(24_000 * length)] for tone, length in zip(tones, SECONDS, strict=True)]
    codec.assert_heard("input", sounds)
    batches = [codec.recipe.collate(sounds[:2]), codec.recipe.collate(sounds[2:])]
    with torch.no_grad():
        made = [sound for batch in batches for sound in codec.model.eval().model(**batch)[1]]
    pairs = zip(made, sounds, strict=True)
    codec.assert_heard("prediction", [sound[:, : len(whole)] for sound, whole in pairs])
