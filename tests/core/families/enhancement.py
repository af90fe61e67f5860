"""Speech enhancement."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.core.families.family import NOWHERE, Family


class PaddedData(NamedTuple):
    """SpeechBrain's padded column, with relative lengths."""

    data: Any
    lengths: Any


ENHANCEMENT = [
    Family(
        "NeMo's enhancement",
        lambda t: (t(2, 1, 16000), t(2, dtype="int64")),
        lambda t: {
            "input_signal": t(2, 1, 16000),
            "input_length": t(2, dtype="int64"),
            "target_signal": t(2, 1, 16000),
        },
        {
            "input": "batch/input_signal",
            "prediction": "outputs/0",
            "target": "batch/target_signal",
        },
        lengths={"input": "batch/input_length", "prediction": "outputs/1"},
    ),
    Family(
        "SpeechBrain, enhancement",
        lambda t: {"enhanced": t(2, 16000)},
        lambda t: {
            "noisy_sig": PaddedData(t(2, 16000), t(2)),
            "clean_sig": PaddedData(t(2, 16000), t(2)),
        },
        {
            "input": "batch/noisy_sig/0",
            "prediction": "outputs/enhanced",
            "target": "batch/clean_sig/0",
        },
        lengths={"input": "batch/noisy_sig/1", "target": "batch/clean_sig/1"},
    ),
    Family(
        "DeepFilterNet: a spectrum",
        lambda t: (t(2, 1, 100, 481, 2), t(2, 1, 100, 32), t(2, 1)),
        error=NOWHERE.format("0"),
    ),
    Family("VoiceFixer", lambda t: {"mel": t(2, 1, 300, 128)}, error=NOWHERE.format('"mel"')),
    Family(
        "vibravox",
        lambda t: {
            "corrupted": t(2, 1, 16000),
            "enhanced": t(2, 1, 16000),
            "reference": t(2, 1, 16000),
        },
        lambda t: {"audio_body_conducted": t(2, 1, 16000), "audio_airborne": t(2, 1, 16000)},
        {
            "input": "outputs/corrupted",
            "prediction": "outputs/enhanced",
            "target": "outputs/reference",
        },
    ),
    Family(
        "vibravox, its batch",
        lambda t: t(2, 1, 16000),
        lambda t: {"audio_body_conducted": t(2, 1, 16000), "audio_airborne": t(2, 1, 16000)},
        {
            "input": "batch/audio_body_conducted",
            "prediction": "outputs",
            "target": "batch/audio_airborne",
        },
    ),
]
