from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import synthetic

import earmark
from earmark.upkeep.check import check_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three takes of 100 clips."""
    path = tmp_path_factory.mktemp("synthetic") / "run"
    assert synthetic.make(path, 250) == 300
    return path


def test_earmark_finds_nothing_wrong_with_it(run: Path) -> None:
    """Every file of a synthetic run agrees with its record."""
    assert list(check_run(run)) == []


def test_each_step_has_a_clip_of_each_example_and_role(run: Path) -> None:
    """300 clips are 50 examples in 2 roles at 3 steps."""
    clips = list(earmark.open_run(run).clips())
    assert {clip.key for clip in clips} == {
        ("val", str(example), role, step)
        for example in range(50)
        for role in ("prediction", "target")
        for step in range(3)
    }
    assert all(clip.epoch == clip.step for clip in clips)


def test_the_takes_say_what_the_index_says(run: Path, tmp_path: Path) -> None:
    """Without its index, a synthetic run reads the same."""
    indexed = {clip.key: clip for clip in earmark.open_run(run).clips()}
    hidden = (run / "index").rename(tmp_path / "index")
    try:
        read = {clip.key: clip for clip in earmark.open_run(run).clips()}
    finally:
        hidden.rename(run / "index")
    assert read == indexed


def test_a_later_step_sounds_as_the_first(run: Path) -> None:
    """The files of later steps are further names of the first one's: a tone at -10.5 dBFS."""
    clip = next(iter(earmark.open_run(run).clips(role="prediction", step=2, example="7")))
    assert clip.audio.num_frames == 800
    assert clip.level.peak_dbfs == pytest.approx(-10.5, abs=0.1)
