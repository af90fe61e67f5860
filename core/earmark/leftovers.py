"""Leftovers: what writers that are gone did not finish, told from what others still write."""

from __future__ import annotations

import math
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from earmark.folder import read_writers
from earmark.names import INDEX, TAKES, TEMPORARY, WRITERS, TakeName
from earmark.tree import Place

_REFERENCE = re.compile(r"([^.]+)\.ref\.")
_FILE = re.compile(r"[0-9a-f]+-")
_LONG = 3600.0
"""Seconds without a change after which a writer that cannot be asked is taken for gone."""
_MOMENT = 2.0
"""Seconds by which two clocks of one machine may differ."""


class Writers:
    """Who has opened a run for writing, and who of them may still be at it.

    Args:
        place: The run.
    """

    def __init__(self, place: Place) -> None:
        self._known = {writer["id"]: writer for writer in read_writers(place)}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._known.values())

    def is_gone(self, writer: str, trace: Path) -> bool:
        """Say whether a writer has certainly ended; see the function of this name."""
        return is_gone(self._known.get(writer, {}), trace)


def is_gone(owner: Mapping[str, Any], trace: Path) -> bool:
    """Say whether a process has certainly ended.

    On this machine it is looked for. One on another machine, or of which nothing is known, is
    taken for gone when `trace` has not changed for an hour.

    Args:
        owner: Its `host` and `pid`, as far as they are known.
        trace: A file or folder that it changes while it is at work.
    """
    if "closed_at" in owner:  # it said so itself
        return True
    # On Windows, asking for a process would end it.
    if is_here(owner) and os.name != "nt":
        return not _is_running(owner["pid"], owner.get("started_at", math.inf))
    return time.time() - _last_change(trace) > _LONG


def this_process() -> dict[str, Any]:
    """Describe this process to others: its machine, its number, and among whose numbers that is."""
    host = socket.gethostname()
    return {"host": host, "pid": os.getpid(), "pid_namespace": _pid_namespace()}


def is_here(owner: Mapping[str, Any]) -> bool:
    """Say whether a process is, or was, one of this machine, and can be asked for by its number."""
    ours = _pid_namespace()  # a container may have its machine's name, and numbers of its own
    is_ours = owner.get("host") == socket.gethostname() and owner.get("pid_namespace", ours) == ours
    return is_ours and isinstance(owner.get("pid"), int)


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        return ""


def find_leftovers(root: Path, writers: Writers) -> list[Path]:
    """List hidden files and folders of writers that are gone, which hold nothing published."""
    folders = (root, root / WRITERS, root / INDEX, root / TAKES)
    hidden = (path for folder in folders for path in sorted(folder.glob(f"{TEMPORARY}*")))
    owned = ((path, _writer_of(path.name.removeprefix(TEMPORARY))) for path in hidden)
    return [path for path, writer in owned if writer is not None and writers.is_gone(writer, path)]


def _writer_of(name: str) -> str | None:
    take = TakeName.parse(name)
    if take is not None:
        return take.writer
    match = _REFERENCE.match(name)
    if match:
        return match[1]
    return "" if _FILE.match(name) else None  # a file's name tells nothing of its writer


def _last_change(path: Path) -> float:
    try:
        paths = [path, *path.iterdir()] if path.is_dir() else [path]
        return max(each.stat().st_mtime for each in paths)
    except FileNotFoundError:  # its writer is just renaming it
        return time.time()


def _is_running(pid: int, since: float) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:  # it runs as somebody else
        return True
    except (OSError, OverflowError):
        return False
    # Containers number their processes alike each time, so it may be one that came later.
    return _started_at(pid) < since + _MOMENT


def _started_at(pid: int) -> float:
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return booted_at + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, LookupError, AttributeError):  # not Linux, or it has just ended
        return 0.0
