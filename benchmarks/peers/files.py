"""soundfile: what a training script writes that uses no tracker."""

from __future__ import annotations

from typing import Any

import soundfile

from benchmarks.peers.base import Peer


class Wav(Peer):
    """One WAV file with 16 bits a clip."""

    suffix = "wav"

    def subtype(self, role: str) -> str:  # noqa: ARG002 - the same for all of them
        """How to store a role, in soundfile's words."""
        return "PCM_16"

    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:
        """Write all files."""
        folder = self.folder / f"{epoch:03d}"
        folder.mkdir()
        for role, batch in sounds.items():
            for index, clip in enumerate(batch):
                path = folder / f"{index}.{role}.{self.suffix}"
                soundfile.write(path, clip, sample_rate, subtype=self.subtype(role))

    def close(self) -> None:
        """Everything is written."""


class Flac(Wav):
    """One FLAC file a clip, with 24 bits where 16 do not hold it."""

    suffix = "flac"

    def subtype(self, role: str) -> str:
        """Inputs and targets come from recordings with 16 bits."""
        return "PCM_24" if role == "prediction" else "PCM_16"
