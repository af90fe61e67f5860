"""Opening: a run is opened for writing, in a directory or, with `url_opening`, at a URL."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from earmark.errors import EarmarkError, StorageError
from earmark.notices import Notices
from earmark.recorder import Recorder
from earmark.run_size import RunSize
from earmark.sink import Feed, Sink, name_of, open_sink
from earmark.writer import Writer


def open_recorder(
    place: Path | str,
    sinks: Sequence[str | Sink],
    notices: Notices,
    *,
    spool: str | os.PathLike[str] | None = None,
    spectrogram: bool = False,
    max_mib: float | None = None,
    **writing: Any,
) -> Recorder:
    """Open a run for writing.

    Args:
        place: A directory, or a URL.
        sinks: What every take is passed on to.
        notices: Who is told of faults.
        spool: Where a run at a URL is written first; see `earmark.upload.spool`.
        max_mib: How large the run is meant to become; of one that is larger is told.
        spectrogram: Whether sinks show a picture of each sound beside it.
        **writing: What `Writer` is asked for.

    Raises:
        EarmarkError: If it cannot be opened; see `Run`.
    """
    opened = [(name_of(sink), open_sink(sink)) for sink in sinks]
    if spectrogram:
        # Few runs are illustrated, and the others are opened quickly.
        from earmark.illustrated import illustrated  # noqa: PLC0415

        opened = [(name, illustrated(name, sink, notices)) for name, sink in opened]
    recorder = _opened(place, opened, notices, spool, writing)
    if max_mib is not None:
        recorder.also_pass_on_to(RunSize(place, max_mib, notices))
    return recorder


def _opened(
    place: Path | str,
    sinks: Sequence[tuple[str, Sink]],
    notices: Notices,
    spool: str | os.PathLike[str] | None,
    writing: Mapping[str, Any],
) -> Recorder:
    if not isinstance(place, Path):
        # Most runs are on this machine, and need nothing of what sends the others.
        from earmark.upload.opening import open_at_url  # noqa: PLC0415

        return open_at_url(place, sinks, notices, spool, writing)
    feeds = [Feed(sink, notices, name) for name, sink in sinks]
    try:
        return Recorder(partial(Writer, place, **writing), feeds, notices)
    except EarmarkError:
        raise
    except OSError as error:
        raise StorageError(
            f"expected a directory that can be written at {str(place)!r}, got {error}: "
            "choose another one, or make room"
        ) from error
