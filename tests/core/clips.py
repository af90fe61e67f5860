"""Clips to publish, and what has become of them on the disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import soundfile

from earmark import Audio, Clip
from earmark.clip import Take
from earmark.samples import Samples
from earmark.writer import Writer


def clip(
    sound: Any, role: str = "prediction", sample_rate: int | None = 16_000, **place: Any
) -> Clip:
    """A clip of the validation at step 7."""
    where: dict[str, Any] = {"tag": "val", "example": "utt", "step": 7} | place
    audio = sound if isinstance(sound, Audio) else Audio(sound, sample_rate)
    return Clip(audio, role=role, **where)


def publish(writer: Writer, step: int, clips: Iterable[Clip]) -> Take:
    """Publish at least one clip."""
    take = writer.publish(step, clips)
    assert take is not None
    return take


def stored(folder: Path) -> tuple[Path, Samples, Mapping[str, Any]]:
    """The one sound in a folder, as soundfile reads it, and its record."""
    (record,) = records_in(folder / "metadata.jsonl")
    file = folder / record["file_name"]
    samples, sample_rate = soundfile.read(file, dtype="float32", always_2d=True)
    assert sample_rate == record["sample_rate"]
    return file, np.asarray(samples, np.float32), record


def records_in(file: Path) -> list[dict[str, Any]]:
    """The lines of a file, read by a strict JSON parser."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    text = file.read_text(encoding="utf-8")
    return [json.loads(line, parse_constant=refuse) for line in text.split("\n") if line]


def folders(run: Path) -> list[str]:
    """Everything in the folder of takes, leftovers too."""
    return sorted(path.name for path in (run / "takes").iterdir())
