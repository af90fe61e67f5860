"""Push source: the takes of a run, in order and as files of this machine, wherever the run is."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from earmark.clip import Record, Take
from earmark.cursor import sent_to, takes_given
from earmark.errors import EarmarkWarning, RunNotFoundError
from earmark.folder import read_writers
from earmark.names import INDEX, LINKS, METADATA, SENT, TAKES
from earmark.records import parse_lines
from earmark.store import RunStore, open_run
from earmark.upload.bucket import Bucket
from earmark.upload.sender import Found


class PushSource(Protocol):
    """A run that is passed on to a sink."""

    def names(self) -> list[str]:
        """The names of its takes, by step."""
        ...

    def given(self, sink: str, target: str) -> set[str]:
        """The names of the takes that a sink was given, at a target if one is named."""
        ...

    def takes(self, names: Iterable[str], *, sounds: bool) -> Iterator[Take]:
        """The takes of these names, in their order; their files are there until the next one.

        Args:
            names: Some of `names()`.
            sounds: Whether the files are needed at all.
        """
        ...

    def keep(self, cursor: str) -> None:
        """Keep the file of this name in which it was noted what a sink was given."""
        ...


@contextmanager
def open_source(place: Path | str) -> Generator[PushSource]:
    """Open a run to pass it on.

    Args:
        place: A directory, or a URL.

    Raises:
        RunNotFoundError: If there is no run.
        RunFormatError: If it is of a later major format.
        MissingDependencyError: If the URL needs a package that is not installed.
    """
    if isinstance(place, Path):
        yield _Local(open_run(place))
        return
    with tempfile.TemporaryDirectory() as folder:
        yield _Remote(Bucket(place), Path(folder))


class _Local:
    def __init__(self, run: RunStore) -> None:
        self._run = run

    def names(self) -> list[str]:
        """The names of all takes, in order."""
        return [str(take.name) for take in self._run.takes()]

    def given(self, sink: str, target: str) -> set[str]:
        """The names of the takes that a sink was given, at a target if one is named."""
        return sent_to(Path(self._run.path), sink, target)

    def takes(self, names: Iterable[str], *, sounds: bool) -> Iterator[Take]:
        """Give the takes of these names, without clips whose sound is asked for and gone."""
        wanted = set(names)
        found = (take for take in self._run.takes() if str(take.name) in wanted)
        return map(_without_missing, found) if sounds else found

    def keep(self, cursor: str) -> None:
        """Do nothing: it is in the run."""


def _without_missing(take: Take) -> Take:
    # One that is lost must not keep all later takes from a tracker.
    there = [clip for clip in take.clips if clip.audio.path is None or clip.audio.path.is_file()]
    missing = len(take.clips) - len(there)
    if missing:
        warnings.warn(
            f"earmark: {missing} of {len(take.clips)} sounds of the take {take.name} are missing "
            "and not sent: earmark check says which",
            EarmarkWarning,
            stacklevel=2,
        )
    return replace(take, clips=tuple(there))


class _Remote:
    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self._folder = folder
        found = Found.at(bucket)
        if not found.files:
            raise RunNotFoundError(f"expected a run at {bucket.url!r}, got none: check the URL")
        for path, data in found.files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(data)
        age = {writer["id"]: age for age, writer in enumerate(read_writers(folder))}
        self._names = sorted(found.takes, key=lambda n: (n.step, age.get(n.writer, -1), n.number))
        self._index = dict(self._indexed())

    def _indexed(self) -> Iterator[tuple[str, Record]]:
        for file in self._bucket.sizes(INDEX):
            for line in parse_lines(self._bucket.read(f"{INDEX}/{file}") or b""):
                if line is not None and {"take", "clips", "links"} <= line.keys():
                    yield str(line["take"]), line

    def names(self) -> list[str]:
        """The names of all takes, in order."""
        return [str(name) for name in self._names]

    def given(self, sink: str, target: str) -> set[str]:
        """The names of the takes that a sink was given, at a target if one is named."""
        files = self._bucket.sizes(SENT)
        return takes_given(
            files, lambda file: self._bucket.read(f"{SENT}/{file}") or b"", sink, target
        )

    def takes(self, names: Iterable[str], *, sounds: bool) -> Iterator[Take]:
        """Give the takes of these names."""
        wanted = set(names)
        for name in self._names:
            line = self._records(str(name)) if str(name) in wanted else None
            if line is None:
                continue
            # Made before anything is fetched: it refuses records that lead out of the folder.
            take = Take.from_records(self._folder / TAKES, name, line["clips"], line["links"])
            if sounds:
                self._bucket.fetch(self._missing(str(name), line), self._folder)
            yield take
            shutil.rmtree(self._folder / TAKES / str(name), ignore_errors=True)

    def _missing(self, name: str, line: Record) -> list[str]:
        paths = [f"{TAKES}/{name}/{clip['file_name']}" for clip in line["clips"]]
        paths += [f"{TAKES}/{link['sound']}" for link in line["links"] if link["sound"]]
        return [path for path in dict.fromkeys(paths) if not (self._folder / path).exists()]

    def _records(self, name: str) -> Record | None:
        if name in self._index:
            return self._index[name]
        names = self._bucket.sizes(f"{TAKES}/{name}").keys()
        if METADATA not in names and names != {LINKS}:  # its writer has not finished it
            return None
        clips, links = (
            [
                line
                for line in parse_lines(self._bucket.read(f"{TAKES}/{name}/{file}") or b"")
                if line is not None
            ]
            for file in (METADATA, LINKS)
        )
        return {"take": name, "clips": clips, "links": links}

    def keep(self, cursor: str) -> None:
        """Put a cursor into the run, for whoever pushes next."""
        file = self._folder / SENT / cursor
        if file.exists():
            self._bucket.put(f"{SENT}/{cursor}", file.read_bytes())
