"""TensorBoard, by PyTorch's writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from benchmarks.peers.base import Peer


class TensorBoard(Peer):
    """A tag for each sound."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._writer = SummaryWriter(str(folder))

    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:
        """Log channel by channel: it takes no others."""
        for role, batch in sounds.items():
            for index, clip in enumerate(batch):
                for channel, mono in enumerate(np.atleast_2d(clip.T)):
                    tag = f"val/{role}/{index}/{channel}"
                    self._writer.add_audio(tag, mono[None], epoch, sample_rate=sample_rate)

    def flush(self) -> None:
        """Wait until the file holds it."""
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
