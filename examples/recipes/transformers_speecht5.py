"""SpeechT5 of transformers, which speaks text, in a LightningModule: mels, heard by a vocoder.

A training of VITS with transformers, `finetune-hf-vits`, logs sound in some 55 lines of
`run_vits_finetuning.py`: `log_on_trackers` asks each tracker for its name, and writes to it in its
own way. In the 60 lines for Parler-TTS, `log_pred` of `training/utils.py`, the padding is heard as
well. Here one line decodes the mels of the few examples that are heard, cuts their padding, and
captions them with their texts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

import lightning.pytorch as pl
import torch
from tones import tones
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader
from torchaudio.transforms import MelSpectrogram
from transformers import (
    SpeechT5Config,
    SpeechT5ForTextToSpeech,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

from earmark_integrations.lightning import AudioMonitor

RATE, HOP = 16_000, 256
TEXTS = ["one low tone", "one that is higher", "the third", "and the last of all"]
CONFIG = SpeechT5Config(
    vocab_size=128,
    hidden_size=32,
    encoder_layers=1,
    decoder_layers=1,
    encoder_attention_heads=2,
    decoder_attention_heads=2,
    encoder_ffn_dim=64,
    decoder_ffn_dim=64,
    speaker_embedding_dim=8,
    speech_decoder_prenet_dropout=0,  # it would be on even in inference
)


class Batch(TypedDict):
    """Texts, their characters (B, N), sounds (B, T), and their mels (B, frames, 80)."""

    text: list[str]
    ids: Tensor
    audio: Tensor
    audio_lengths: Tensor
    mel: Tensor
    mel_lengths: Tensor


class Speaker(pl.LightningModule):
    """A small SpeechT5, and what makes sound of its mels: with random weights, a hiss."""

    def __init__(self) -> None:
        super().__init__()
        self.model = SpeechT5ForTextToSpeech(CONFIG)
        # Ten times the usual range: random weights that can be heard.
        config = SpeechT5HifiGanConfig(upsample_initial_channel=32, initializer_range=0.1)
        self.vocoder = SpeechT5HifiGan(config)

    def training_step(self, batch: Batch) -> Tensor:
        """Returns the model's own loss."""
        loss: Tensor = self.validation_step(batch).loss
        return loss

    def validation_step(self, batch: Batch) -> Any:
        """Returns the model's own output, a `Seq2SeqSpectrogramOutput`."""
        voices = torch.zeros(len(batch["text"]), CONFIG.speaker_embedding_dim, device=self.device)
        mask = (batch["ids"] > 0).long()
        return self.model(batch["ids"], mask, labels=batch["mel"], speaker_embeddings=voices)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Returns AdamW for all but the vocoder."""
        return torch.optim.AdamW(self.model.parameters(), lr=1e-3)


def collate(items: list[tuple[str, Tensor]]) -> Batch:
    """Pads texts and sounds to the longest; in mels, -100 is padding, as SpeechT5 has it."""
    texts, sounds = zip(*items, strict=True)
    ids = [torch.tensor(list(text.encode())) for text in texts]
    to_mel = MelSpectrogram(RATE, n_fft=1024, hop_length=HOP, n_mels=80)
    mels = [to_mel(sound).clamp(min=1e-5).log10().T[: len(sound) // HOP] for sound in sounds]
    return {
        "text": list(texts),
        "ids": pad_sequence(ids, batch_first=True),
        "audio": pad_sequence(list(sounds), batch_first=True),
        "audio_lengths": torch.tensor([len(sound) for sound in sounds]),
        "mel": pad_sequence(mels, batch_first=True, padding_value=-100),
        "mel_lengths": torch.tensor([len(mel) for mel in mels]),
    }


def main(run_dir: str | Path = "runs/speecht5") -> Speaker:
    """Trains for two short epochs."""
    pl.seed_everything(0)
    speaker = Speaker()
    monitor = AudioMonitor(
        prediction="spectrogram", decode="vocoder", lengths={"prediction": ("mel_lengths", HOP)},
        captions="{text} | epoch {epoch}", sample_rate=RATE, run_dir=run_dir,
    )  # fmt: skip
    trainer = pl.Trainer(
        max_epochs=2, callbacks=[monitor], logger=False, enable_checkpointing=False
    )
    sounds = [tone[: HOP * (60 - 8 * index)] for index, tone in enumerate(tones(4, 1.0, RATE))]
    data: Any = list(zip(TEXTS, sounds, strict=True))
    loader = DataLoader(data, batch_size=2, collate_fn=collate)
    trainer.fit(speaker, loader, loader)
    return speaker


if __name__ == "__main__":
    main()
