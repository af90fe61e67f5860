"""Hybrid Transformer Demucs, which separates songs, in a LightningModule: each stem by its name.

Demucs itself has no sound in its training, only the 170 lines of `demucs/evaluate.py`, which
separate whole tracks once it is over; a training of it in Lightning, `demucs_lightning`, logs its
stems in some 60 lines of `validation_step`, each mixed down to one channel. Here `validation_step`
returns what the model returns, and one line names the stems, in stereo.
"""

from __future__ import annotations

from pathlib import Path

import lightning.pytorch as pl
import torch
from demucs.htdemucs import HTDemucs
from tones import tones
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from earmark_integrations.lightning import AudioMonitor

RATE = 16_000
STEMS = ["bass", "vocals"]


class Separation(pl.LightningModule):
    """A small HTDemucs."""

    def __init__(self) -> None:
        super().__init__()
        self.model = HTDemucs(
            STEMS, channels=8, nfft=1024, depth=2, t_layers=1, t_heads=2, samplerate=RATE, segment=1
        )

    def training_step(self, batch: list[Tensor]) -> Tensor:
        """Returns how far the stems are from those of the mixture."""
        mixture, sources = batch
        return torch.nn.functional.l1_loss(self.model(mixture), sources)

    def validation_step(self, batch: list[Tensor]) -> Tensor:
        """Returns the stems, of shape (B, S, C, T)."""
        mixture, _ = batch
        separated: Tensor = self.model(mixture)
        return separated

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Returns Adam, as Demucs has it."""
        return torch.optim.Adam(self.parameters(), lr=3e-4)


def songs(count: int) -> TensorDataset:
    """Returns mixtures (2, T) and their stems (S, 2, T): the bass rather left, the voice right."""
    left_and_right = torch.tensor([[0.8, 0.4], [0.4, 0.8]])
    stems = torch.stack([tones(count, 1.0, RATE, lowest=55), tones(count, 1.0, RATE, 220)], dim=1)
    sources = stems[:, :, None] * left_and_right[:, :, None]
    return TensorDataset(sources.sum(1), sources)


def main(run_dir: str | Path = "runs/demucs") -> Separation:
    """Trains for two short epochs."""
    pl.seed_everything(0)
    separation = Separation()
    trainer = pl.Trainer(
        max_epochs=2,
        callbacks=[AudioMonitor(stems=STEMS, run_dir=run_dir)],
        logger=False,
        enable_checkpointing=False,
    )
    trainer.fit(separation, DataLoader(songs(4), batch_size=2), DataLoader(songs(2), batch_size=2))
    return separation


if __name__ == "__main__":
    main()
