"""Sender: takes of a local run, put into a bucket: the sounds first, the records last.

A take is there if and only if its last record is. Whatever stops the sending can be gone on from.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from earmark.clip import Record
from earmark.disk import json_line, json_lines
from earmark.folder import README, judge_run
from earmark.names import (
    FAULTS,
    INDEX,
    LINKS,
    MARKS,
    METADATA,
    RUN_FILE,
    SENT,
    TAKES,
    WRITERS,
    TakeName,
)
from earmark.records import parse_lines, read_records
from earmark.upload.bucket import Bucket
from earmark.upload.segments import Growing, Segments

_FROM_SOUND = ("format", "subtype")
"""What a link says of how its sound is stored."""


@dataclass(frozen=True)
class Found:
    """What is at a URL already, as far as one needs it to write there."""

    files: Mapping[str, bytes]
    """The run's file, and those of its writers, by path; empty where there is no run."""

    takes: list[TakeName]
    """The takes, complete or not."""

    @classmethod
    def at(cls, bucket: Bucket) -> Found:
        """Look.

        Raises:
            RunFormatError: If there is a run of a later major format, or its file is broken.
            StorageError: If the place cannot be read.
            RemoteError: If it does not answer.
        """
        run = bucket.read(RUN_FILE)
        if run is None:
            return cls({}, [])
        judge_run(run, bucket.url)
        writers = (f"{WRITERS}/{name}" for name in bucket.sizes(WRITERS) if name.endswith(".json"))
        read = bucket.read_all(writers)
        takes = (TakeName.parse(name) for name in bucket.sizes(TAKES))
        return cls(
            {RUN_FILE: run} | read,
            [name for name in takes if name is not None],
        )


@dataclass
class Sender:
    """Puts what a local run holds into a bucket. One thread may use it at a time."""

    bucket: Bucket
    root: Path
    """The local run's directory."""

    segments: Segments
    _references: dict[str, Record] = field(default_factory=dict[str, Record])
    """The record of every sound stored once that is known to be there."""
    _growing: dict[str, Growing] = field(default_factory=dict[str, Growing])
    _begun: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """The descriptions of the writers that began here, by path."""

    def begin(self) -> None:
        """Put what a run begins with, where it is not there yet.

        Raises:
            RunFormatError: If there is a run of a later major format, or its file is broken.
        """
        run = self.bucket.read(RUN_FILE)
        if run is None:
            self.bucket.put(RUN_FILE, (self.root / RUN_FILE).read_bytes())
        else:
            judge_run(run, self.bucket.url)
        if README not in self.bucket.sizes(""):
            self.bucket.put(README, (self.root / README).read_bytes())
        there = self.bucket.sizes(WRITERS)
        for file in sorted((self.root / WRITERS).glob("[!.]*.json")):
            if file.name not in there:
                path, description = f"{WRITERS}/{file.name}", file.read_bytes()
                self.bucket.put(path, description)
                self._begun[path] = description

    def close(self) -> None:
        """Note that the writers which began here have ended, for whoever opens the run next."""
        for path, description in list(self._begun.items()):
            closed = json.loads(description) | {"closed_at": time.time()}
            self.bucket.put(path, json.dumps(closed, indent=1).encode())
            del self._begun[path]

    def send(self, name: TakeName, *, look: bool) -> bool:
        """Put a take, after what it links to.

        Args:
            name: The take.
            look: Whether some of it may be there already.

        Returns:
            Whether anything had to be put; `False` also for a take that is not here any more.
        """
        folder = self.root / TAKES / str(name)
        records = read_records(folder)
        if records is None:
            return False
        links = [self._sent_link(link) for link in records["links"]]
        files = {LINKS: json_lines(links), METADATA: json_lines(records["clips"])}
        sent = self._put_folder(
            folder, {file: files[file] for file in files if files[file]}, look=look
        )
        line = json_line({"take": str(name), "clips": records["clips"], "links": links})
        self.segments.add(name.writer, str(name), line)
        return sent

    def send_notes(self, *, all_of_them: bool) -> None:
        """Put the index, and what was noted of faults, marks and sinks, so far as it has grown.

        Args:
            all_of_them: Whether to put everything that has changed at all.
        """
        for file, data in self.segments.due(all_of_them=all_of_them):
            self.bucket.put(f"{INDEX}/{file}", data)
        for path in self._notes():
            data = (self.root / path).read_bytes()
            growing = self._growing.setdefault(path, Growing())
            if growing.is_due(len(data), all_of_it=all_of_them):
                self.bucket.put(path, data)
                growing.told = len(data)

    def _notes(self) -> Iterator[str]:
        for folder in (FAULTS, MARKS, SENT):
            for file in sorted((self.root / folder).glob("[!.]*.jsonl")):
                yield f"{folder}/{file.name}"

    def _sent_link(self, link: Record) -> Record:
        """The link as it is true there: another writer may have stored the same sound otherwise."""
        if link["url"]:
            return link
        name = PurePosixPath(link["sound"]).parts[0]
        if name not in self._references:
            self._references[name] = self._send_reference(name)
        sound = self._references[name]
        stored = {key: sound[key] for key in _FROM_SOUND}
        return {**link, "sound": f"{name}/{sound['file_name']}", **stored}

    def _send_reference(self, name: str) -> Record:
        there = _first_record(self.bucket.read(f"{TAKES}/{name}/{METADATA}"))
        if there is not None:
            return there
        data = (self.root / TAKES / name / METADATA).read_bytes()
        self._put_folder(self.root / TAKES / name, {METADATA: data}, look=False)
        record: Record = json.loads(data)
        return record

    def _put_folder(self, folder: Path, records: Mapping[str, bytes], *, look: bool) -> bool:
        place = f"{TAKES}/{folder.name}"
        there = self.bucket.sizes(place) if look else {}
        last = list(records)[-1]
        if there.get(last) == len(records[last]):
            return False
        sounds = [file for file in _sounds(folder) if there.get(file.name) != file.stat().st_size]
        self.bucket.put_files({f"{place}/{file.name}": file for file in sounds})
        for file, data in records.items():
            self.bucket.put(f"{place}/{file}", data)
        return True


def _sounds(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.glob("[!.]*")) if file.name not in (METADATA, LINKS)]


def _first_record(data: bytes | None) -> dict[str, Any] | None:
    records = parse_lines(data or b"")
    whole = len(records) == 1 and records[0] is not None and "file_name" in records[0]
    return dict(records[0] or {}) if whole else None
