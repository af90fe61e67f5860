"""The least that handing sounds over can cost: a copy of the samples into memory in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clips import Samples
from benchmarks.peers.base import Peer


class PlainCopy(Peer):
    """Keeps a copy of the last validation of each size, in memory only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._buffers: dict[tuple[int, ...], list[Samples]] = {}

    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:  # noqa: ARG002 - every epoch costs the same
        """Copy clip by clip, into the same buffers each time."""
        for batch in sounds.values():
            buffers = self._buffers.get(batch.shape) or self._made(batch)
            for buffer, clip in zip(buffers, batch, strict=True):
                np.copyto(buffer, clip)

    def _made(self, batch: Samples) -> list[Samples]:
        made = self._buffers[batch.shape] = [np.empty_like(clip) for clip in batch]
        return made

    def close(self) -> None:
        """Nothing goes to disk."""
