from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.isolated import Isolated
from benchmarks.meter import PeakMemory, disk_bytes, helpers_cpu_seconds

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells this")


@linux_only
def test_the_peak_is_seen_after_it_has_passed() -> None:
    """64 MiB that were held for a moment are in the peak; what was held before is not."""
    before = np.ones(32 << 20, np.uint8)
    memory = PeakMemory()
    for _ in range(2):
        np.ones(64 << 20, np.uint8)
    assert 60 < memory.mib < 90
    assert before.all()


@linux_only
def test_helpers_are_counted_while_they_run(tmp_path: Path) -> None:
    """A process that works and goes on is counted as one that has ended is."""
    before = helpers_cpu_seconds()
    with Isolated(tmp_path) as process:
        process.run("builtins:sum", range(20_000_000))
        running = helpers_cpu_seconds() - before
    assert running > 0.05
    assert helpers_cpu_seconds() - before >= running - 0.02


def test_bytes_on_disk_are_those_of_all_files(tmp_path: Path) -> None:
    """Folders within folders count."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_bytes(bytes(10))
    (tmp_path / "d").write_bytes(bytes(5))
    assert disk_bytes(tmp_path) == 15
