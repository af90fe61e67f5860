"""Vocoders: what makes sounds of spectrograms."""

from __future__ import annotations

from tests.core.families.family import Family

VOCODERS = [
    Family(
        "HiFi-GAN, BigVGAN, UnivNet, PWG",
        lambda t: t(2, 1, 8192),
        lambda t: (t(2, 80, 32), t(2, 8192), ["a", "b"], t(2, 80, 32)),
        {"prediction": "outputs"},
        fault="AudioMonitor(input=1)",
    ),
    Family(
        "HiFi-GAN, the index said",
        lambda t: t(2, 1, 8192),
        lambda t: (t(2, 80, 32), t(2, 8192), ["a", "b"], t(2, 80, 32)),
        {"prediction": "outputs", "target": "batch/1"},
        arguments={"selectors": {"target": 1}},
    ),
    Family(
        "HiFi-GAN's own names",
        lambda t: {"y": t(2, 1, 8192), "y_g_hat": t(2, 1, 8192)},
        error='say which, AudioMonitor(prediction="y") or AudioMonitor(prediction="y_g_hat")',
    ),
    Family(
        "iSTFT vocoders: (spec, phase)",
        lambda t: (t(2, 9, 2048), t(2, 9, 2048)),
        error="say which, AudioMonitor(prediction=0) or AudioMonitor(prediction=1)",
    ),
    Family(
        "Vocos",
        lambda t: {
            "val_loss": t(),
            "mel_loss": t(),
            "utmos_score": t(),
            "pesq_score": t(),
            "periodicity_loss": t(),
            "pitch_loss": t(),
            "f1_score": t(),
            "audio_input": t(16384),
            "audio_pred": t(16384),
        },
        lambda t: t(2, 16384),
        {"input": "outputs/audio_input", "prediction": "outputs/audio_pred"},
    ),
    Family("WavTokenizer", lambda t: (t(2, 8192), t()), sounds={"prediction": "outputs/0"}),
]
