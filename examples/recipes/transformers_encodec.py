"""Encodec of transformers, from a configuration, in a LightningModule: sounds and their padding.

A training of Encodec, `encodec-pytorch`, has some 8 lines, `test` of `train_multi_gpu.py`: they
overwrite the same two files in each epoch, and cannot log stereo. `save_samples` of the Descript
Audio Codec's `scripts/train.py` does more in some 30. Here `validation_step` returns the
`EncodecOutput` as it is; one line finds its sound, and says where the lengths are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from tones import tones
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import EncodecConfig, EncodecFeatureExtractor, EncodecModel

from earmark_integrations.lightning import AudioMonitor

CONFIG = EncodecConfig(
    num_filters=4,
    hidden_size=16,
    codebook_dim=16,
    codebook_size=64,
    num_lstm_layers=1,
    target_bandwidths=[1.5],
    sampling_rate=24_000,
)


class Codec(pl.LightningModule):
    """A small Encodec."""

    def __init__(self) -> None:
        super().__init__()
        self.model = EncodecModel(CONFIG)

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        """Returns how far the decoded sounds are from those that were encoded."""
        decoded = self.model(**batch).audio_values
        return torch.nn.functional.l1_loss(decoded, batch["input_values"])

    def validation_step(self, batch: dict[str, Tensor]) -> Any:
        """Returns the model's own output: codes, and sounds of shape (B, C, T)."""
        return self.model(**batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Returns Adam, with the betas of the paper."""
        return torch.optim.Adam(self.parameters(), lr=3e-4, betas=(0.5, 0.9))


def collate(sounds: list[Tensor]) -> dict[str, Tensor]:
    """Pads sounds of several lengths, as transformers' feature extractor does."""
    extractor = EncodecFeatureExtractor(feature_size=1, sampling_rate=24_000)
    arrays = [sound.numpy() for sound in sounds]
    return dict(extractor(arrays, sampling_rate=24_000, return_tensors="pt"))


def length(_: Any, batch: dict[str, Tensor]) -> Tensor:
    """Returns how many samples of each sound are no padding."""
    return batch["padding_mask"].sum(-1)


def main(run_dir: str | Path = "runs/encodec") -> Codec:
    """Trains for two short epochs."""
    pl.seed_everything(0)
    codec = Codec()
    trainer = pl.Trainer(
        max_epochs=2,
        callbacks=[AudioMonitor(lengths=length, run_dir=run_dir)],
        logger=False,
        enable_checkpointing=False,
    )
    whole = tones(4, 1.0, 24_000)
    sounds: Any = [tone[: 24_000 - 3_000 * index] for index, tone in enumerate(whole)]
    loader = DataLoader(sounds, batch_size=2, collate_fn=collate)
    trainer.fit(codec, loader, loader)
    return codec


if __name__ == "__main__":
    main()
