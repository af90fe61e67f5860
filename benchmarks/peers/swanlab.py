"""SwanLab, in offline mode."""

# Only the environment of `make bench` has it.
# mypy: disable-error-code="import-not-found"
# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import swanlab

from benchmarks.peers.base import Peer, caption


class SwanLab(Peer):
    """A list of `swanlab.Audio` under each role."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        swanlab.init(project="bench", mode="offline", log_dir=str(folder))

    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:
        """One call; it takes arrays of shape `(channels, frames)`."""
        media = {
            f"val/{role}": [
                swanlab.Audio(
                    np.atleast_2d(clip.T), sample_rate=sample_rate, caption=caption(index, epoch)
                )
                for index, clip in enumerate(batch)
            ]
            for role, batch in sounds.items()
        }
        swanlab.log(media, step=epoch)

    def close(self) -> None:
        """End the run."""
        swanlab.finish()
