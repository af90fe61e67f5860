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
def separation(cook: Callable[[str, str], Cooked]) -> Cooked:
    """Trains Hybrid Transformer Demucs for two epochs."""
    return cook("demucs_separation", "demucs")


def test_stems_have_their_names(separation: Cooked) -> None:
    """A batch without keys is told apart by its axes, though stems are as many as channels."""
    assert {role: sorted(clips) for role, clips in separation.clips.items()} == {
        "input": ["0", "1"],
        "prediction.bass": ["0", "1"],
        "prediction.vocals": ["0", "1"],
        "target.bass": ["0", "1"],
        "target.vocals": ["0", "1"],
    }


def test_the_sample_rate_is_what_demucs_calls_samplerate(separation: Cooked) -> None:
    """It is found in the model that the module holds; all is in stereo."""
    for clips in separation.clips.values():
        for clip in clips.values():
            assert clip.audio.sample_rate == 16_000
            assert clip.audio.num_channels == 2
            assert clip.audio.duration_seconds == 1.0


def test_each_stem_is_the_one_of_the_model(separation: Cooked) -> None:
    """The trained weights separate the stored mixtures into the stored predictions."""
    songs = separation.recipe.songs(2)
    mixtures, sources = songs.tensors
    separation.assert_heard("input", mixtures)
    with torch.no_grad():
        separated = separation.model.eval().model(mixtures)
    for index, name in enumerate(["bass", "vocals"]):
        separation.assert_heard(f"target.{name}", sources[:, index])
        separation.assert_heard(f"prediction.{name}", separated[:, index])


def test_the_bass_is_left_and_the_voice_right(separation: Cooked) -> None:
    """Channels stay where they were: twice as loud on one side."""
    for name, louder in (("bass", 0), ("vocals", 1)):
        sound = separation.heard(f"target.{name}", "0")
        assert abs(sound[louder]).max() == pytest.approx(2 * abs(sound[1 - louder]).max(), rel=1e-5)
