"""MLflow, with its database and its artifacts in a folder."""

# Only the environment of `make bench` has it.
# mypy: disable-error-code="import-not-found"
# pyright: reportMissingImports=false

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import mlflow
import soundfile

from benchmarks.peers.base import Peer


class Mlflow(Peer):
    """A folder of artifacts for each epoch."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        artifacts = (folder / "artifacts").as_uri()
        mlflow.start_run(experiment_id=mlflow.create_experiment("bench", artifacts))

    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:
        """Write files, and log them in one call."""
        with tempfile.TemporaryDirectory(dir=self.folder) as written:
            for role, batch in sounds.items():
                for index, clip in enumerate(batch):
                    path = f"{written}/{index}.{role}.wav"
                    soundfile.write(path, clip, sample_rate, subtype="PCM_16")
            mlflow.log_artifacts(written, f"val/{epoch:03d}")

    def close(self) -> None:
        """End the run."""
        mlflow.end_run()
