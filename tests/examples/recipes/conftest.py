"""Fixtures for the recipes: run one where its package is installed, and look at what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import earmark
from earmark import Clip
from tests.examples.scripts import EXAMPLES

RECIPES = EXAMPLES / "recipes"


class Cooked(NamedTuple):
    """A recipe that has been run.

    Attributes:
        recipe: Its module.
        model: What its `main` returned: what has been trained.
        clips: Of the last step, by role and example.
        steps: All steps of which there are clips.
    """

    recipe: ModuleType
    model: Any
    clips: dict[str, dict[str, Clip]]
    steps: list[int]

    def heard(self, role: str, example: str) -> NDArray[np.float32]:
        """Decode a clip's file with soundfile: shape (channels, frames)."""
        path = self.clips[role][example].audio.path
        assert path is not None
        sound, _ = soundfile.read(path, dtype="float32", always_2d=True)
        return np.asarray(sound.T, np.float32)

    def assert_heard(self, role: str, sounds: Any) -> None:
        """Assert that the clips of a role are a batch of sounds, to half a step of 24 bits."""
        assert len(self.clips[role]) == len(sounds)
        for example, sound in zip(sorted(self.clips[role]), sounds, strict=True):
            expected = np.atleast_2d(sound.detach().numpy())
            expected = np.where(expected == 1, 1 - 2**-23, expected)  # the most that 24 bits hold
            assert np.abs(expected).max() > 1e-3
            np.testing.assert_allclose(self.heard(role, example), expected, rtol=0, atol=6e-8)


@pytest.fixture(scope="module")
def cook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Cooked]]:
    """Returns what runs the `main` of a recipe, if its package is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(RECIPES)

        def run(name: str, package: str) -> Cooked:
            reason = f"no {package}: pip install -r examples/recipes/requirements.txt"
            pytest.importorskip(package, reason=reason, exc_type=ImportError)
            folder = tmp_path_factory.mktemp(name) / "run"
            patch.chdir(folder.parent)
            recipe = import_module(name)
            return cooked(recipe, recipe.main(folder), folder)

        yield run


def cooked(recipe: ModuleType, model: Any, folder: Path) -> Cooked:
    """Read the run."""
    run = earmark.open_run(folder)
    steps = sorted({clip.step for clip in run.clips()})
    clips: dict[str, dict[str, Clip]] = {}
    for clip in run.clips():
        if clip.step == steps[-1]:
            clips.setdefault(clip.role, {})[clip.example] = clip
    return Cooked(recipe, model, clips, steps)
