"""SNAC, a codec, in a plain PyTorch loop: sounds beside what is left of them.

SNAC comes without training code. The training of the codec that it is built on, the Descript Audio
Codec, logs sound in some 30 lines, `save_samples` of `scripts/train.py`: it runs the model again on
samples by their indices, and writes the originals at step 0 only, so that a resumed run has none.
Here it takes the run, and a call after the validation that there is anyway.
"""

from __future__ import annotations

from pathlib import Path

import torch
from snac import SNAC
from tones import tones
from torch.nn.functional import l1_loss

import earmark

EPOCHS = 3


def small_codec() -> SNAC:
    """Returns a SNAC of three codebooks at 24 kHz, with random weights."""
    return SNAC(
        sampling_rate=24_000,
        encoder_dim=8,
        encoder_rates=[2, 4, 8, 8],
        decoder_dim=64,
        decoder_rates=[8, 8, 4, 2],
        attn_window_size=16,
        codebook_size=64,
        codebook_dim=4,
        vq_strides=[4, 2, 1],
        noise=False,
    )


def main(run_dir: str | Path = "runs/snac") -> SNAC:
    """Trains for three short epochs."""
    torch.manual_seed(0)
    codec = small_codec()
    optimizer = torch.optim.AdamW(codec.parameters(), lr=1e-3)
    sounds = tones(6, 1.0, codec.sampling_rate)[:, None]
    training, validation = sounds[2:], sounds[:2]

    with earmark.Run(run_dir, schedule=earmark.every_n_epochs(2)) as run:
        for epoch in range(EPOCHS):
            codec.train()
            for batch in training.split(2):
                decoded, _ = codec(batch)
                loss = l1_loss(decoded, batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

            codec.eval()
            with torch.no_grad():
                decoded, codes = codec(validation)
            used = [len(codebook.unique()) for codebook in codes]
            print(f"epoch {epoch}: loss {l1_loss(decoded, validation):.3f}, codes used {used}")
            if run.due(epoch=epoch, final=epoch == EPOCHS - 1):
                sounds_of = {"input": validation, "prediction": decoded}
                run.log_batch(sounds_of, epoch=epoch, tag="val", sample_rate=codec.sampling_rate)
    return codec


if __name__ == "__main__":
    main()
