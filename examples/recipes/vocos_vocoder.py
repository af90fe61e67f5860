"""Vocos, a vocoder, in a LightningModule: what it makes of its own mel spectrograms.

Its own training logs sound in some 60 lines of `vocos/experiment.py`: `validation_step` keeps views
of the first sound of each batch, `validation_epoch_end` relies on the order of the keys that it has
returned, and both it and `training_step` write tensors to TensorBoard by hand. That hook is gone
from Lightning 2. Here `validation_step` returns the same keys, and one line hears them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from tones import tones
from torch import Tensor
from torch.utils.data import DataLoader
from vocos.feature_extractors import MelSpectrogramFeatures
from vocos.heads import ISTFTHead
from vocos.models import VocosBackbone

from earmark_integrations.lightning import AudioMonitor


class Vocoder(pl.LightningModule):
    """A small Vocos.

    Args:
        sample_rate: In Hz. As a hyperparameter it is found by the monitor.
    """

    def __init__(self, sample_rate: int = 24_000) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = MelSpectrogramFeatures(sample_rate, n_fft=1024, hop_length=256, n_mels=80)
        self.backbone = VocosBackbone(input_channels=80, dim=32, intermediate_dim=64, num_layers=2)
        self.head = ISTFTHead(dim=32, n_fft=1024, hop_length=256, padding="center")

    def forward(self, audio: Tensor) -> Tensor:
        """Returns what is made of the mel spectrogram of sounds (B, T): as many, as long."""
        made: Tensor = self.head(self.backbone(self.features(audio)))
        return made

    def training_step(self, audio: Tensor) -> Tensor:
        """Returns how far the mel spectrogram is from that of the sound."""
        difference: Tensor = self.features(self(audio)) - self.features(audio)
        return difference.abs().mean()

    def validation_step(self, audio: Tensor) -> dict[str, Tensor]:
        """Returns the keys of Vocos' own `validation_step`, but of the whole batch."""
        return {"audio_input": audio, "audio_pred": self(audio)}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Returns AdamW, as Vocos has it."""
        return torch.optim.AdamW(self.parameters(), lr=5e-4)


def main(run_dir: str | Path = "runs/vocos") -> Vocoder:
    """Trains for three short epochs."""
    pl.seed_everything(0)
    vocoder = Vocoder()
    sounds: Any = tones(8, 1.024, 24_000)
    trainer = pl.Trainer(
        max_epochs=3,
        callbacks=[AudioMonitor(every_n_epochs=2, run_dir=run_dir)],
        logger=False,
        enable_checkpointing=False,
    )
    trainer.fit(vocoder, DataLoader(sounds[4:], batch_size=2), DataLoader(sounds[:4], batch_size=2))
    return vocoder


if __name__ == "__main__":
    main()
