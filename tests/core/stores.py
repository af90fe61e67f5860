"""A run of two examples to be read, copies of it to be damaged, and what a reader is shown."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from earmark import Audio, Clip, open_run
from earmark.testing import noise
from earmark.writer import Writer


def clip(example: str = "utt", role: str = "prediction", step: int = 7, **rest: Any) -> Clip:
    """A short clip, its sound depending on the step."""
    sound = noise(seed=step if role == "prediction" else 0)
    return Clip(Audio(sound, 16_000), rest.pop("tag", "val"), example, role, step, **rest)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four takes by one writer, with predictions, targets and a link to a URL."""
    path = tmp_path_factory.mktemp("runs") / "vocoder"
    writer = Writer(path)
    for epoch, step in enumerate((100, 200, 300)):
        clips = [
            clip(example, role, step, epoch=epoch, caption=f"{example} \u2028 {step} \x85")
            for example in ("a", "b")
            for role in ("prediction", "target")
        ]
        writer.publish(step, clips)
    nowhere = Audio("s3://bucket/a.flac")
    writer.publish(300, [Clip(nowhere, "test", "a", "prediction", 300)])
    return path


@pytest.fixture
def run(published: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be damaged."""
    return shutil.copytree(published, tmp_path / "vocoder")


def contents(path: Path) -> list[tuple[Any, ...]]:
    """What a reader is shown, with every sound."""
    return [
        (*clip.key, clip.epoch, clip.caption, clip.audio.resolve_ref() or clip.audio)
        for clip in open_run(path).clips(all_versions=True)
    ]
