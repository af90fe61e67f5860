"""Music and sounds of any kind, generated; rows of datasets."""

from __future__ import annotations

from typing import Any

from tests.core.families.family import Family


class AudioPipelineOutput(dict[str, Any]):
    """diffusers' output: an ordered dict whose entries are attributes as well."""

    @property
    def audios(self) -> Any:
        return self["audios"]


GENERATION = [
    Family(
        "stable-audio-tools",
        lambda t: t(2, 2, 65536),
        lambda t: (t(2, 2, 65536), [{"prompt": "rain"}, {"prompt": "wind"}]),
        {"prediction": "outputs", "target": "batch/0"},
        arguments={"selectors": {"target": 0}},
    ),
    Family(
        "diffusers",
        lambda t: AudioPipelineOutput(audios=t(2, 1, 65536)),
        sounds={"prediction": "outputs/audios"},
    ),
    Family(
        "ACE-Step",
        lambda t: {
            "target_wavs": [t(2, 48000), t(2, 48000)],
            "pred_wavs": [t(2, 48000), t(2, 48000)],
            "keys": ["a", "b"],
            "prompts": ["rain", "wind"],
            "sr": 48_000,
            "seeds": [1, 2],
        },
        sounds={"prediction": "outputs/pred_wavs", "target": "outputs/target_wavs"},
        rates={"prediction": 48_000, "target": 48_000},
    ),
    Family(
        "a row of datasets, collated as a list",
        lambda t: {"prediction": t(2, 16000), "sampling_rate": 48_000},
        lambda t: {"audio": [{"array": t(9000), "sampling_rate": 16_000}], "text": ["a"]},
        {"prediction": "outputs/prediction", "target": "batch/audio/0/array"},
        rates={"prediction": 48_000},
    ),
    Family(
        "rows of datasets, collated as tensors",
        lambda t: t(2, 16000),
        lambda t: {
            "audio": {
                "array": t(2, 16000),
                "sampling_rate": t(2, dtype="int64"),
                "path": ["a", "b"],
            }
        },
        {"prediction": "outputs", "target": "batch/audio/array"},
    ),
]
