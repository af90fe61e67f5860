"""Opening at a URL: the URL is looked at, a part of the spool made, and an uploader started."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.errors import EarmarkError, RemoteError, StorageError
from earmark.folder import read_writers
from earmark.job import this_job
from earmark.names import INDEX, WRITERS
from earmark.notices import Notices
from earmark.recorder import Recorder
from earmark.sink import Feed, Sink
from earmark.strangers import tell_of_strangers
from earmark.upload.bucket import Bucket
from earmark.upload.sender import Found
from earmark.upload.spool import Holders, Opening, spool_directory
from earmark.upload.uploader import Uploader
from earmark.writer import Writer

_FIRST_ANSWER_SECONDS = 10.0
"""How long each answer may take while a run is opened; then training starts without."""


def open_at_url(
    url: str,
    sinks: Sequence[tuple[str, Sink]],
    notices: Notices,
    spool: str | os.PathLike[str] | None,
    writing: Mapping[str, Any],
) -> Recorder:
    """Open a run at a URL for writing: in a spool, and with an uploader.

    Args:
        url: Where the run is to be.
        sinks: What every take is passed on to, by name.
        notices: Who is told of faults.
        spool: Where it is written first; see `spool_directory`.
        writing: What `Writer` is asked for.

    Raises:
        MissingDependencyError: If fsspec, or the package behind the URL's scheme, is missing.
        RunFormatError: If there is a run of a later major format.
        StorageError: If the URL or the spool cannot be written; of a URL that does not answer
            is only told.
    """
    folder = spool_directory(spool)
    try:
        return _AtUrl(url, folder, notices, writing).open_recorder(sinks)
    except EarmarkError:
        raise
    except OSError as error:
        raise StorageError(
            f"expected a spool that can be written at {str(folder)!r}, got {error}: make room, or "
            "set EARMARK_SPOOL to another directory"
        ) from error


class _AtUrl:
    def __init__(self, url: str, spool: Path, notices: Notices, writing: Mapping[str, Any]) -> None:
        self._notices = notices
        self._spool = spool
        self._writing = writing
        self._bucket = Bucket(url, seconds=_FIRST_ANSWER_SECONDS)
        self._pid = os.getpid()
        self._found, self._answers = self._looked()
        self._opening = self._opened()

    def _looked(self) -> tuple[Found, bool]:
        try:
            return Found.at(self._bucket), True
        except RemoteError as error:
            self._notices.tell(("upload", False), self._unanswered(error))
            return Found({}, []), False

    def _opened(self) -> Opening:
        return Opening.create(self._spool, self._bucket.url, self._found.files)

    def open_recorder(self, sinks: Sequence[tuple[str, Sink]]) -> Recorder:
        """Make the recorder, whose takes go to the sinks and the uploader."""
        try:
            holders = Holders(self._opening, len(sinks) + 1)
            feeds = [Feed(sink, self._notices, name, holders.let_go) for name, sink in sinks]
            uploader = Uploader(
                self._opening,
                self._bucket,
                self._notices,
                holders,
                older=self._found.takes,
                keeps_references=bool(sinks),
            )
            recorder = Recorder(self._open_writer, [*feeds, uploader], self._notices)
            self._begin(uploader)
        except BaseException:
            self._opening.remove()
            raise
        return recorder

    def _begin(self, uploader: Uploader) -> None:
        try:
            if self._answers:
                uploader.begin()
                self._tell_of_strangers()
        except RemoteError as error:
            self._notices.tell(("upload", False), self._unanswered(error))
        self._bucket.seconds = Bucket.SECONDS

    def _tell_of_strangers(self) -> None:
        """Tell of another job that may still write to the URL, at one listing at most."""
        job, run = this_job(), self._opening.run
        if job.rank != 0:  # each job has a rank zero, which asks
            return
        theirs = (w for w in read_writers(run) if f"{WRITERS}/{w['id']}.json" in self._found.files)
        since = {w["id"]: w["started_at"] for w in theirs if "closed_at" not in w}
        for file, put_at in self._bucket.changes(INDEX).items() if since else ():
            writer = file.partition(".")[0]
            if writer in since:
                since[writer] = max(since[writer], put_at)
        for writer, last in since.items():  # the copies, put a moment ago, say when theirs changed
            os.utime(run / WRITERS / f"{writer}.json", (last, last))
        tell_of_strangers(self._notices, self._bucket.url, run, job)

    def _open_writer(self) -> Writer:
        if self._pid == os.getpid():
            return Writer(self._opening.run, **self._writing)
        opening = self._opened()  # no client of a network survives a fork: a child starts none
        self._notices.tell(
            "forked",
            f"clips that this process logs are not sent to {self._bucket.url!r} by itself, since "
            f"it was forked after the run was opened: they are in {str(opening.folder)!r}, and "
            "`earmark push` sends them when it has ended; or open the run in here",
        )
        return Writer(opening.run, **self._writing)

    def _unanswered(self, error: RemoteError) -> str:
        return (
            f"{error}. Clips are kept in {str(self._spool)!r} until it answers; what is left "
            "there when the program ends, `earmark push` sends"
        )
