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
    """Trains torchaudio's Conv-TasNet for two epochs."""
    return cook("torchaudio_convtasnet", "torchaudio")


def test_voices_have_their_names(separation: Cooked) -> None:
    """The second axis, of the prediction and of `sources`, is heard voice by voice."""
    assert {role: sorted(clips) for role, clips in separation.clips.items()} == {
        "input": ["0", "1"],
        "prediction.low": ["0", "1"],
        "prediction.high": ["0", "1"],
        "target.low": ["0", "1"],
        "target.high": ["0", "1"],
    }
    for clips in separation.clips.values():
        assert {clip.audio.sample_rate for clip in clips.values()} == {8_000}
        assert {clip.audio.duration_seconds for clip in clips.values()} == {0.25}


def test_each_voice_is_the_one_of_the_model(separation: Cooked) -> None:
    """The trained weights separate the stored mixtures; what is over full scale stays so."""
    duets = separation.recipe.duets(3, 8_000)[:2]
    mixtures = torch.stack([duet["mixture"] for duet in duets])
    separation.assert_heard("input", mixtures)
    with torch.no_grad():
        separated = separation.model.eval().model(mixtures)
    for index, name in enumerate(["low", "high"]):
        separation.assert_heard(f"prediction.{name}", separated[:, index])


def test_each_voice_is_measured(separation: Cooked) -> None:
    """The SI-SDR of a clip is that of its file, against the file of its target."""
    for name in ("low", "high"):
        for example, clip in separation.clips[f"prediction.{name}"].items():
            made = torch.from_numpy(separation.heard(f"prediction.{name}", example))
            target = torch.from_numpy(separation.heard(f"target.{name}", example))
            expected = float(separation.recipe.si_sdr(made, target))
            assert clip.metrics["si_sdr"] == pytest.approx(expected, abs=0.01)
