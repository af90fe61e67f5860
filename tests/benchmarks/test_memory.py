from __future__ import annotations

from pathlib import Path

from benchmarks.isolated import Isolated


def test_a_burst_that_fits_is_kept_whole(tmp_path: Path) -> None:
    """17 stereo clips of 30 s and 32 mono ones of 5 s: 185 MiB, where 512 may wait."""
    with Isolated(tmp_path) as process:
        burst = process.run("benchmarks.memory:measure", tmp_path / "burst", 512, 1)
    assert round(burst.logged_mib) == 185
    assert burst.kept_clips == burst.logged_clips == 17 + 32
    assert 0 < burst.peak_mib < 512 + 64
