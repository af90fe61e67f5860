"""Trains a small denoiser in about a minute on two cores, and keeps what it sounds like meanwhile.

    python examples/train_denoiser.py                       # plucked strings, synthesised here
    python examples/train_denoiser.py --data recordings/    # any folder of wav, flac, ogg, mp3

Captions are the transcripts, from `metadata.jsonl` (`file_name` and `text`) or a `.txt` file beside
each recording. All that earmark needs is the `AudioMonitor` in `main`.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as pl
import torch
from denoising import Batch, Denoiser, loaders, si_sdr, snr
from melodies import melodies
from recordings import read_folder
from torch import Tensor

from earmark_integrations.lightning import AudioMonitor


class Denoising(pl.LightningModule):
    """Trains a Denoiser.

    Attributes:
        improvements: SI-SDR in dB over the noisy input's, after each epoch.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.denoiser = Denoiser(sample_rate)
        self.improvements: list[float] = []

    def training_step(self, batch: Batch) -> Tensor:
        """Returns how far the sound without noise is from the clean one."""
        loss = -snr(self.denoiser(batch["noisy"]), batch["clean"]).mean()
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch) -> dict[str, Tensor]:
        """Returns what the monitor keeps; the batch has its texts, ids and lengths."""
        noisy, clean, lengths = batch["noisy"], batch["clean"], batch["lengths"]
        inside = torch.arange(noisy.shape[-1], device=noisy.device) < lengths[:, None]
        enhanced = self.denoiser(noisy) * inside
        improvement = (si_sdr(enhanced, clean) - si_sdr(noisy, clean)).mean()
        self.log("si_sdri", improvement, prog_bar=True, batch_size=len(noisy))
        return {"input": noisy, "prediction": enhanced, "target": clean}

    def on_validation_epoch_end(self) -> None:
        """Remembers the improvement for the table at the end."""
        if not self.trainer.sanity_checking:
            self.improvements.append(float(self.trainer.callback_metrics["si_sdri"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Returns an optimiser that needs no schedule."""
        return torch.optim.AdamW(self.parameters(), lr=5e-4)


def report(improvements: Sequence[float], run_dir: Path | str | None) -> None:
    """Prints what training has brought, and how to hear it."""
    print("\nepoch  SI-SDR over the noisy input's")
    for epoch, decibels in enumerate(improvements):
        print(f"{epoch:5}  {decibels:+5.1f} dB  {'#' * round(2 * decibels)}")
    print(f"\nThe clips are FLAC files in {run_dir}/takes, for any player.")
    print(f"List them, with captions: earmark ls {run_dir}")


def main(argv: Sequence[str] | None = None) -> None:
    """Trains, then tells how to listen."""
    parser = argparse.ArgumentParser(description="Trains a small denoiser; keeps what it makes.")
    parser.add_argument("--data", type=Path, help="folder of recordings; default: melodies")
    parser.add_argument("--run-dir", type=Path, help="where clips go; default: Lightning's logs")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--steps", type=int, default=20, help="batches in an epoch")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)

    pl.seed_everything(options.seed)
    rate = 16_000
    if options.data:
        recordings, rate = read_folder(options.data)
    else:
        recordings = melodies(64, rate)
    training, validation = loaders(recordings, rate, steps=options.steps, seed=options.seed)

    monitor = AudioMonitor(
        every_n_epochs=2,
        captions="{text} | epoch {epoch}",
        lengths="lengths",
        run_dir=options.run_dir,
    )
    # Two cores have none to spare for loader processes.
    warnings.filterwarnings("ignore", ".*does not have many workers")
    module = Denoising(rate)
    trainer = pl.Trainer(
        max_epochs=options.epochs,
        callbacks=[monitor],
        gradient_clip_val=5,
        log_every_n_steps=8,
        enable_model_summary=False,
    )
    trainer.fit(module, training, validation)
    report(module.improvements, monitor.run_dir)


if __name__ == "__main__":
    main()
