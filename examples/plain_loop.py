"""Trains the denoiser in a plain PyTorch loop: two lines of it keep what it sounds like."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from denoising import Denoiser, loaders, si_sdr, snr
from melodies import melodies
from recordings import read_folder

import earmark


def main() -> None:
    """Trains for some epochs; keeps the input, prediction and target of every second one."""
    parser = argparse.ArgumentParser(description="Trains a denoiser in a plain PyTorch loop.")
    parser.add_argument("--data", type=Path, help="folder of recordings; default: melodies")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/denoiser"))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--steps", type=int, default=20, help="batches in an epoch")
    options = parser.parse_args()

    torch.manual_seed(0)
    recordings, rate = read_folder(options.data) if options.data else (melodies(64, 16_000), 16_000)
    training, validation = loaders(recordings, rate, steps=options.steps, seed=0)
    model = Denoiser(rate)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)

    step = 0
    with earmark.Run(options.run_dir, schedule=earmark.every_n_epochs(2)) as run:
        for epoch in range(options.epochs):
            for batch in training:
                loss = -snr(model(batch["noisy"]), batch["clean"]).mean()
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 5)
                optimizer.step()
                step += 1

            for batch in validation:
                noisy, clean, lengths = batch["noisy"], batch["clean"], batch["lengths"]
                with torch.no_grad():
                    enhanced = model(noisy) * (torch.arange(noisy.shape[-1]) < lengths[:, None])
                improvement = si_sdr(enhanced, clean) - si_sdr(noisy, clean)
                print(f"epoch {epoch}: SI-SDR {improvement.mean():+.1f} dB over the input's")
                if run.due(epoch=epoch, step=step, final=epoch == options.epochs - 1):
                    run.log_batch(
                        {"input": noisy, "prediction": enhanced, "target": clean},
                        step=step, epoch=epoch, tag="val", sample_rate=rate, lengths=lengths,
                        examples=batch["id"], metrics={"si_sdri": improvement},
                        captions=[f"{text} | epoch {epoch}" for text in batch["text"]],
                    )  # fmt: skip


if __name__ == "__main__":
    main()
