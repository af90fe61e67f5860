from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from benchmarks.isolated import Isolated

import earmark


def test_every_other_block_logs_its_validation(tmp_path: Path) -> None:
    """A pair after a warm-up: two blocks log 16 clips of 5 s each."""
    with Isolated(tmp_path) as process:
        loop = process.run("benchmarks.loop:measure", tmp_path / "loop", 1, 1)
    assert len(loop.ratios) == 1
    assert loop.step_seconds > 0
    clips = list(earmark.open_run(tmp_path / "loop/run").clips())
    assert {clip.epoch for clip in clips} == {0, 1}
    assert len(clips) == 2 * 16
    assert {clip.audio.duration_seconds for clip in clips} == {5}
