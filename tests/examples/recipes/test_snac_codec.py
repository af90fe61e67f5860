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
def codec(cook: Callable[[str, str], Cooked]) -> Cooked:
    """Trains SNAC for three epochs, of which the first and the last are heard."""
    return cook("snac_codec", "snac")


def test_a_plain_loop_keeps_sounds_beside_what_is_left_of_them(codec: Cooked) -> None:
    """Both roles have both sounds, every second epoch."""
    assert {role: sorted(clips) for role, clips in codec.clips.items()} == {
        "input": ["0", "1"],
        "prediction": ["0", "1"],
    }
    assert codec.steps == [0, 2]


def test_the_sample_rate_is_that_of_the_codec(codec: Cooked) -> None:
    """24 kHz, and one second of it."""
    for clips in codec.clips.values():
        assert {clip.audio.sample_rate for clip in clips.values()} == {24_000}
        assert {clip.audio.duration_seconds for clip in clips.values()} == {1.0}


def test_a_clip_is_what_the_codec_decodes(codec: Cooked) -> None:
    """The trained weights make, of the stored inputs, the stored predictions."""
    sounds = codec.recipe.tones(6, 1.0, 24_000)[:2, None]
    codec.assert_heard("input", sounds)
    with torch.no_grad():
        decoded, _ = codec.model.eval()(sounds)
    codec.assert_heard("prediction", decoded)
