"""Aim, with its repository in a folder."""

# Only the environment of `make bench` has it.
# mypy: disable-error-code="import-not-found"
# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import aim

from benchmarks.peers.base import Peer, caption


class Aim(Peer):
    """A sequence of lists for each role."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._run = aim.Run(
            repo=str(folder),
            system_tracking_interval=None,
            capture_terminal_logs=False,
            log_system_params=False,
        )

    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:
        """One call for each role."""
        for role, batch in sounds.items():
            clips = [
                aim.Audio(clip, rate=sample_rate, format="wav", caption=caption(index, epoch))
                for index, clip in enumerate(batch)
            ]
            self._run.track(clips, name=role, step=epoch, context={"subset": "val"})

    def close(self) -> None:
        """End the run."""
        self._run.close()
