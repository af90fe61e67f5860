"""What the pages of docs/ take for granted: a model with every method they name, and its data."""

from __future__ import annotations

import itertools
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset

RATE = 8000
FRAMES = 4000


def tone(index: int, num_frames: int = FRAMES) -> Tensor:
    """A sine of its own pitch for each index."""
    return torch.sin(torch.arange(num_frames) * (index + 1) / 10) / 4


class Clips(Dataset[dict[str, Any]]):
    """Noisy and clean clips with their text."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index >= len(self):
            raise IndexError(index)
        clean = tone(index)
        return {"noisy": clean + tone(index + 20) / 4, "clean": clean, "text": f"clip {index}"}


class Denoiser(nn.Module):
    """A gain, and the ways of listening to it that the pages have."""

    sample_rate = RATE

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.vocoder = nn.Hardtanh(-0.125, 0.125)
        self.ema = AveragedModel(self)

    def forward(self, noisy: Tensor, clean: Tensor | None = None) -> Any:
        """The sounds `(B, T)`; with targets, the loss beside them."""
        made = self.gain * noisy
        if clean is None:
            return made
        return {"loss": nn.functional.mse_loss(made, clean), "prediction": made}

    def sample(self, batch: dict[str, Any], steps: int = 1) -> Tensor:
        """A prediction that tells its variants apart."""
        made: Tensor = self.gain.sign() * batch["noisy"] / steps
        return made

    def speak(self, batch: dict[str, Any]) -> Tensor:
        """As much sound as there is text."""
        return torch.stack([tone(3, 500 * len(text)) for text in batch["text"]])

    def from_noise(self, noise: Tensor) -> Tensor:
        """The noise itself, `(B, 1, T)`, not as loud."""
        return noise / 8


class DenoiserModule(Denoiser, pl.LightningModule):
    """The same for Lightning."""

    def training_step(self, batch: dict[str, Any], _: int) -> Tensor:
        """The error of a gain."""
        loss: Tensor = self(batch["noisy"], batch["clean"])["loss"]
        return loss

    def validation_step(self, batch: dict[str, Any], _: int) -> dict[str, Tensor]:
        """What the pages say it returns."""
        return {"prediction": self(batch["noisy"]), "target": batch["clean"]}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The simplest there is."""
        return torch.optim.SGD([self.gain], lr=0.1)


def names() -> dict[str, Any]:
    """What snippets name and do not define, whatever their framework."""
    data = Clips()
    loader = DataLoader(data, batch_size=2)
    steps = itertools.count(100, 100)
    return {
        "torch": torch,
        "model": Denoiser(),
        "train_set": data,
        "val_set": data,
        "train_loader": loader,
        "val_loader": loader,
        "train_one_epoch": lambda: next(steps),
        "train_one_step": lambda: None,
        "train_step": lambda engine, batch: 0.0,
        "validation_step": lambda engine, batch: {"prediction": batch["noisy"] / 2},
        "sound": tone(0),
    }
