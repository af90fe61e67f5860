"""All peers in turn, for several rounds: whatever else the machine does meets them alike."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import clips
from benchmarks.clips import EPOCH, LONG, SHORT, Case
from benchmarks.isolated import Isolated, NoResultError
from benchmarks.outcomes import Measured
from benchmarks.peers import PEERS

_WORKER = "benchmarks.worker:Worker"

Tell = Callable[[str], None]
"""Told of the progress, a line at a time."""


class SideBySide:
    """Peers that are open at once, each in its own process, and log in turn.

    Args:
        peers: Names in `PEERS`.
        cases: What each of them logs.
        folder: Where they may write.
        tell: Told of the progress, a line at a time.
    """

    def __init__(
        self, peers: Sequence[str], cases: Sequence[Case], folder: Path, tell: Tell
    ) -> None:
        self.measured = {name: Measured() for name in peers}
        self._cases = cases
        self._tell = tell
        self._epoch = 0
        self._open: dict[str, Isolated] = {}
        for case in cases:
            clips.save(case, folder)
        for name in peers:
            tell(f"starting {PEERS[name].title}")
            self._open[name] = Isolated(folder / name)
            self._ask(name, "make", _WORKER, name, cases, folder, folder / name)

    def log(self, case: Case, *, counts: bool = True, patience: float = 10) -> None:
        """Let each peer log a case once, another one first each time.

        Args:
            case: One of the cases.
            counts: Whether to keep what is measured.
            patience: How long to wait until all is quiet, in seconds; the CPU time is right only
                then.
        """
        first = 5 * self._epoch % max(len(self._open), 1)
        names = [*self._open][first:] + [*self._open][:first]
        for name in names:
            spent = self._ask(name, "call", "log", case.name, self._epoch, patience)
            if spent is not None and counts:
                held, cpu = spent
                self.measured[name].held_seconds.setdefault(case.name, []).append(held)
                self.measured[name].cpu_seconds.setdefault(case.name, []).append(cpu)
        self._epoch += 1

    def close(self) -> None:
        """Close all peers, so that everything is on disk."""
        for name in [*self._open]:
            closed = self._ask(name, "call", "close")
            if closed is not None:
                cpu, self.measured[name].peak_mib, self.measured[name].disk_bytes = closed
                self._share(cpu, self.measured[name].cpu_seconds)
        self.stop()

    def stop(self) -> None:
        """End all processes, whatever they are at."""
        for name in [*self._open]:
            self._open.pop(name).close()

    def _share(self, closing: float, cpu_seconds: dict[str, list[float]]) -> None:
        """Closing writes what is pending: each validation has its share, by its samples."""
        sizes = {case.name: case.num_samples for case in self._cases}
        logged = sum(sizes[case] * len(spent) for case, spent in cpu_seconds.items())
        for case, spent in cpu_seconds.items():
            cpu_seconds[case] = [cpu + closing * sizes[case] / logged for cpu in spent]

    def _ask(self, name: str, method: str, *arguments: Any) -> Any:
        """Ask one peer, and leave it out from here on if it fails."""
        try:
            return getattr(self._open[name], method)(*arguments)
        except NoResultError as error:
            self.measured[name].failure = str(error)
            self._tell(f"{PEERS[name].title} is left out: {error}")
            self._open.pop(name).close()
            return None


def measure(peers: Sequence[str], rounds: int, folder: Path, tell: Tell) -> dict[str, Measured]:
    """Measure what logging holds the thread for and costs, in rounds of all peers.

    Args:
        peers: Names in `PEERS`.
        rounds: How often, after one that does not count.
        folder: Where they may write.
        tell: Told of the progress.

    Returns:
        By peer all but `disk_bytes`.
    """
    bench = SideBySide(peers, [SHORT, LONG], folder, tell)
    try:
        for number in range(rounds + 1):
            tell(f"round {number} of {rounds}" if number else "warming up")
            for case in (SHORT, SHORT, SHORT, LONG):
                bench.log(case, counts=number > 0)
        bench.close()
    finally:
        bench.stop()
    return bench.measured


def measure_disk(peers: Sequence[str], epochs: int, folder: Path, tell: Tell) -> dict[str, int]:
    """Measure what some epochs of input, prediction and target leave on disk, in bytes."""
    sizes: dict[str, int] = {}
    for name in peers:
        bench = SideBySide([name], [EPOCH], folder, tell)
        try:
            for _ in range(epochs):
                bench.log(EPOCH, patience=0)
            bench.close()
        finally:
            bench.stop()
        if not bench.measured[name].failure:
            sizes[name] = bench.measured[name].disk_bytes
        shutil.rmtree(folder / name)
    return sizes
