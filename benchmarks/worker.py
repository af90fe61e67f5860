"""Worker: one peer, and what it costs to log with it; lives in a process of its own."""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import clips, meter
from benchmarks.clips import Case
from benchmarks.peers import PEERS


class Worker:
    """One peer, opened.

    Args:
        name: A name in `PEERS`.
        cases: What it is going to log.
        sounds: The folder that the cases' sounds are in.
        folder: Where the peer writes.
    """

    def __init__(self, name: str, cases: Sequence[Case], sounds: Path, folder: Path) -> None:
        module, _, kind = PEERS[name].peer.partition(":")
        peer = getattr(importlib.import_module(f"benchmarks.peers.{module}"), kind)
        self._folder = folder
        self._rates = {case.name: case.sample_rate for case in cases}
        self._first = {case.name: clips.load(case, sounds) for case in cases}
        # One memory for all epochs: it is the training loop's, and no part of what a peer takes.
        self._current = {case: clips.copy(first) for case, first in self._first.items()}
        self._prepared = {case: peer.prepared(own) for case, own in self._current.items()}
        self._memory = meter.PeakMemory()
        self._peer = peer(folder)

    def log(self, case: str, epoch: int, patience: float) -> tuple[float, float]:
        """Log one validation.

        Args:
            case: The name of one of the cases.
            epoch: Another one each time.
            patience: How long to wait until all is quiet again, in seconds at most.

        Returns:
            How long that held this thread, and the CPU seconds until then.
        """
        clips.advance(self._current[case], self._first[case], epoch)
        helpers, cpu, start = meter.helpers_cpu_seconds(), time.process_time(), time.perf_counter()
        self._peer.log(self._prepared[case], self._rates[case], epoch)
        held = time.perf_counter() - start
        self._peer.flush()
        meter.settle(patience)
        own = time.process_time() - cpu
        return held, own + meter.helpers_cpu_seconds() - helpers

    def close(self) -> tuple[float, float, int]:
        """Close the peer.

        Returns:
            The CPU seconds it took; the most memory that was held for the peer since it was
            opened, in MiB; the bytes it left on disk.
        """
        helpers, cpu = meter.helpers_cpu_seconds(), time.process_time()
        self._peer.close()
        own = time.process_time() - cpu
        on_disk = meter.disk_bytes(self._folder)
        return own + meter.helpers_cpu_seconds() - helpers, self._memory.mib, on_disk
