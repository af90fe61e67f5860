"""Survey: what a run's directory holds, as far as names tell, and what its index says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from earmark.clip import Record
from earmark.folder import read_run_file
from earmark.index import index_files
from earmark.leftovers import Writers
from earmark.names import RUN_FILE, TAKES, WRITERS, TakeName
from earmark.records import parse_lines
from earmark.schema import LINKED, STORED, misfit
from earmark.tree import LocalTree, Place, Tree, open_tree


@dataclass(frozen=True)
class Notes:
    """What one writer noted in the index."""

    files: list[str]
    """Its files, in the order of their lines: one where it wrote, segments where it uploaded."""

    lines: dict[str, Record]
    """Its well-formed lines, by take."""

    torn: list[tuple[str, int]]
    """The files and the numbers, from 1, of its other lines."""

    @classmethod
    def read(cls, tree: Tree, writer: str, files: Iterable[str]) -> Notes:
        """Read a writer's files; one that cannot be read has no lines."""
        notes = cls(list(files), {}, [])
        for file in notes.files:
            try:
                parsed = parse_lines(tree.read(file))
            except OSError:
                continue
            for number, line in enumerate(parsed, 1):
                if line is not None and _is_note(line, writer):
                    notes.lines[line["take"]] = line
                else:
                    notes.torn.append((file, number))
        return notes


@dataclass(frozen=True)
class Survey:
    """A run's directory, looked over: on this machine, or at a URL."""

    tree: Tree
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
    def of(cls, place: Place) -> Survey:
        """Look over a run.

        Raises:
            RunNotFoundError: If there is no run.
            RunFormatError: If the run is of a later major format.
            OSError: If its directory or URL cannot be listed.
        """
        tree = open_tree(place)
        entries = tree.entries()
        is_run = entries.get(TAKES) and entries.get(WRITERS)
        if not is_run or is_whole(tree, RUN_FILE, "name", "format"):
            read_run_file(tree)
        takes: dict[str, list[TakeName]] = {}
        references: list[str] = []
        strangers: list[str] = []
        for found, is_folder in sorted(tree.entries(TAKES).items()):
            name = TakeName.parse(found)
            if name is not None and is_folder:
                takes.setdefault(name.writer, []).append(name)
            elif found.startswith("ref.") and is_folder:
                references.append(found)
            elif not found.startswith("."):  # hidden ones are the system's
                strangers.append(found)
        # The index after the takes: a writer publishes a take first, and notes it then.
        index = {
            writer: Notes.read(tree, writer, files) for writer, files in index_files(tree).items()
        }
        for names in takes.values():
            names.sort(key=lambda name: name.number)
        return cls(tree, takes, references, strangers, index, Writers(tree))

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, where its writers write."""
        return isinstance(self.tree, LocalTree)

    def indexed(self) -> list[str]:
        """Every writer that has takes or a file in the index."""
        return sorted(self.takes.keys() | self.index.keys())

    def noted(self, take: TakeName) -> Record | None:
        """What the index says of a take, if anything."""
        notes = self.index.get(take.writer)
        return notes.lines.get(str(take)) if notes else None

    def has_ended(self, writer: str) -> bool:
        """Say whether nobody writes to a writer's part of the index any more."""
        if not isinstance(self.tree, LocalTree):
            return True
        notes = self.index.get(writer)
        last = notes.files[-1] if notes else f"{TAKES}/{self.takes[writer][-1]}"
        return self.writers.is_gone(writer, self.tree.at(last))


def is_whole(tree: Tree, file: str, *fields: str) -> bool:
    """Say whether a file holds a JSON object with these fields."""
    try:
        record: Any = json.loads(tree.read(file).decode())
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
