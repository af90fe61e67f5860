"""trackio, in its local mode; where it writes is up to `TRACKIO_DIR`."""

# Only the environment of `make bench` has it.
# mypy: disable-error-code="import-not-found"
# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import trackio

from benchmarks.peers.base import Peer, caption


class Trackio(Peer):
    """A key for each sound: it takes no lists."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        trackio.init(project="bench", auto_log_gpu=False, auto_log_cpu=False)

    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:
        """One row."""
        row = {
            f"val/{role}/{index}": trackio.Audio(
                clip, sample_rate=sample_rate, caption=caption(index, epoch)
            )
            for role, batch in sounds.items()
            for index, clip in enumerate(batch)
        }
        trackio.log(row, step=epoch)

    def close(self) -> None:
        """End the run."""
        trackio.finish()
