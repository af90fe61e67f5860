"""Push: what did not get where it belongs is sent there.

push_spool   what jobs that ended left in the spool, to the URLs of their runs
push_run     a run on this machine, to a URL
push_sink    what a sink missed of a run, wherever the run is
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from earmark.cursor import Passage, cursor_name
from earmark.errors import EarmarkError
from earmark.folder import create_run, read_run_file
from earmark.names import new_writer_id
from earmark.sink import open_sink
from earmark.store import take_names
from earmark.upload.bucket import Bucket
from earmark.upload.push_source import PushSource, open_source
from earmark.upload.segments import Segments
from earmark.upload.sender import Found, Sender
from earmark.upload.spool import Opening, run_name


class Pushed(NamedTuple):
    """What became of one opening of a run in a spool."""

    line: str
    """What to tell the user of it."""

    failed: bool = False
    """Whether it could not be sent."""


def push_spool(place: Path, url: str = "", *, only_list: bool = False) -> Iterator[Pushed]:
    """Send what jobs that ended left in a spool. Those that may still be at work are left alone.

    What was sent need not be sent again, wherever it stopped.

    Args:
        place: The spool, or a folder in it.
        url: Only what belongs there, if given.
        only_list: Send nothing, and say what is there.

    Yields:
        What became of each opening of a run, the oldest first.
    """
    for opening in Opening.found_in(place):
        if url and opening.url != url:
            continue
        owner = "process {pid} on {host}".format_map(defaultdict(str, opening.owner))
        if not opening.is_left:
            yield Pushed(f"{opening.url}: left alone, {owner} still writes to {opening.folder}")
        elif only_list:
            count = _takes(len(opening.waiting))
            yield Pushed(f"{opening.url}: {count} of {owner} in {opening.folder}")
        else:
            yield _tried(opening)


def _tried(opening: Opening) -> Pushed:
    try:
        with opening.claimed() as is_ours:
            if is_ours:
                return Pushed(_push_opening(opening))
        return Pushed(f"{opening.url}: left alone, another earmark push is sending it")
    except (EarmarkError, OSError) as error:  # the next one may go somewhere else
        return Pushed(f"{opening.url}: {error}; {opening.folder} is kept", failed=True)


def _push_opening(opening: Opening) -> str:
    create_run(opening.run, run_name(opening.url))  # its process may have ended in the middle of it
    waiting = opening.waiting
    sender = Sender(Bucket(opening.url), opening.run, Segments(opening.sent))
    sender.begin()
    count = 0
    for name in waiting:
        count += sender.send(name, look=True)
        opening.evict(name)
    sender.send_notes(all_of_them=True)
    opening.remove()
    return f"{opening.url}: {_sent(count, len(waiting) - count)}"


def push_run(run: Path, url: str) -> str:
    """Send a run on this machine to a URL; what is there already is not sent again.

    Args:
        run: The run's directory.
        url: Where to: `"s3://bucket/run"`.

    Returns:
        What was done, in a line.

    Raises:
        RunNotFoundError: If there is no run.
        RunFormatError: If either run is of a later major format.
        StorageError: If the URL cannot be written.
        RemoteError: If it does not answer; what was sent till then is not sent again.
        MissingDependencyError: If fsspec, or the package behind the scheme, is not installed.
    """
    read_run_file(run)
    bucket = Bucket(url)
    there = set(Found.at(bucket).takes)
    names = sorted(take_names(run), key=lambda name: (name.writer, name.number))
    count = 0
    with tempfile.TemporaryDirectory() as notes:
        sender = Sender(bucket, run, Segments(Path(notes) / "sent"))
        sender.begin()
        for name in names:
            count += sender.send(name, look=name in there)
        sender.send_notes(all_of_them=True)
    return f"{url}: {_sent(count, len(names) - count)}"


def push_sink(run: Path | str, name: str, target: str = "") -> str:
    """Pass on to a sink what it missed of a run, in order; an unchanged input or target once.

    Args:
        run: The run's directory, or its URL.
        name: The sink's name, such as `"wandb"`.
        target: Where the sink writes to, in its own words: a W&B run's `entity/project/id`, a
            TensorBoard log directory. Each target is given all that it has not; without one, the
            sink all that it was given nowhere.

    Returns:
        What was done, in a line.

    Raises:
        RunNotFoundError: If there is no run.
        UnknownSinkError: If no sink has this name.
        MissingDependencyError: If the sink's package is not installed, or what the URL needs.
        Exception: What the tracker raises; what it has taken till then is not given to it again.
    """
    with open_source(run) as source:
        given = source.given(name, target)
        missed = [take for take in source.names() if take not in given]
        if missed:
            _pass_on(source, missed, given, name, target)
    return f"{name}: {_sent(len(missed), len(given))}"


def _pass_on(
    source: PushSource, missed: Sequence[str], given: Collection[str], name: str, target: str
) -> None:
    sink = open_sink(name, target)
    passage = Passage(sink, name, new_writer_id(), target)
    try:
        for take in source.takes(given, sounds=False):
            passage.remember(take)
        for take in source.takes(missed, sounds=True):
            passage.write(take)
    finally:
        try:
            sink.close()
        finally:
            source.keep(cursor_name(passage.owner, name, target))


def _sent(count: int, before: int) -> str:
    sent = f"{_takes(count)} sent"
    return f"{sent}, {before} had been sent before" if before else sent


def _takes(count: int) -> str:
    return f"{count} take{'s' * (count != 1)}"
