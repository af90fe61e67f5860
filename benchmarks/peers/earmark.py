"""earmark: one call for the batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import earmark
from benchmarks.clips import Sounds
from benchmarks.peers.base import Peer, caption


class Earmark(Peer):
    """Logs arrays."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._run = earmark.Run(folder / "run", strict=True)

    def log(self, sounds: Any, sample_rate: int, epoch: int) -> None:
        """One take."""
        count = len(sounds["prediction"])
        self._run.log_batch(
            sounds,
            epoch=epoch,
            tag="val",
            sample_rate=sample_rate,
            examples=[f"example-{index}" for index in range(count)],
            captions=[caption(index, epoch) for index in range(count)],
        )

    def flush(self) -> None:
        """Wait until it is published."""
        self._run.flush()

    def close(self) -> None:
        """Publish the rest."""
        self._run.close()


class EarmarkTensors(Earmark):
    """Logs tensors, `(B, T)` or `(B, C, T)`."""

    @staticmethod
    def prepared(sounds: Sounds) -> Any:
        """The sounds as a model returns them."""
        import torch  # noqa: PLC0415 - the other peer here goes without

        return {
            role: torch.from_numpy(batch if batch.ndim == 2 else batch.swapaxes(1, 2)).contiguous()
            for role, batch in sounds.items()
        }
