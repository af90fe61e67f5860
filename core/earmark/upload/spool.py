"""Spool: where a run at a URL is written on this machine, before it is sent.

<spool>/<name>-<hash>/         one folder for each URL
    <id>/                      one for each opening of the run, by one process
        spool.json             the URL, and which process owns this
        run/                   an ordinary run; what is sent is removed from it
        sent/                  what was sent, a line a take
        push.json              which `earmark push` is at it
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earmark.disk import write_new
from earmark.folder import create_run
from earmark.leftovers import is_gone, is_here, this_process
from earmark.names import METADATA, TAKES, TakeName, new_writer_id, safe_name
from earmark.store import take_names

_ABOUT = "spool.json"
_PUSH = "push.json"
_RUN = "run"
_SENT = "sent"


def spool_directory(given: str | os.PathLike[str] | None = None) -> Path:
    """Say where runs at URLs are written first: as given, by `EARMARK_SPOOL`, or in the cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    place = given or os.environ.get("EARMARK_SPOOL") or cache / "earmark" / "spool"
    return Path(place).expanduser().absolute()  # which outlives a change of directory


def run_name(url: str) -> str:
    """The name of the run at a URL: the last part of it."""
    return url.rstrip("/").rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Opening:
    """The part of a spool that one process owns: a run, as far as it is not sent."""

    folder: Path
    url: str
    owner: Mapping[str, Any]

    @classmethod
    def create(cls, spool: Path, url: str, files: Mapping[str, bytes]) -> Opening:
        """Begin one.

        Args:
            spool: The spool's directory; made if there is none.
            url: Where the run is to be.
            files: What is there already, by path: the run's file and those of its writers.

        Raises:
            RunFormatError: If the run is of a later major format, or its file is broken.
            OSError: If the directory cannot be written.
        """
        digest = hashlib.sha256(url.encode()).hexdigest()[:8]
        folder = spool / f"{safe_name(run_name(url))}-{digest}" / new_writer_id()
        owner = this_process() | {"started_at": time.time()}
        folder.mkdir(parents=True)
        write_new(folder / _ABOUT, json.dumps({"url": url} | owner, indent=1).encode())
        for path, data in files.items():
            (folder / _RUN / path).parent.mkdir(parents=True, exist_ok=True)
            write_new(folder / _RUN / path, data)
        create_run(folder / _RUN, run_name(url))
        return cls(folder, url, owner)

    @classmethod
    def found_in(cls, place: Path) -> list[Opening]:
        """List what is in a spool, in one URL's folder, or at this very place; oldest first."""
        files = [
            *place.glob(_ABOUT),
            *place.glob(f"*/{_ABOUT}"),
            *place.glob(f"*/*/{_ABOUT}"),
        ]
        openings: list[Opening] = []
        for file in files:
            with contextlib.suppress(OSError, ValueError, KeyError):  # removed, or never finished
                about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
                openings.append(cls(file.parent, str(about["url"]), about))
        return sorted(openings, key=lambda each: float(each.owner.get("started_at", 0)))

    @property
    def run(self) -> Path:
        """The directory of the run."""
        return self.folder / _RUN

    @property
    def sent(self) -> Path:
        """The folder in which it is noted what was sent."""
        return self.folder / _SENT

    @property
    def is_left(self) -> bool:
        """Whether the process that owns this has certainly ended."""
        return is_gone(self.owner, self._trace)

    @property
    def _trace(self) -> Path:
        takes = self.run / TAKES
        return takes if takes.is_dir() else self.folder

    @contextlib.contextmanager
    def claimed(self) -> Generator[bool]:
        """Keep others from sending this meanwhile; gives whether nobody else is sending it."""
        file = self.folder / _PUSH
        try:
            if file.exists() and is_gone(json.loads(file.read_bytes()), self._trace):
                file.unlink()
            is_ours = write_new(file, json.dumps(this_process()).encode())
        except FileNotFoundError:  # another one has just sent all of it
            is_ours = False
        except OSError:  # the disk is full: sending makes room
            is_ours = True
        try:
            yield is_ours and (self.folder / _ABOUT).exists()
        finally:
            if is_ours:
                file.unlink(missing_ok=True)

    @property
    def waiting(self) -> list[TakeName]:
        """The takes that are here, in the order in which they were published."""
        return sorted(take_names(self.run), key=lambda name: (name.writer, name.number))

    def evict(self, take: TakeName) -> None:
        """Remove a take that was sent."""
        shutil.rmtree(self.run / TAKES / str(take), ignore_errors=True)

    def evict_sounds(self, reference: str) -> None:
        """Remove a sound that is stored once; its record stays, so that it is known to exist."""
        if not reference:  # what is linked to is at a URL
            return
        for file in (self.run / TAKES / reference).glob("[!.]*"):
            if file.name != METADATA:
                file.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all of it, and its URL's folder if nothing else is in there.

        What a process of another machine may still write to is kept, but for its takes.
        """
        if is_here(self.owner):
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # another process is at it
                self.folder.parent.rmdir()


class Holders:
    """Who still needs a take: when nobody does, it is evicted.

    Args:
        opening: Where the takes are.
        count: How many let go of each take.
    """

    def __init__(self, opening: Opening, count: int) -> None:
        self._opening = opening
        self._count = count
        self._let_go: Counter[TakeName] = Counter()
        self._lock = threading.Lock()

    def let_go(self, take: TakeName) -> None:
        """Say that one of them needs a take no more."""
        with self._lock:
            self._let_go[take] += 1
            spent = self._let_go[take] == self._count
            if spent:
                del self._let_go[take]
        if spent:
            self._opening.evict(take)

    @property
    def is_idle(self) -> bool:
        """Whether no take is half let go of."""
        return not self._let_go
