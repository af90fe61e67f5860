"""Codecs: sounds, and the codes they went through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.core.families.family import Family


@dataclass
class QuantizedResult:
    """What audiocraft's codec returns."""

    x: Any
    codes: Any
    bandwidth: Any
    penalty: Any = None
    metrics: dict[str, Any] = field(default_factory=dict)


class AudioSignal:
    """audiotools' signal: a batch of sounds `(B, C, T)` with its sample rate."""

    def __init__(self, audio_data: Any, sample_rate: int) -> None:
        self.audio_data = audio_data
        self.sample_rate = sample_rate
        self.stft_data = None

    @property
    def shape(self) -> Any:
        return self.audio_data.shape


class Reconstruction(NamedTuple):
    """A codec's output with names."""

    recon: Any
    codes: Any
    commitment_loss: Any


CODECS = [
    Family(
        "DAC",
        lambda t: {
            "audio": t(2, 1, 8192),
            "z": t(2, 1024, 16),
            "codes": t(2, 9, 16, dtype="int64"),
            "latents": t(2, 72, 16),
            "vq/commitment_loss": t(),
            "vq/codebook_loss": t(),
        },
        lambda t: {"signal": AudioSignal(t(2, 1, 8192), 44_100), "transform_args": {}},
        {"prediction": "outputs/audio", "target": "batch/signal/audio_data"},
        rates={"target": 44_100},
    ),
    Family(
        "audiocraft's codec",
        lambda t: QuantizedResult(t(2, 2, 8192), t(2, 4, 25, dtype="int64"), t(2)),
        lambda t: t(2, 2, 8192),
        {"input": "batch", "prediction": "outputs/x"},
    ),
    Family(
        "audiocraft's generate stage",
        lambda t: {
            "ref_audio": t(2, 1, 8192),
            "gen_audio": t(2, 1, 8192),
            "gen_tokens": t(2, 4, 25, dtype="int64"),
            "prompt_audio": t(2, 1, 4096),
            "rtf": 0.3,
        },
        sounds={
            "input": "outputs/prompt_audio",
            "prediction": "outputs/gen_audio",
            "target": "outputs/ref_audio",
        },
    ),
    Family(
        "SNAC",
        lambda t: (t(2, 1, 8192), [t(2, 12, dtype="int64"), t(2, 24, dtype="int64")]),
        sounds={"prediction": "outputs/0"},
    ),
    Family(
        "SpeechTokenizer, xcodec",
        lambda t: (t(2, 1, 16000), t(), t(2, 768, 50)),
        sounds={"prediction": "outputs/0"},
    ),
    Family(
        "BigCodec",
        lambda t: {"gt_wav": t(2, 1, 16000), "gen_wav": t(2, 1, 16000), "vq_loss": t()},
        sounds={"prediction": "outputs/gen_wav", "target": "outputs/gt_wav"},
    ),
    Family(
        "FunCodec",
        lambda t: {"real": t(2, 1, 16000), "fake": t(2, 1, 16000), "stats": {}, "weight": t(1)},
        sounds={"prediction": "outputs/fake", "target": "outputs/real"},
    ),
    Family(
        "NeMo's codec: (audio, lengths)",
        lambda t: (t(2, 16000), t(2, dtype="int64")),
        lambda t: {"audio": t(2, 16000), "audio_lens": t(2, dtype="int64")},
        {"prediction": "outputs/0", "target": "batch/audio"},
        lengths={"prediction": "outputs/1", "target": "batch/audio_lens"},
    ),
    Family(
        "RAVE: (audio, mean or None)",
        lambda t: (t(2, 2, 16384), None),
        lambda t: t(2, 2, 8192),
        {"input": "batch", "prediction": "outputs/0"},
    ),
    Family(
        "encodec-pytorch",
        lambda t: (t(2, 2, 16000), t(1), [(t(2, 8, 75, dtype="int64"), t(2, 1))]),
        sounds={"prediction": "outputs/0"},
    ),
    Family(
        "a named tuple",
        lambda t: Reconstruction(t(2, 1, 8192), t(2, 9, 16, dtype="int64"), t()),
        sounds={"prediction": "outputs/recon"},
    ),
]
