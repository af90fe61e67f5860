"""Clip and Take: a sound in its place, what is published together, and their records."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from earmark.audio import Audio
from earmark.codec import Header
from earmark.errors import RunFormatError, StorageError
from earmark.level import Level
from earmark.names import TakeName, is_plain
from earmark.origin import FileOrigin, RemoteOrigin
from earmark.reference import leads_away

Record: TypeAlias = Mapping[str, Any]
"""A line of a run's metadata, links or index."""

_Stored: TypeAlias = type[FileOrigin] | type[RemoteOrigin]

# Strict JSON has no infinity: a silent level is a flag, and this number in the place of -inf.
_SILENCE_DBFS = -1000.0


@dataclass(frozen=True)
class Clip:
    """An `Audio` in its place.

    Its key in a run is `(tag, example, role, step)`.
    """

    audio: Audio
    """The sound; read from the run when it is asked for."""

    tag: str
    """What logged it, for example `"val"`; may be empty."""

    example: str
    """The identity of the validation item, the same in every epoch."""

    role: str
    """What it is to its example: `"input"`, `"prediction"`, `"target"`, or any name."""

    step: int
    """The training step, at which scalars logged beside it land."""

    epoch: int | None = None
    """The epoch, counted from 0, where there is one."""

    caption: str = ""
    """What to show beside it, with `note` at its end where there is one."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    """Finite numbers that were logged with it, for example `{"si_sdr": 12.5}`."""

    note: str = ""
    """What was wrong with the sound or changed in storing it; empty for nearly all clips."""

    @property
    def level(self) -> Level:
        """Peak, RMS, samples over full scale, non-finite samples, as logged."""
        return self.audio.level

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What a newer version of this clip has in common with it."""
        return self.tag, self.example, self.role, self.step

    @property
    def title(self) -> str:
        """The example and the caption, for places that show one line beside a player."""
        return f"{self.example} | {self.caption}" if self.caption else self.example


@dataclass(frozen=True)
class Take:
    """The clips of one `log` call or of one validation loop: what is published together."""

    name: TakeName
    """Step, writer, and the number of the writer's take."""

    folder: Path | str
    """Its folder: a path on this machine, or a URL."""

    clips: tuple[Clip, ...]
    """Its clips, by tag, example and role."""

    @classmethod
    def from_records(
        cls,
        takes: Path | str,
        name: TakeName,
        stored: Iterable[Record],
        links: Iterable[Record],
        wanted: Mapping[str, Any] | None = None,
    ) -> Take:
        """Make the take that records describe, reading no sound.

        Args:
            takes: The folder of all takes: a path, or a URL.
            name: The take's name.
            stored: The lines of its metadata: sounds in its own folder.
            links: The lines of its links: sounds in a folder of their own, or at a URL.
            wanted: What to keep: clips whose records hold these values.

        Raises:
            RunFormatError: If a record leads out of the run.
            LookupError: If a record lacks a field.
            TypeError: If one is of the wrong type.
        """
        # No path is made of what nobody may want: a run may hold very many clips.
        root = str(takes)
        places = [(record, f"{root}/{name}/{record['file_name']}") for record in stored]
        places += [(record, record["sound"] and f"{root}/{record['sound']}") for record in links]
        for astray in filter(None, (leads_out(record) for record, _ in places)):
            raise RunFormatError(
                f"{astray}, in the take {name} at {root!r}: earmark check says what is damaged"
            )
        fields = list((wanted or {}).items())
        origin = FileOrigin if isinstance(takes, Path) else RemoteOrigin
        clips = [
            from_record(record, file, origin)
            for record, file in places
            if all(record[field] == value for field, value in fields)
        ]
        clips.sort(key=lambda clip: (clip.tag, _natural(clip.example), clip.role))
        folder = takes / str(name) if isinstance(takes, Path) else f"{takes}/{name}"
        return cls(name, folder, tuple(clips))

    @property
    def path(self) -> Path:
        """Its folder on this machine.

        Raises:
            StorageError: If it is at a URL.
        """
        if isinstance(self.folder, str):
            raise StorageError(
                f"expected a take on this machine, got one at {self.folder!r}: its clips are read "
                "as any others, take.folder is its URL"
            )
        return self.folder

    @property
    def step(self) -> int:
        """The step of every clip in it."""
        return self.name.step

    @property
    def epoch(self) -> int | None:
        """The epoch of every clip in it, where there is one."""
        return self.clips[0].epoch if self.clips else None


def leads_out(record: Record) -> str:
    """Say what in a record leads out of its run, which may be damaged or a trap; empty if nothing.

    Args:
        record: A line of a take's metadata or links.
    """
    if "file_name" in record:
        name = record["file_name"]
        return "" if is_plain(name) else f"expected the name of a file beside it, got {name!r}"
    sound, url = record["sound"], record["url"]
    if not sound:
        return "" if leads_away(url) else f"expected a URL that leads elsewhere, got {url!r}"
    parts = str(sound).split("/")
    if len(parts) == 2 and all(map(is_plain, parts)):
        return ""
    return f"expected a URL or <folder>/<file> as a sound, got {sound!r}"


def _natural(example: str) -> tuple[int, str]:
    """Order numbers by their value, before names."""
    return (int(example), "") if example.isdecimal() else (sys.maxsize, example)


def problems(level: Level) -> str:
    """Say what is wrong with a sound of this level; empty if nothing is."""
    fine = not (level.silent or level.num_over or level.num_nonfinite)
    return "" if fine else str(level)


def to_record(clip: Clip, header: Header, level: Level) -> dict[str, Any]:
    """Describe a clip, but for the file that holds it: flat, fixed, strict JSON without nulls."""
    return {
        "tag": clip.tag,
        "example": clip.example,
        "role": clip.role,
        "step": clip.step,
        "epoch": -1 if clip.epoch is None else clip.epoch,
        "caption": clip.caption,
        "note": clip.note,
        "sample_rate": header.sample_rate,
        "num_frames": header.num_frames,
        "num_channels": header.num_channels,
        "format": header.format,
        "subtype": header.subtype,
        "peak_dbfs": _SILENCE_DBFS if level.silent else level.peak_dbfs,
        "rms_dbfs": _SILENCE_DBFS if level.silent else level.rms_dbfs,
        "silent": level.silent,
        "num_over": level.num_over,
        "num_nonfinite": level.num_nonfinite,
        "metrics": [{"name": name, "value": float(v)} for name, v in clip.metrics.items()],
    }


def from_record(record: Record, file: str, origin: _Stored = FileOrigin) -> Clip:
    """Make the clip that a record describes, reading no sound.

    Args:
        record: What `to_record` returned; unknown fields are ignored.
        file: Where its sound is stored; empty for a reference, whose URL is in the record.
        origin: Whether that is a path, or a URL.
    """
    return Clip(
        audio=_audio_of(record, file, origin),
        tag=record["tag"],
        example=record["example"],
        role=record["role"],
        step=record["step"],
        epoch=None if record["epoch"] < 0 else record["epoch"],
        caption=record["caption"],
        metrics=_metrics_of(record["metrics"]),
        note=record.get("note", ""),
    )


def _audio_of(record: Record, file: str, origin: _Stored) -> Audio:
    caption = record["caption"] or None
    if not file:
        return Audio.from_origin(
            RemoteOrigin(record["url"]), record["sample_rate"] or None, caption
        )
    header = Header(
        record["sample_rate"],
        record["num_frames"],
        record["num_channels"],
        record["format"],
        record["subtype"],
    )
    silent = record["silent"]
    level = Level(
        -math.inf if silent else record["peak_dbfs"],
        -math.inf if silent else record["rms_dbfs"],
        record["num_over"],
        record["num_nonfinite"],
    )
    return Audio.from_origin(origin(file, header), header.sample_rate, caption, level)


def _metrics_of(records: Iterable[Record]) -> dict[str, float]:
    return {record["name"]: record["value"] for record in records}
