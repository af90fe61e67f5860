"""torchaudio's Conv-TasNet, from its factory function, in a LightningModule: both of its voices.

torchaudio's own training, `examples/source_separation/lightning_train.py`, logs figures and no
sound at all; what it would take is written out by vibravox, for one sound of a batch and one
channel, in some 60 lines of `lightning_modules/base_se.py`. Here one line names the voices, and
measures each of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from tones import tones
from torch import Tensor
from torch.utils.data import DataLoader
from torchaudio.models import conv_tasnet_base
from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio as si_sdr

from earmark_integrations.lightning import AudioMonitor


class Separation(pl.LightningModule):
    """Conv-TasNet for two voices.

    Args:
        sample_rate: In Hz. As a hyperparameter it is found by the monitor.
    """

    def __init__(self, sample_rate: int = 8_000) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = conv_tasnet_base(num_sources=2)

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        """Returns the negative SI-SDR in dB, the voices being told apart by their pitch."""
        return -si_sdr(self.model(batch["mixture"]), batch["sources"]).mean()

    def validation_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Returns the voices, of shape (B, S, T)."""
        return {"prediction": self.model(batch["mixture"])}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Returns Adam, as torchaudio's example has it."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def duets(count: int, rate: int) -> list[dict[str, Tensor]]:
    """Returns mixtures (1, T) of a low and a high voice, and these, (2, T)."""
    pairs = torch.stack([tones(count, 0.25, rate), tones(count, 0.25, rate, lowest=250)], dim=1)
    return [{"mixture": pair.sum(0, keepdim=True), "sources": pair} for pair in pairs]


def main(run_dir: str | Path = "runs/convtasnet") -> Separation:
    """Trains for two short epochs."""
    pl.seed_everything(0)
    separation = Separation()
    trainer = pl.Trainer(
        max_epochs=2,
        callbacks=[
            AudioMonitor(stems=["low", "high"], metrics={"si_sdr": si_sdr}, run_dir=run_dir)
        ],
        logger=False,
        enable_checkpointing=False,
    )
    data: Any = duets(3, 8_000)
    trainer.fit(separation, DataLoader(data[2:], batch_size=1), DataLoader(data[:2], batch_size=2))
    return separation


if __name__ == "__main__":
    main()
