from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import side_by_side
from benchmarks.clips import Case
from benchmarks.peers import PEERS, Entry
from benchmarks.side_by_side import SideBySide


def test_a_peer_that_cannot_be_had_is_left_out_with_its_reason(
    tiny: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on, and the reason is told and kept."""
    monkeypatch.setattr(
        side_by_side, "PEERS", {**PEERS, "ghost": Entry("Ghost", "ghost:Ghost", (), "")}
    )
    told: list[str] = []
    bench = SideBySide(["ghost", "copy"], [tiny], tmp_path, told.append)
    try:
        bench.log(tiny, patience=0)
        bench.close()
    finally:
        bench.stop()
    assert "'ghost'" in bench.measured["ghost"].failure
    assert any(line.startswith("Ghost is left out: ") for line in told)
    assert bench.measured["copy"].failure == ""
    assert len(bench.measured["copy"].held_seconds["tiny"]) == 1


def test_a_warm_up_does_not_count(tiny: Case, tmp_path: Path) -> None:
    """Only what counts is kept."""
    bench = SideBySide(["wav"], [tiny], tmp_path, lambda _: None)
    try:
        bench.log(tiny, counts=False, patience=0)
        bench.log(tiny, patience=0)
        bench.close()
    finally:
        bench.stop()
    assert len(bench.measured["wav"].held_seconds["tiny"]) == 1
    wav_header = 44
    sound = 2 * tiny.num_samples + 2 * wav_header
    assert bench.measured["wav"].disk_bytes == 2 * sound + printed(tmp_path / "wav")


def printed(folder: Path) -> int:
    """The bytes that a peer printed."""
    return (folder / "printed.txt").stat().st_size
