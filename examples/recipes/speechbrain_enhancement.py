"""Conv-TasNet of SpeechBrain, which takes noise off speech, in a `Brain`: its padded batches.

SpeechBrain's recipes log sound in 25 to 60 lines each. That of its vocoder, `run_inference_sample`
of `recipes/LJSpeech/TTS/vocoder/hifigan/train.py`, takes the batch that happens to be the last,
copies the generator, and writes files at 22050 Hz whatever the rate. Here a call stands where the
`Brain` has evaluated a batch, and takes the relative lengths that SpeechBrain counts in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from speechbrain.core import Brain, Stage
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.lobes.models.conv_tasnet import MaskNet
from speechbrain.lobes.models.dual_path import Decoder, Encoder
from tones import tones
from torch import Tensor
from torch.nn.functional import l1_loss
from torch.utils.data import DataLoader

import earmark

RATE = 8_000


class Enhancement(Brain):  # type: ignore[misc]  # SpeechBrain ships no types
    """A small Conv-TasNet with one source; it may as well be read from a recipe's YAML.

    Args:
        run: Where the sounds go.
    """

    def __init__(self, run: earmark.Run) -> None:
        modules = {
            "encoder": Encoder(kernel_size=16, out_channels=32),
            "masks": MaskNet(N=32, B=16, H=32, P=3, X=3, R=1, C=1, norm_type="gLN", causal=False),
            "decoder": Decoder(32, 1, kernel_size=16, stride=8, bias=False),
        }
        super().__init__(modules, lambda parameters: torch.optim.Adam(parameters, lr=1e-3))
        self.run = run

    def compute_forward(self, batch: Any, stage: Stage) -> Tensor:
        """Returns the sounds without noise, (B, T)."""
        modules: Any = self.modules
        encoded = modules.encoder(batch.noisy.data)
        enhanced: Tensor = modules.decoder(encoded * modules.masks(encoded)[0])
        return enhanced

    def compute_objectives(self, predictions: Tensor, batch: Any, stage: Stage) -> Tensor:
        """Returns how far they are from the clean ones."""
        return l1_loss(predictions, batch.clean.data)

    def evaluate_batch(self, batch: Any, stage: Stage) -> Tensor:
        """Returns the loss of a batch, and keeps what has been made of it."""
        enhanced = self.compute_forward(batch, stage)
        sounds = {"input": batch.noisy.data, "prediction": enhanced, "target": batch.clean.data}
        self.run.log_batch(
            sounds, step=self.step_of_optimizer, tag="val", sample_rate=RATE,
            lengths=batch.clean.lengths, examples=batch.id,
        )  # fmt: skip
        return self.compute_objectives(enhanced, batch, stage).detach()

    @property
    def step_of_optimizer(self) -> int:
        """How often the weights have been changed."""
        return int(self.optimizer_step)


def loader(count: int) -> DataLoader[Any]:
    """Returns batches of two recordings of several lengths, in hiss."""
    generator = torch.Generator().manual_seed(0)
    items: Any = []
    for index, tone in enumerate(tones(count, 1.0, RATE)):
        clean = tone[: RATE - 1_000 * index]
        noisy = clean + 0.05 * torch.randn(len(clean), generator=generator)
        items.append({"id": f"tone-{index}", "clean": clean, "noisy": noisy})
    return DataLoader(items, batch_size=2, collate_fn=PaddedBatch)


def main(run_dir: str | Path = "runs/speechbrain") -> Enhancement:
    """Trains for two short epochs."""
    torch.manual_seed(0)
    with earmark.Run(run_dir) as run:
        enhancement = Enhancement(run)
        enhancement.fit(range(1, 3), loader(4), loader(4), progressbar=False)
    return enhancement


if __name__ == "__main__":
    main()
