"""A diffusion model of diffusers, UNet1DModel, in a LightningModule: noise becomes sound.

diffusers has no training script for sound; for pictures, some 70 of its examples have a copy of
`log_validation`, with a fixed prompt and a seeded generator. For sound, the trainer that
`audio-diffusion-pytorch` has logs in some 145 lines in each of its `main/module_*.py`: a flag that
one hook sets and another one clears, the averaged weights, a sweep of steps, and a wandb logger
without which it crashes. Here one line says what to begin with, how to sample, in how many steps,
and with whose weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from diffusers.models.unets.unet_1d import UNet1DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from tones import tones
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from earmark_integrations.demo import Noise
from earmark_integrations.lightning import AudioMonitor

RATE = 16_000


class Diffusion(pl.LightningModule):
    """A small U-Net that learns to tell noise from sound, and its averaged weights."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = UNet1DModel(
            sample_rate=RATE,
            in_channels=1,
            out_channels=1,
            extra_in_channels=16,
            block_out_channels=(8, 16, 32),
            down_block_types=("DownBlock1DNoSkip", "DownBlock1D", "DownBlock1D"),
            up_block_types=("UpBlock1D", "UpBlock1D", "UpBlock1DNoSkip"),
            layers_per_block=1,
        )
        self.ema = AveragedModel(self.unet, multi_avg_fn=get_ema_multi_avg_fn(0.9))
        self.scheduler: Any = DDIMScheduler()

    def training_step(self, sounds: Tensor) -> Tensor:
        """Returns how far the noise that is found is from that which was added."""
        noise = torch.randn_like(sounds)
        times = torch.randint(1000, (len(sounds),), device=sounds.device)
        noisy = self.scheduler.add_noise(sounds, noise, times)
        return torch.nn.functional.mse_loss(self.unet(noisy, times).sample, noise)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Averages the weights."""
        self.ema.update_parameters(self.unet)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Returns AdamW."""
        return torch.optim.AdamW(self.unet.parameters(), lr=1e-3)


def sample(unet: nn.Module, noise: Tensor, steps: int) -> Tensor:
    """Returns sounds (B, 1, T), made of noise in so many steps."""
    scheduler: Any = DDIMScheduler()
    scheduler.set_timesteps(steps)
    for time in scheduler.timesteps:
        noise = scheduler.step(unet(noise, time).sample, time, noise).prev_sample
    return noise


def main(run_dir: str | Path = "runs/diffusion") -> Diffusion:
    """Trains for two short epochs, without any validation data."""
    pl.seed_everything(0)
    diffusion = Diffusion()
    monitor = AudioMonitor(
        demo=Noise(2, (1, 4_096)), predict=sample, weights="ema",
        variants={"fast": {"steps": 2}, "slow": {"steps": 4}}, sample_rate=RATE, run_dir=run_dir,
    )  # fmt: skip
    trainer = pl.Trainer(
        max_epochs=2, callbacks=[monitor], logger=False, enable_checkpointing=False
    )
    sounds: Any = tones(4, 0.256, RATE)[:, None]
    trainer.fit(diffusion, DataLoader(sounds, batch_size=2))
    return diffusion


if __name__ == "__main__":
    main()
