"""Speech synthesis and voice conversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.core.families.family import NOWHERE, Family


@dataclass
class ShallowDiffusionOutput:
    """What DiffSinger's acoustic model returns."""

    aux_out: Any
    diff_out: Any


SPEECH = [
    Family(
        "VITS, inference",
        lambda t: (t(2, 1, 8192), t(2, 1, 32, 20), t(2, 1, 32), (t(2, 192, 32), t(2, 192, 32))),
        sounds={"prediction": "outputs/0"},
    ),
    Family(
        "VITS, training step",
        lambda t: {
            "y_hat": t(2, 1, 8192),
            "y": t(2, 1, 8192),
            "l_length": t(2),
            "attn": t(2, 1, 9, 9),
        },
        lambda t: {"x": t(2, 40, dtype="int64"), "wav": t(2, 1, 40000), "spec": t(2, 513, 156)},
        {"input": "batch/wav", "prediction": "outputs/y_hat", "target": "outputs/y"},
    ),
    Family(
        "so-vits-svc, RVC: (audio, where the segments begin, ...)",
        lambda t: (t(2, 1, 8192), t(2, dtype="int64"), t(2, 1, 200), t(2, 1, 200), (t(2, 192, 9),)),
        sounds={"prediction": "outputs/0"},
    ),
    Family(
        "coqui: one output for each optimizer",
        lambda t: [None, {"model_outputs": t(2, 1, 8192), "waveform_seg": t(2, 1, 8192)}],
        sounds={"prediction": "outputs/1/model_outputs", "target": "outputs/1/waveform_seg"},
    ),
    Family(
        "Matcha",
        lambda t: {
            "encoder_outputs": t(2, 80, 40),
            "decoder_outputs": t(2, 80, 200),
            "attn": t(2, 40, 200),
            "mel": t(2, 80, 200),
            "mel_lengths": t(2),
            "rtf": 0.1,
        },
        error=NOWHERE.format('"mel"'),
    ),
    Family(
        "Matcha, decoded",
        lambda t: {"decoder_outputs": t(2, 80, 200), "mel": t(2, 80, 200), "rtf": 0.1},
        sounds={"prediction": "outputs/mel"},
        arguments={"selectors": {"prediction": "mel"}, "decoded": ("prediction",)},
    ),
    Family(
        "F5-TTS: (mel, trajectory)",
        lambda t: (t(2, 300, 100), t(32, 2, 300, 100)),
        error=NOWHERE.format("0"),
    ),
    Family(
        "DiffSinger",
        lambda t: ShallowDiffusionOutput(t(2, 300, 128), t(2, 300, 128)),
        error=NOWHERE.format('"aux_out"'),
    ),
    Family(
        "FastPitch",
        lambda t: (t(2, 80, 300), t(2, dtype="int64"), t(2, 300), t(2, 40), t(2, 40)),
        error=NOWHERE.format("0"),
    ),
    Family(
        "Tacotron, a long text: (mel, postnet's mel, stop, attention)",
        lambda t: (t(2, 80, 1300), t(2, 80, 1300), t(2, 1300), t(2, 1300, 40)),
        error=NOWHERE.format("0"),
    ),
    Family(
        "NeMo's spectrograms: (mel, lengths)",
        lambda t: (t(2, 80, 1300), t(2, dtype="int64")),
        error=NOWHERE.format("0"),
    ),
    Family(
        "SpeechT5, before its vocoder",
        lambda t: {
            "spectrogram": t(2, 300, 80),
            "past_key_values": ((t(2, 12, 300, 64),),),
            "encoder_last_hidden_state": t(2, 40, 768),
        },
        error=NOWHERE.format('"spectrogram"'),
    ),
    Family(
        "Qwen-TTS: (sounds of their own lengths, sample rate)",
        lambda t: ([t(48000), t(30000)], 24_000),
        sounds={"prediction": "outputs/0"},
        rates={"prediction": 24_000},
    ),
    Family(
        "parler-tts",
        lambda t: {"sequences": t(2, 44100), "audios_length": [44100, 30000]},
        sounds={"prediction": "outputs/sequences"},
        lengths={"prediction": "outputs/audios_length"},
    ),
    Family(
        "SpeechT5: (waveforms, lengths)",
        lambda t: (t(2, 16000), [16000, 9000]),
        sounds={"prediction": "outputs/0"},
        lengths={"prediction": "outputs/1"},
    ),
    Family(
        "Magpie",
        lambda t: (
            t(2, 22050),
            t(2, dtype="int64"),
            t(2, 8, 43, dtype="int64"),
            t(2, dtype="int64"),
        ),
        sounds={"prediction": "outputs/0"},
        lengths={"prediction": "outputs/1"},
    ),
    Family(
        "Bark: sounds of their own lengths",
        lambda t: [t(24000), t(18000)],
        sounds={"prediction": "outputs"},
    ),
]
