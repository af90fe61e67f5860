"""Segments: the index of a run on an object store, whose files cannot be appended to.

index/<writer>.<k>.jsonl   512 takes each, one a line; the last one grows, and is put whole
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from earmark.disk import append_line
from earmark.records import parse_lines

TAKES_PER_SEGMENT = 512


@dataclass
class Growing:
    """When a file that grows is worth putting again, whole, where nothing can be appended."""

    told: int = 0
    """How many bytes of it are there."""

    def is_due(self, size: int, *, all_of_it: bool) -> bool:
        """Say whether it has grown by an eighth, or at all if all of it is asked for."""
        return size > self.told and (all_of_it or size * 8 >= self.told * 9)


@dataclass
class _Writer:
    starts: list[int] = field(default_factory=lambda: [0])
    size: int = 0
    count: int = 0
    segments: list[Growing] = field(default_factory=lambda: [Growing()])

    def add(self, num_bytes: int) -> None:
        """Count a line, which may begin another segment."""
        if self.count and self.count % TAKES_PER_SEGMENT == 0:
            self.starts.append(self.size)
            self.segments.append(Growing())
        self.size += num_bytes
        self.count += 1


class Segments:
    """What of a run is sent, a line a take, by writer.

    Args:
        folder: Where to keep it on this machine; made if there is none, gone on with otherwise.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, _Writer] = {}
        self._known: set[str] = set()
        folder.mkdir(exist_ok=True)
        for file in sorted(folder.glob("*.jsonl")):
            self._go_on_with(file)

    def _go_on_with(self, file: Path) -> None:
        data = file.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:  # its process was killed while it wrote
            file.write_bytes(whole)
        writer = self._writers.setdefault(file.stem, _Writer())
        for line in whole.splitlines(keepends=True):
            writer.add(len(line))
        self._known |= {str(line["take"]) for line in parse_lines(whole) if line is not None}

    def add(self, writer: str, take: str, line: str) -> None:
        """Note that a take is sent, if there is room to note it: readers see it without."""
        if take in self._known:
            return
        with contextlib.suppress(OSError):  # a full spool gets room by what is sent leaving it
            append_line(self._folder / f"{writer}.jsonl", line)
            self._writers.setdefault(writer, _Writer()).add(len(line.encode()))

    def due(self, *, all_of_them: bool) -> Iterator[tuple[str, bytes]]:
        """The files of the index that are worth putting again; each counts as put afterwards.

        Args:
            all_of_them: Whether to give every file that has changed at all.
        """
        for name, writer in self._writers.items():
            ends = [*writer.starts[1:], writer.size]
            for k, (start, end) in enumerate(zip(writer.starts, ends, strict=True)):
                size, full = end - start, end != writer.size
                if writer.segments[k].is_due(size, all_of_it=full or all_of_them):
                    yield f"{name}.{k}.jsonl", self._read(name, start, end)
                    writer.segments[k].told = size

    def _read(self, writer: str, start: int, end: int) -> bytes:
        with (self._folder / f"{writer}.jsonl").open("rb") as file:
            file.seek(start)
            return file.read(end - start)
