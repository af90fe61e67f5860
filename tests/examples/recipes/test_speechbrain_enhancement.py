from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
import torch

from tests.examples.recipes.conftest import Cooked

# Packages warn of each other; of what could not be heard, nothing may warn.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::earmark.EarmarkWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def _forgotten() -> Iterator[None]:
    """Its modules that stand for others warn, or fail, when anybody goes through all modules."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "speechbrain"]:
        del sys.modules[name]


IDS = ["tone-0", "tone-1", "tone-2", "tone-3"]


@pytest.fixture(scope="module")
def enhancement(cook: Callable[[str, str], Cooked]) -> Cooked:
    """Trains SpeechBrain's Conv-TasNet for two epochs."""
    return cook("speechbrain_enhancement", "speechbrain")


def test_relative_lengths_cut_the_padding(enhancement: Cooked) -> None:
    """Each role has the batch's own ids, and clips as long as the recordings."""
    assert sorted(enhancement.clips) == ["input", "prediction", "target"]
    for clips in enhancement.clips.values():
        lengths = {name: clips[name].audio.duration_seconds for name in sorted(clips)}
        assert lengths == dict(zip(IDS, [1.0, 0.875, 0.75, 0.625], strict=True))
        assert {clip.audio.sample_rate for clip in clips.values()} == {8_000}


def test_the_step_is_that_of_the_optimizer(enhancement: Cooked) -> None:
    """Two epochs of two batches are heard after two steps and after four."""
    assert enhancement.steps == [2, 4]


def test_a_clip_is_what_the_model_makes(enhancement: Cooked) -> None:
    """The trained weights make the stored predictions of the same batches."""
    brain = enhancement.model
    heard: dict[str, list[torch.Tensor]] = {"input": [], "target": [], "prediction": []}
    brain.modules.eval()
    for batch in enhancement.recipe.loader(4):
        with torch.no_grad():
            made = brain.compute_forward(batch, enhancement.recipe.Stage.VALID)
        batches = {"input": batch.noisy.data, "target": batch.clean.data, "prediction": made}
        for role, sounds in batches.items():
            ends = (batch.clean.lengths * sounds.shape[-1]).round().int()
            heard[role] += [sound[:end] for sound, end in zip(sounds, ends, strict=True)]
    for role, sounds in heard.items():
        enhancement.assert_heard(role, sounds)
