from __future__ import annotations

from pathlib import Path

from benchmarks import scale, synthetic


def test_every_clip_of_a_run_is_read(tmp_path: Path) -> None:
    """What is measured is the reading of all clips."""
    synthetic.make(tmp_path / "run", 200)
    reading = scale.measure(tmp_path / "run")
    assert reading.clips == 200
    assert min(reading.first_row_seconds, reading.list_seconds, reading.filter_seconds) > 0
    assert reading.step_seconds > 0
