"""Peer: one way to keep the clips of a validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from benchmarks.clips import Sounds


class Peer(ABC):
    """One way to keep the clips of a validation, opened on a folder of its own.

    Args:
        folder: Everything it keeps goes in here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def prepared(sounds: Sounds) -> Any:
        """The sounds as a training loop that uses this peer has them anyway; not timed."""
        return sounds

    @abstractmethod
    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:
        """Log one validation. While this runs, training waits.

        Args:
            sounds: What `prepared` returned.
            sample_rate: In Hz.
            epoch: Another one each time.
        """

    def flush(self) -> None:  # noqa: B027 - most have nothing to wait for
        """Wait for what is pending, where there is a way to."""

    @abstractmethod
    def close(self) -> None:
        """Return when everything is on disk."""


def caption(index: int, epoch: int) -> str:
    """A text to show beside a clip."""
    return f"example {index} after epoch {epoch}"
