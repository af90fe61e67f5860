"""Comet, in offline mode."""

# Only the environment of `make bench` has it.
# mypy: disable-error-code="import-not-found"
# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import comet_ml

from benchmarks.peers.base import Peer, caption


class Comet(Peer):
    """An asset for each sound."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._experiment = comet_ml.OfflineExperiment(
            project_name="bench",
            offline_directory=str(folder),
            log_code=False,
            log_git_metadata=False,
            log_env_details=False,
            display_summary_level=0,
        )

    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:
        """Log sound by sound: it takes no lists."""
        for role, batch in sounds.items():
            for index, clip in enumerate(batch):
                self._experiment.log_audio(
                    clip,
                    sample_rate=sample_rate,
                    file_name=f"val/{role}/{index}/{epoch:03d}.wav",
                    metadata={"caption": caption(index, epoch)},
                    step=epoch,
                )

    def close(self) -> None:
        """Pack everything into an archive."""
        self._experiment.end()
