"""What a process uses: CPU seconds with its helpers', memory at its peak, bytes on disk."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def helpers_cpu_seconds() -> float:
    """CPU seconds of the processes that this one started: those that ended, and those that run.

    Those that run are seen on Linux alone.
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    tick = os.sysconf("SC_CLK_TCK")
    running = sum(ticks for _, ticks in _descendants()) / tick
    return ended.ru_utime + ended.ru_stime + running


def _descendants() -> Iterator[tuple[int, int]]:
    """Each descendant that runs: its id, and its CPU time in clock ticks."""
    parents: dict[int, tuple[int, int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            # The name, in parentheses, may hold anything; what follows it is plain numbers.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        used = sum(map(int, fields[11:15]))  # its own and its ended children's, user and system
        parents[int(stat.parent.name)] = int(fields[1]), used
    known = {os.getpid()}
    while found := {pid for pid, (parent, _) in parents.items() if parent in known} - known:
        known |= found
    yield from ((pid, parents[pid][1]) for pid in known - {os.getpid()} if pid in parents)


def settle(at_most: float) -> None:
    """Waits, `at_most` seconds, until this process has nothing to do, as between validations."""
    deadline, quiet = time.monotonic() + at_most, 0
    while quiet < 3 and time.monotonic() < deadline:
        before = time.process_time()
        time.sleep(0.03)  # a benchmark has to see this process idle: no event tells of that
        quiet = quiet + 1 if time.process_time() - before < 0.002 else 0


def disk_bytes(folder: Path) -> int:
    """The bytes in all files of a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class PeakMemory:
    """The most memory the process has held since this was made, over what it held then."""

    def __init__(self) -> None:
        self._start = _reset_peak()

    @property
    def mib(self) -> float:
        """In MiB."""
        return (_peak() - self._start) / 2**20


def _reset_peak() -> int:
    try:
        (_PROC / "self/clear_refs").write_text("5")
        return _status("VmRSS")
    except OSError:  # not on Linux, or not allowed: the peak so far is the start
        return _peak()


def _peak() -> int:
    if (_PROC / "self/status").exists():
        return _status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(field: str) -> int:
    lines = (_PROC / "self/status").read_text().splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return int(kib) * 1024
