"""Opening: a run is opened for writing, in a directory or at a URL."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from earmark.bucket import Bucket
from earmark.errors import EarmarkError, RemoteError, StorageError
from earmark.notices import Notices
from earmark.recorder import Recorder
from earmark.sender import Found
from earmark.sink import Feed, Sink, name_of, open_sink
from earmark.spool import Holders, Opening, spool_directory
from earmark.uploader import Uploader
from earmark.writer import Writer

_FIRST_ANSWER_SECONDS = 10.0
"""How long a URL may take to answer while its run is opened; then training starts without."""


def open_recorder(
    place: Path | str,
    sinks: Sequence[str | Sink],
    notices: Notices,
    *,
    spool: str | os.PathLike[str] | None = None,
    **writing: Any,
) -> Recorder:
    """Open a run for writing.

    Args:
        place: A directory, or a URL.
        sinks: What every take is passed on to.
        notices: Who is told of faults.
        spool: Where a run at a URL is written first; see `spool_directory`.
        **writing: What `Writer` is asked for.

    Raises:
        EarmarkError: If it cannot be opened; see `Run`.
    """
    opened = [(name_of(sink), open_sink(sink)) for sink in sinks]
    try:
        if isinstance(place, Path):
            feeds = [Feed(sink, notices, name) for name, sink in opened]
            return Recorder(partial(Writer, place, **writing), feeds, notices)
        return _AtUrl(place, spool_directory(spool), notices, writing).open_recorder(opened)
    except EarmarkError:
        raise
    except OSError as error:
        where = place if isinstance(place, Path) else spool_directory(spool)
        raise StorageError(
            f"expected a directory that can be written at {str(where)!r}, got {error}: "
            "choose another one, or make room"
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
        except RemoteError as error:
            self._notices.tell(("upload", False), self._unanswered(error))
        self._bucket.seconds = Bucket.SECONDS

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
