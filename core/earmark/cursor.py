"""Cursors: which takes each sink was given, noted in the run, so that what it missed can be sent.

sent/<writer>.<sink>.jsonl            a take's name a line, appended to once the sink has taken it
sent/<writer>.<sink>.<target>.jsonl   the same, of a push to a target that the user has named
"""

from __future__ import annotations

import contextlib
import os.path
from collections.abc import Callable, Iterable
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
        target: Where the sink writes to, if the user has named that: its account is then one of
            this target alone.
    """

    def __init__(self, sink: Writable, name: str, owner: str = "", target: str = "") -> None:
        self._sink = sink
        self.name = name
        self.owner = owner
        self._target = target
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
        line = {"take": str(take.name), "target": str(getattr(self._sink, "target", ""))}
        append_line(folder / cursor_name(owner, self.name, self._target), json_line(line))


def cursor_name(owner: str, sink: str, target: str = "") -> str:
    """Name the file in which it is noted what a sink was given, or a target that was named."""
    names = [safe_name(sink), safe_name(target)] if target else [safe_name(sink)]
    return ".".join([owner, *names, "jsonl"])


def is_cursor_of(file: str, sink: str, target: str = "") -> bool:
    """Say whether a file's name is that of a sink's cursor, whoever wrote it."""
    return file.partition(".")[2] == cursor_name("", sink, target)[1:]


def takes_given(
    files: Iterable[str], read: Callable[[str], bytes], sink: str, target: str = ""
) -> set[str]:
    """The names of the takes that a sink was given, or that are at one target of it.

    Args:
        files: The names of the cursors of a run.
        read: Reads the one of a name.
        sink: The sink's name.
        target: Where it writes to, as the user names it; its last parts, as of a path, will do.
    """
    given: set[str] = set()
    for file in files:
        is_shared = is_cursor_of(file, sink)
        if is_shared or is_cursor_of(file, sink, target):
            given.update(
                str(line["take"])
                for line in parse_lines(read(file))
                if line is not None
                and "take" in line
                and not (is_shared and _is_elsewhere(str(line.get("target", "")), target))
            )
    return given


def sent_to(root: Path, sink: str, target: str = "") -> set[str]:
    """The names of the takes of a run on this machine that a sink was given, as `takes_given`."""
    folder = root / SENT
    files = (file.name for file in folder.glob("[!.]*"))
    return takes_given(files, lambda file: (folder / file).read_bytes(), sink, target)


def _is_elsewhere(place: str, target: str) -> bool:
    """Say whether a place is another than a target, of which either may lack its first parts."""
    if not place or not target:
        return False
    one, other = (f"/{os.path.normpath(each).lstrip('/')}" for each in (place, target))
    return not one.endswith(other) and not other.endswith(one)


def _place(clip: Clip) -> tuple[str, ...]:
    return clip.tag, clip.example, clip.role, str(clip.audio.path or clip.audio.resolve_ref())


def _is_linked(clip: Clip, take: Take) -> bool:
    return clip.audio.path is None or take.path not in clip.audio.path.parents
