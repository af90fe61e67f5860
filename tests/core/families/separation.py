"""Separation, and effects."""

from __future__ import annotations

from tests.core.families.family import NOWHERE, Family

SEPARATION = [
    Family(
        "asteroid, torchaudio: (mix, sources)",
        lambda t: t(2, 2, 16000),
        lambda t: (t(2, 16000), t(2, 2, 16000)),
        {
            "input": "batch/0",
            "prediction.s1": "outputs[0]",
            "prediction.s2": "outputs[1]",
            "target.s1": "batch/1[0]",
            "target.s2": "batch/1[1]",
        },
        arguments={"stems": ["s1", "s2"]},
    ),
    Family(
        "asteroid's dict, no names given",
        lambda t: {"est_sources": t(2, 3, 16000)},
        error="write AudioMonitor(stems=['stem 1', 'stem 2', 'stem 3']); or, if the second axis "
        'holds channels, AudioMonitor(prediction="est_sources")',
    ),
    Family(
        "Demucs",
        lambda t: t(2, 4, 2, 44100),
        lambda t: t(2, 4, 2, 44100),
        {
            f"{role}.{name}": f"{place}[{index}]"
            for role, place in (("prediction", "outputs"), ("target", "batch"))
            for index, name in enumerate(("drums", "bass", "other", "vocals"))
        },
        arguments={"stems": ("drums", "bass", "other", "vocals")},
    ),
    Family(
        "stems, no names given",
        lambda t: {"mixture": t(2, 2, 44100), "pred_stems": t(2, 4, 2, 44100)},
        error="write AudioMonitor(stems=['stem 1', 'stem 2', 'stem 3', 'stem 4'])",
    ),
    Family(
        "Demucs, no names given",
        lambda t: t(2, 2, 2, 44100),
        error="write AudioMonitor(stems=['stem 1', 'stem 2'])",
    ),
    Family(
        "a dict of stems, and a batch with the mixture",
        lambda t: {"speech": t(2, 16000), "noise": t(2, 16000)},
        lambda t: {"mixture": t(2, 16000), "speech": t(2, 16000), "noise": t(2, 16000)},
        {
            "input": "batch/mixture",
            "prediction.speech": "outputs/speech",
            "prediction.noise": "outputs/noise",
            "target.speech": "batch/speech",
            "target.noise": "batch/noise",
        },
        arguments={"stems": ["speech", "noise"]},
    ),
    Family(
        "pyannote: (scores, sources (B, T, S))",
        lambda t: (t(2, 624, 3), t(2, 80000, 3)),
        error=NOWHERE.format("0"),
    ),
    Family(
        "mod_extraction",
        lambda t: (
            t(),
            {
                "dry": t(2, 1, 16000),
                "wet": t(2, 1, 16000),
                "wet_hat": t(2, 1, 16000),
                "mod_sig": t(2, 345),
            },
            {"rate_hz": t(2)},
        ),
        sounds={
            "input": "outputs/1/dry",
            "prediction": "outputs/1/wet_hat",
            "target": "outputs/1/wet",
        },
    ),
    Family(
        "RemFx: (x, y, ...)",
        lambda t: t(2, 2, 16000),
        lambda t: [t(2, 2, 16000), t(2, 2, 16000), t(2, 5), t(2, 5)],
        {"input": "batch/0", "prediction": "outputs", "target": "batch/1"},
        arguments={"selectors": {"input": 0, "target": 1}},
    ),
    Family(
        "(x, y), nothing said",
        lambda t: t(2, 2, 16000),
        lambda t: [t(2, 2, 16000), t(2, 2, 16000)],
        {"prediction": "outputs"},
        fault="say it, AudioMonitor(input=0, target=1), if that is what they are",
    ),
    Family(
        "DDSP: what it was given, and what it made of that",
        lambda t: {"audio": t(2, 64000), "f0_hz": t(2, 250, 1), "audio_synth": t(2, 64000)},
        error='say which, AudioMonitor(prediction="audio") or '
        'AudioMonitor(prediction="audio_synth")',
    ),
    Family(
        "auraloss, micro-tcn",
        lambda t: {
            "input": t(2, 1, 16000),
            "target": t(2, 1, 16000),
            "pred": t(2, 1, 16000),
            "params": t(2, 2),
        },
        sounds={"input": "outputs/input", "prediction": "outputs/pred", "target": "outputs/target"},
    ),
]
