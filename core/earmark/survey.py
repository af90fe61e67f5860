"""Survey: what a run's directory holds, as far as names tell, and what its index says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earmark.clip import Record
from earmark.folder import read_run_file
from earmark.leftovers import Writers
from earmark.names import INDEX, RUN_FILE, TAKES, WRITERS, TakeName
from earmark.schema import LINKED, STORED, misfit
from earmark.records import parse_lines


@dataclass(frozen=True)
class Notes:
    """One writer's file in the index."""

    lines: dict[str, Record]
    """Its well-formed lines, by take."""

    torn: list[int]
    """The numbers of its other lines, from 1."""

    @classmethod
    def read(cls, file: Path) -> Notes:
        """Read a writer's file; one that cannot be read has no lines."""
        try:
            parsed = parse_lines(file.read_bytes())
        except OSError:
            return cls({}, [])
        lines: dict[str, Record] = {}
        torn: list[int] = []
        for number, line in enumerate(parsed, 1):
            if line is not None and _is_note(line, file.stem):
                lines[line["take"]] = line
            else:
                torn.append(number)
        return cls(lines, torn)


@dataclass(frozen=True)
class Survey:
    """A run's directory, looked over."""

    root: Path
    takes: dict[str, list[TakeName]]
    """Every folder with a take's name, by writer; a writer's oldest first."""

    references: list[str]
    """Every folder with the name of a sound that is stored once."""

    strangers: list[str]
    """What else is among them."""

    index: dict[str, Notes]
    """The index, by writer."""

    writers: Writers

    @classmethod
    def of(cls, root: Path) -> Survey:
        """Look over a run.

        Raises:
            RunNotFoundError: If there is no run.
            RunFormatError: If the run is of a later major format.
        """
        is_run = (root / TAKES).is_dir() and (root / WRITERS).is_dir()
        if not is_run or is_whole(root / RUN_FILE, "name", "format"):
            read_run_file(root)
        takes: dict[str, list[TakeName]] = {}
        references: list[str] = []
        strangers: list[str] = []
        for path in sorted((root / TAKES).glob("[!.]*")):
            name = TakeName.parse(path.name)
            if name is not None and str(name) == path.name and path.is_dir():
                takes.setdefault(name.writer, []).append(name)
            elif path.name.startswith("ref.") and path.is_dir():
                references.append(path.name)
            else:
                strangers.append(path.name)
        # The index after the takes: a writer publishes a take first, and notes it then.
        index = {file.stem: Notes.read(file) for file in sorted((root / INDEX).glob("[!.]*.jsonl"))}
        for names in takes.values():
            names.sort(key=lambda name: name.number)
        return cls(root, takes, references, strangers, index, Writers(root))

    def indexed(self) -> list[str]:
        """Every writer that has takes or a file in the index."""
        return sorted(self.takes.keys() | self.index.keys())

    def noted(self, take: TakeName) -> Record | None:
        """What the index says of a take, if anything."""
        notes = self.index.get(take.writer)
        return notes.lines.get(str(take)) if notes else None

    def has_ended(self, writer: str) -> bool:
        """Say whether nobody writes to a writer's file in the index any more."""
        trace = self.root / INDEX / f"{writer}.jsonl"
        if writer not in self.index:
            trace = self.root / TAKES / str(self.takes[writer][-1])
        return self.writers.is_gone(writer, trace)


def is_whole(file: Path, *fields: str) -> bool:
    """Say whether a file holds a JSON object with these fields."""
    try:
        record: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and set(fields) <= record.keys()


def _is_note(line: Record, writer: str) -> bool:
    name = TakeName.parse(str(line.get("take")))
    clips, links = line.get("clips"), line.get("links")
    if name is None or name.writer != writer:
        return False
    if not isinstance(clips, list) or not isinstance(links, list):
        return False
    wrong = [misfit(clip, STORED) for clip in clips] + [misfit(link, LINKED) for link in links]
    return not any(wrong)
