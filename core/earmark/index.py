"""Index: what the writers noted of their takes, read no further than it is asked for.

index/<writer>.jsonl        where the run was written: a line a take, in the order of publishing
index/<writer>.<k>.jsonl    where it was uploaded to: the same lines in segments, k = 0, 1, 2, ...
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from typing import BinaryIO, NamedTuple

from earmark.clip import Record
from earmark.names import INDEX, TakeName
from earmark.records import parse_line
from earmark.tree import Tree

_FILE = re.compile(r"([^.]+)(?:\.(0|[1-9][0-9]*))?\.jsonl")
_TAKE = re.compile(rb'\{"take": "[0-9]+\.[^".]+\.([0-9]+)"')


class Index:
    """The index of a run, read forwards along with its takes, so that memory stays flat.

    Args:
        tree: The run.
        takes: Every take that will be asked for.
    """

    def __init__(self, tree: Tree, takes: Iterable[TakeName]) -> None:
        files = index_files(tree)
        self._left = Counter(take.writer for take in takes)
        self._notes = {writer: _Notes(tree, files.get(writer, [])) for writer in self._left}

    def line(self, take: TakeName) -> Record | None:
        """Read what was noted of a take, which is asked for once; `None` if nothing was."""
        line = self._notes[take.writer].find(take.number)
        self._left[take.writer] -= 1
        if not self._left[take.writer]:  # of very many writers, few at a time keep a file open
            self._notes.pop(take.writer).close()
        record = None if line is None else parse_line(line)
        whole = record is not None and {"take", "clips", "links"} <= record.keys()
        return record if whole and record is not None and record["take"] == str(take) else None

    def close(self) -> None:
        """Close every file."""
        for notes in self._notes.values():
            notes.close()

    def __enter__(self) -> Index:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class _Notes:
    """The lines of one writer, by the numbers of its takes, which ascend."""

    def __init__(self, tree: Tree, files: Sequence[str]) -> None:
        self._tree = tree
        self._passed: dict[int, tuple[str, int]] = {}
        self._next: _Line | None = None
        self._ahead = self._lines(files)
        self._current: tuple[str, BinaryIO] | None = None

    def find(self, number: int) -> bytes | None:
        """Read the line of a take, by its number; `None` if there is none."""
        place = self._passed.pop(number, None)
        if place is not None:
            return self._line_at(*place)
        while (line := self._next or next(self._ahead, None)) is not None:
            if line.number > number:  # it would have come: it is not looked for to the end
                self._next = line
                return None
            self._next = None
            if line.number == number:
                return line.data
            self._passed[line.number] = line.place
        return None

    def _lines(self, files: Iterable[str]) -> Generator[_Line]:
        for file in files:
            # A cache: what is not there, or no longer, is read from the takes themselves.
            with contextlib.suppress(FileNotFoundError), self._tree.open(file) as lines:
                self._current = file, lines
                offset = 0
                while data := _line_in(lines, offset):
                    number = _take_number(data)
                    if number is not None:
                        yield _Line(number, (file, offset), data)
                    offset += len(data)
            self._current = None

    def _line_at(self, file: str, offset: int) -> bytes | None:
        if self._current is not None and self._current[0] == file:
            return _line_in(self._current[1], offset)
        with contextlib.suppress(FileNotFoundError), self._tree.open(file) as lines:
            return _line_in(lines, offset)
        return None

    def close(self) -> None:
        """Close the file that is being read."""
        self._ahead.close()


class _Line(NamedTuple):
    number: int
    place: tuple[str, int]
    data: bytes


def _line_in(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)  # within what is buffered, this costs nothing
    return file.readline()


def index_files(tree: Tree) -> dict[str, list[str]]:
    """List the files of the index, by writer, each writer's in the order of their lines."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name in tree.entries(INDEX):
        match = _FILE.fullmatch(name)
        if match:
            segment = -1 if match[2] is None else int(match[2])
            found.setdefault(match[1], []).append((segment, f"{INDEX}/{name}"))
    return {writer: [file for _, file in sorted(found[writer])] for writer in sorted(found)}


def _take_number(line: bytes) -> int | None:
    match = _TAKE.match(line)
    if match:
        return int(match[1])
    record = parse_line(line)
    name = TakeName.parse(str(record.get("take"))) if record else None
    return name.number if name else None
