from __future__ import annotations

from pathlib import Path

from benchmarks import remote, synthetic


def test_the_requests_for_a_run_are_counted(tmp_path: Path) -> None:
    """Its name, its takes, its index, and a segment for each 512 takes of that."""
    synthetic.make(tmp_path / "run", 300)

    assert remote.measure(tmp_path / "run") == (3, 4)
