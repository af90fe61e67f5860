"""Writer: one opening of a run for writing, by one process. It publishes takes.

    clips --> .tmp-<take>/ sounds, links, metadata, fsynced --> one rename --> <take>/ --> index

Every file belongs to one writer, so writers share nothing and need no locks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import shutil
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from earmark.audio import Audio
from earmark.blocks import Blocks
from earmark.clip import Clip, Take, to_record
from earmark.codec import Header, choose, encode, kept_suffix
from earmark.disk import (
    DurableFile,
    append_line,
    fingerprint,
    json_line,
    json_lines,
    publish_folder,
    write_durably,
    write_new,
    write_over,
)
from earmark.errors import ArgumentError, RunFormatError
from earmark.folder import create_run, read_writers
from earmark.job import this_job
from earmark.leftovers import this_process
from earmark.level import Level
from earmark.names import (
    FAULTS,
    INDEX,
    LINKS,
    METADATA,
    TAKES,
    TEMPORARY,
    WRITERS,
    TakeName,
    new_writer_id,
    reference_name,
    safe_name,
    safe_role,
)
from earmark.origin import BlocksOrigin, BytesOrigin, FileOrigin, RemoteOrigin, digest
from earmark.records import read_records
from earmark.store import take_names
from earmark.version import __version__

STORED_ONCE = frozenset({"input", "target"})
"""Roles whose sound seldom changes: stored once for each content, and linked to from takes.

Their stems, such as `target.vocals`, are stored once as well.
"""


_MOST_FAULTS = 10_000
"""How many faults are remembered until a disk takes them again."""


class Writer:
    """One opening of a run for writing.

    Args:
        root: The run's directory; made if there is none.
        config: What to remember of the training job; anything JSON holds.
        bit_depth: 16 or 24 to store FLAC at that depth; None for the smallest that holds the sound.

    Raises:
        RunFormatError: If the directory is a run of a later major format, or a folder of runs.
        ArgumentError: If the bit depth is none of these, or the config is not what JSON holds.
        OSError: If the directory cannot be written.
    """

    def __init__(
        self, root: Path, *, config: Mapping[str, Any] | None = None, bit_depth: int | None = None
    ) -> None:
        self.root = root
        self.id = new_writer_id()
        self._bit_depth = _checked_bit_depth(bit_depth)
        self._number = 0
        self._references: dict[str, dict[str, Any]] = {}
        self._faults: deque[str] = deque(maxlen=_MOST_FAULTS)
        remembered = _checked_config(config)
        create_run(root)
        self._older = take_names(root)
        self._description = _describe(self, remembered)
        write_new(self._file, _as_json(self._description))

    def publish(self, step: int, clips: Iterable[Clip]) -> Take | None:
        """Publish clips of one step, all or nothing.

        Args:
            step: The step of every clip.
            clips: Taken one by one, so that only one of them need be in memory.

        Returns:
            The take, its clips read back from where they are stored; `None` if there are none.

        Raises:
            OSError: If the disk refuses; nothing is left behind, and it may be tried again.
        """
        name = TakeName(step, self.id, self._number)
        self._number += 1  # whatever comes of it, no later take has this name
        final = self.root / TAKES / str(name)
        temporary = final.with_name(f"{TEMPORARY}{name}")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            temporary.mkdir()
            stored, links = self._write_take(temporary, clips)
            if not stored and not links:
                temporary.rmdir()
                return None
            publish_folder(temporary, final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        self._note_faults()
        line = json_line({"take": str(name), "clips": stored, "links": links})
        with contextlib.suppress(OSError):  # the index is a cache: readers see the take without it
            append_line(self.root / INDEX / f"{self.id}.jsonl", line)
        return Take.from_records(final.parent, name, stored, links)

    def close(self) -> None:
        """Note that this writer has ended, for whoever opens the run next."""
        self._note_faults()
        with contextlib.suppress(OSError):  # then it is known by its process
            write_over(self._file, _as_json(self._description | {"closed_at": time.time()}))

    @property
    def _file(self) -> Path:
        return self.root / WRITERS / f"{self.id}.json"

    def note_fault(self, lost: str, why: str) -> None:
        """Note what was lost and why, for whoever looks into the run later."""
        self._faults.append(json_line({"time": time.time(), "lost": lost, "why": why}))
        self._note_faults()

    def _note_faults(self) -> None:
        while self._faults:
            with contextlib.suppress(IndexError):  # another thread, of a sink, has noted it
                line = self._faults.popleft()
                try:
                    (self.root / FAULTS).mkdir(exist_ok=True)
                    append_line(self.root / FAULTS / f"{self.id}.jsonl", line)
                except OSError:  # the disk may be what is at fault: later, then
                    self._faults.appendleft(line)
                    return

    def older_keys(self, step: int) -> Iterator[set[tuple[str, str, str, int]]]:
        """The keys of the clips of each take that earlier writers have published at a step."""
        for name in self._older:
            if name.step == step:
                yield _keys(self.root / TAKES, name)

    def _write_take(
        self, folder: Path, clips: Iterable[Clip]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        stored: list[dict[str, Any]] = []
        links: list[dict[str, Any]] = []
        taken: set[str] = set()
        for clip in clips:
            if isinstance(clip.audio.origin, RemoteOrigin):
                links.append(_link_to_url(clip))
            elif clip.role.partition(".")[0] in STORED_ONCE:
                links.append(self._link_to_reference(clip))
            else:
                stem = _free_stem(taken, f"{safe_name(clip.example)}.{safe_role(clip.role)}")
                stored.append(self._write_sound(folder, stem, clip))
        if links:
            write_durably(folder / LINKS, json_lines(links))
        if stored:
            write_durably(folder / METADATA, json_lines(stored))
        return stored, links

    def _link_to_reference(self, clip: Clip) -> dict[str, Any]:
        content = f"{digest(_samples(clip.audio))}@{clip.audio.sample_rate}"
        name = reference_name(clip.example, clip.role, hashlib.sha256(content.encode()).hexdigest())
        # Somebody may have pruned the run since, or put back an older one.
        if name not in self._references or not (self.root / TAKES / name).is_dir():
            self._references[name] = self._stored_reference(name, clip)
        sound = self._references[name]
        header = Header(
            *(sound[key] for key in ("sample_rate", "num_frames", "num_channels")),
            *(sound[key] for key in ("format", "subtype")),
        )
        link = {"sound": f"{name}/{sound['file_name']}", "url": ""}
        return link | to_record(clip, header, clip.level)

    def _stored_reference(self, name: str, clip: Clip) -> dict[str, Any]:
        final = self.root / TAKES / name
        if not final.is_dir():
            temporary = final.with_name(f"{TEMPORARY}{self.id}.{name}")
            shutil.rmtree(temporary, ignore_errors=True)
            try:
                temporary.mkdir()
                sound = self._write_sound(temporary, safe_role(clip.role), clip)
                write_durably(temporary / METADATA, json_lines([sound]))
                if publish_folder(temporary, final):
                    return sound
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return _read_reference(final)

    def _write_sound(self, folder: Path, stem: str, clip: Clip) -> dict[str, Any]:
        kept = _kept(clip.audio)
        if kept is None:
            file, header = _write_encoded(folder, stem, clip, self._bit_depth)
        else:
            data, header, suffix = kept
            file = folder / f"{stem}{suffix}"
            write_durably(file, data)
        num_bytes, sha256 = fingerprint(file)
        return {
            "file_name": file.name,
            **to_record(clip, header, clip.level),
            "num_bytes": num_bytes,
            "sha256": sha256,
        }


def _keys(takes: Path, name: TakeName) -> set[tuple[str, str, str, int]]:
    try:
        records = read_records(takes / str(name)) or {"clips": [], "links": []}
        take = Take.from_records(takes, name, records["clips"], records["links"])
    except (OSError, RunFormatError, LookupError, TypeError):  # deleted or damaged since
        return set()
    return {clip.key for clip in take.clips}


def _read_reference(folder: Path) -> dict[str, Any]:
    records = read_records(folder)
    if records is None or not records["clips"]:
        raise RunFormatError(
            f"expected a sound and its record in {str(folder)!r}, got neither: delete the folder, "
            "and the sound is stored anew"
        )
    return dict(records["clips"][0])


def _kept(audio: Audio) -> tuple[bytes, Header, str] | None:
    origin = audio.origin
    if not isinstance(origin, FileOrigin | BytesOrigin):
        return None
    suffix = kept_suffix(origin.header)
    if suffix is None:
        return None
    data = origin.data if isinstance(origin, BytesOrigin) else origin.read_encoded()
    return data, origin.header, suffix


def _write_encoded(
    folder: Path, stem: str, clip: Clip, bit_depth: int | None
) -> tuple[Path, Header]:
    samples, rate = _samples(clip.audio), clip.audio.sample_rate
    if clip.level.num_nonfinite:
        samples = replace(samples, finite=True)
    encoding = choose(samples, rate, bit_depth, over=clip.level.num_over > 0)
    path = folder / f"{stem}{encoding.suffix}"
    # libsndfile passes over a disk that fills up while it writes the last block.
    with DurableFile(path) as file:
        encode(file, samples, rate, encoding)
    return path, Header(rate, *samples.shape, encoding.format, encoding.subtype)


def _samples(audio: Audio) -> Blocks:
    origin = audio.origin
    return origin.blocks if isinstance(origin, BlocksOrigin) else Blocks(audio.samples)


def _link_to_url(clip: Clip) -> dict[str, Any]:
    unheard = Header(clip.audio.sample_rates([clip.audio])[0] or 0, 0, 0, "", "")
    link = {"sound": "", "url": clip.audio.resolve_ref()}
    return link | to_record(clip, unheard, Level(0.0, 0.0))


def _free_stem(taken: set[str], stem: str) -> str:
    free, count = stem, 1
    while free in taken:
        count += 1
        free = f"{stem}-{count}"
    taken.add(free)
    return free


def _describe(writer: Writer, config: Mapping[str, Any]) -> dict[str, Any]:
    job = this_job()
    before = [known["id"] for known in read_writers(writer.root) if known.get("rank") == job.rank]
    return {
        "id": writer.id,
        "started_at": time.time(),
        **this_process(),
        "job": job.name,
        "rank": job.rank,
        "world_size": job.world_size,
        "resumed_from": before[-1] if before else "",
        "versions": {
            "earmark": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "soundfile": soundfile.__version__,
        },
        "config": config,
    }


def _as_json(description: Mapping[str, Any]) -> bytes:
    return json.dumps(description, indent=1).encode()


def _checked_bit_depth(bit_depth: int | None) -> int | None:
    if bit_depth not in (None, 16, 24):
        raise ArgumentError(
            f"expected bit_depth to be 16, 24 or None, got {bit_depth!r}: leave it out for the "
            "smallest that holds each sound"
        )
    return bit_depth


def _checked_config(config: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(config or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"expected a config of what JSON holds, got {config!r}: {error}; pass plain numbers, "
            "texts, lists and dicts, such as vars(args)"
        ) from error
    return plain
