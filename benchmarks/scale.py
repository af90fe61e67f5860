"""What a large run takes to read: the first row, all rows, one example's, one step's."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import earmark
from benchmarks.meter import PeakMemory
from benchmarks.outcomes import Reading
from benchmarks.synthetic import CLIPS_PER_TAKE

_ROUNDS = 5
_ENOUGH_SECONDS = 10  # a run of a million clips is not read five times


def measure(path: Path) -> Reading:
    """Read a run in several ways, each five times; each time it is opened anew."""
    memory = PeakMemory()
    clips = _count(path)
    last = clips // CLIPS_PER_TAKE - 1
    peak_mib = memory.mib
    return Reading(
        clips,
        _median_seconds(lambda: _read_first_row(path)),
        _median_seconds(lambda: _count(path)),
        _median_seconds(lambda: _count(path, role="prediction", example="7")),
        _median_seconds(lambda: _count(path, step=last)),
        peak_mib,
    )


def _read_first_row(path: Path) -> None:
    next(iter(earmark.open_run(path).clips()))


def _count(path: Path, **wanted: Any) -> int:
    return sum(1 for _ in earmark.open_run(path).clips(**wanted))


def _median_seconds(read: Callable[[], object]) -> float:
    seconds: list[float] = []
    while len(seconds) < _ROUNDS and sum(seconds) < _ENOUGH_SECONDS:
        start = time.perf_counter()
        read()
        seconds.append(time.perf_counter() - start)
    return median(seconds)
