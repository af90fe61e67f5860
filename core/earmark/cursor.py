"""Cursors: which takes each sink was given, noted in the run, so that what it missed can be sent.

sent/<writer>.<sink>.jsonl   a take's name a line, appended to once the sink has taken it
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from earmark.clip import Clip, Take
from earmark.disk import append_line, json_line
from earmark.names import SENT, safe_name
from earmark.records import parse_lines


class Writable(Protocol):
    """What takes are written to: the half of a sink that is needed here."""

    def write(self, take: Take) -> None:
        """Pass on a take."""
        ...


class Passage:
    """The way to one sink: an unchanged input or target goes once, and the run keeps account.

    Args:
        sink: Where to.
        name: What it is called in the run.
        owner: Who writes the account: the writer of each take, if none is given.
    """

    def __init__(self, sink: Writable, name: str, owner: str = "") -> None:
        self._sink = sink
        self.name = name
        self.owner = owner
        self._sent: set[tuple[str, ...]] = set()

    def write(self, take: Take) -> None:
        """Write what is new of a take. What the sink raises is passed on, and nothing is noted."""
        fresh = {_place(clip): clip for clip in take.clips if _place(clip) not in self._sent}
        if fresh:
            self._sink.write(replace(take, clips=tuple(fresh.values())))
        self.remember(take)
        with contextlib.suppress(OSError):  # then the sink may be given it twice, but misses none
            self._note(take)

    def remember(self, take: Take) -> None:
        """Take it that the sink has this take."""
        # What lies in the take's own folder never comes again.
        self._sent.update(_place(clip) for clip in take.clips if _is_linked(clip, take))

    def _note(self, take: Take) -> None:
        folder = take.path.parents[1] / SENT
        folder.mkdir(exist_ok=True)
        owner = self.owner or take.name.writer
        append_line(folder / cursor_name(owner, self.name), json_line({"take": str(take.name)}))


def cursor_name(owner: str, sink: str) -> str:
    """Name the file in which it is noted what a sink was given."""
    return f"{owner}.{safe_name(sink)}.jsonl"


def is_cursor_of(file: str, sink: str) -> bool:
    """Say whether a file's name is that of a sink's cursor, whoever wrote it."""
    return file.partition(".")[2] == cursor_name("", sink)[1:]


def takes_in(cursors: Iterable[bytes]) -> set[str]:
    """The names of the takes in what cursors hold."""
    lines = (line for data in cursors for line in parse_lines(data))
    return {str(line["take"]) for line in lines if line is not None and "take" in line}


def sent_to(root: Path, sink: str) -> set[str]:
    """The names of the takes of a run on this machine that a sink was given."""
    files = (file for file in (root / SENT).glob("[!.]*") if is_cursor_of(file.name, sink))
    return takes_in(file.read_bytes() for file in files)


def _place(clip: Clip) -> tuple[str, ...]:
    return clip.tag, clip.example, clip.role, str(clip.audio.path or clip.audio.resolve_ref())


def _is_linked(clip: Clip, take: Take) -> bool:
    return clip.audio.path is None or take.path not in clip.audio.path.parents
