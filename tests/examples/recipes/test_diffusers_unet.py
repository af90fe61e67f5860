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
def diffusion(cook: Callable[[str, str], Cooked]) -> Cooked:
    """Trains a U-Net for two epochs, without validation data."""
    return cook("diffusers_unet", "diffusers")


def test_each_variant_is_heard(diffusion: Cooked) -> None:
    """Two and four steps from the same two noises, at the end of each epoch."""
    assert {role: sorted(clips) for role, clips in diffusion.clips.items()} == {
        "input": ["0", "1"],
        "prediction.fast": ["0", "1"],
        "prediction.slow": ["0", "1"],
    }
    assert diffusion.steps == [1, 3]
    for clips in diffusion.clips.values():
        assert {clip.audio.sample_rate for clip in clips.values()} == {16_000}
        assert {clip.audio.duration_seconds for clip in clips.values()} == {0.256}


def test_the_averaged_weights_are_heard(diffusion: Cooked) -> None:
    """They make the clips of the noise; the weights that train make something else."""
    recipe, averaged = diffusion.recipe, diffusion.model.ema.module.eval()
    noise = [one[None] for one in recipe.Noise(2, (1, 4_096))]
    diffusion.assert_heard("input", [one[0] for one in noise])
    for name, steps in (("fast", 2), ("slow", 4)):
        with torch.no_grad():
            made = [recipe.sample(averaged, one, steps)[0] for one in noise]
            others = [recipe.sample(diffusion.model.unet.eval(), one, steps)[0] for one in noise]
        diffusion.assert_heard(f"prediction.{name}", made)
        assert all(abs(one - other).max() > 1e-3 for one, other in zip(made, others, strict=True))
