"""Weights & Biases, in offline mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import wandb

from benchmarks.peers.base import Peer, caption


class Wandb(Peer):
    """A list of `wandb.Audio` under each role."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._run = wandb.init(project="bench", mode="offline", dir=str(folder))

    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:
        """One row."""
        media = {
            f"val/{role}": [
                wandb.Audio(clip, sample_rate=sample_rate, caption=caption(index, epoch))
                for index, clip in enumerate(batch)
            ]
            for role, batch in sounds.items()
        }
        self._run.log(media, step=epoch)

    def close(self) -> None:
        """End the run, and the service that writes it."""
        self._run.finish()
        wandb.teardown()
