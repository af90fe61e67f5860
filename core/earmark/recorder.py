"""Recorder: what becomes of a draft, behind the training thread.

submit ---> one thread: read the sounds, measure, encode, publish ---> a thread for each sink
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from earmark.clip import Take
from earmark.clip_maker import make_clips
from earmark.draft import Draft
from earmark.errors import ArgumentError, EarmarkError, StorageError
from earmark.keys import Keys
from earmark.notices import Notices
from earmark.worker import Worker, on_a_worker
from earmark.writer import Writer


class Onward(Protocol):
    """Where published takes are passed on to: a sink, or the uploader of a run at a URL."""

    on_callers_thread: bool
    """Whether takes wait for `come_by`."""

    def pass_on(self, take: Take) -> None:
        """Have a take passed on; this does not wait for it."""
        ...

    def come_by(self) -> None:
        """Do what is left for the caller's thread."""
        ...

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything is passed on, `timeout` seconds at most; say whether it is."""
        ...

    def close(self, timeout: float | None = None) -> bool:
        """Pass on what is pending, and close; say whether there was time."""
        ...

    def end(self) -> None:
        """Have it closed after what is pending; this waits for no thread."""
        ...

    def part(self) -> None:
        """Say what was not passed on, as the process ends."""
        ...


class Recorder:
    """Turns drafts into published takes, on a thread of its own.

    Args:
        open_writer: Who publishes; `None` to do everything else and write nothing. A process that
            was forked opens a writer of its own.
        feeds: Where published takes are passed on to, and closed in this order; a forked process
            passes nothing on.
        notices: Who is told of what could not be recorded.
    """

    def __init__(
        self, open_writer: Callable[[], Writer] | None, feeds: Sequence[Onward], notices: Notices
    ) -> None:
        self._open_writer = open_writer
        self._feeds = feeds
        self._notices = notices
        self._worker = Worker("earmark-recorder")
        self._pid = os.getpid()
        self._writer = self._opened()

    def _opened(self) -> Writer | None:
        writer = None if self._open_writer is None else self._open_writer()
        self._keys = Keys()
        self._notices.record = None if writer is None else self._note_fault
        return writer

    @property
    def _feeds_here(self) -> Sequence[Onward]:
        return self._feeds if self._pid == os.getpid() else ()

    def also_pass_on_to(self, feed: Onward) -> None:
        """Have later takes passed on to one more, before all others."""
        self._feeds = [feed, *self._feeds]

    def submit(self, draft: Draft) -> None:
        """Have a draft published as one take. What cannot be recorded is dropped and told."""
        draft.memory.sent()
        self._worker.put(partial(self._record, draft))

    def come_by(self) -> None:
        """Let sinks write that do so on the caller's thread."""
        for feed in self._feeds_here:
            feed.come_by()

    def hand_over(self, timeout: float) -> None:
        """Let these sinks write what is published in `timeout` seconds; wait for no other sink."""
        self._worker.flush(timeout)
        self.come_by()

    @property
    def has_sinks_here(self) -> bool:
        """Whether there are sinks that write on the caller's thread."""
        return any(feed.on_callers_thread for feed in self._feeds_here)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all is published, and passed on, `timeout` seconds at most."""
        deadline = _Deadline(timeout)
        flushed = self._worker.flush(deadline.left)
        return all([flushed, *(feed.flush(deadline.left) for feed in self._feeds_here)])

    def close(self, timeout: float | None = None) -> bool:
        """Publish and pass on what is pending, and close the sinks; say whether there was time."""
        deadline = _Deadline(timeout)
        closed = self._worker.flush(deadline.left)
        if closed:
            self._end_feeds()
            closed = all([True, *(feed.close(deadline.left) for feed in self._feeds_here)])
        else:
            self._worker.put(self._end_feeds)  # after what they are still to be given
        self._worker.put(self._end_writer)
        self._worker.close(deadline.left)
        return closed

    def abandon(self) -> None:
        """End after what is pending, since nobody is left to log more; this waits for nothing."""
        if self._pid == os.getpid():  # a parent's goes on
            self._worker.put(self._end_feeds)
            self._worker.put(self._end_writer)
            self._worker.end()

    def _end_feeds(self) -> None:
        for feed in self._feeds_here:
            feed.end()

    def _end_writer(self) -> None:
        if self._writer is not None and self._pid == os.getpid():  # a parent's goes on
            self._writer.close()

    def finish(self, timeout: float) -> None:
        """Publish what is pending as the process ends; say whether there was no time for it."""
        if not self._worker.flush(timeout):
            self._notices.tell(
                "finish",
                f"clips that were not published {timeout:g} s after the end of the program are "
                "lost: call close(), which waits as long as it is told to",
            )
        for feed in self._feeds_here:
            feed.part()
        self._notices.speak()

    def _note_fault(self, lost: str, why: str) -> None:
        note = partial(self._note, lost, why)
        if on_a_worker():
            note()
        else:  # a file system that hangs must not hold the caller
            self._worker.put(note)

    def _note(self, lost: str, why: str) -> None:
        with contextlib.suppress(OSError, EarmarkError):
            self._adopt()
            if self._writer is not None:
                self._writer.note_fault(lost, why)

    def _adopt(self) -> None:
        """Open a writer of one's own in a forked process."""
        if self._pid != os.getpid():
            self._writer = self._opened()
            self._pid, self._feeds = os.getpid(), ()

    def _record(self, draft: Draft) -> None:
        lost = f"a take of {len(draft.entries)} clips at step {draft.step}"
        faulted = True
        try:
            self._publish(draft)
            faulted = False
        except EarmarkError as error:
            self._notices.fault(("publish", type(error)), lost, error)
        except OSError as error:
            self._notices.fault(("publish", error.errno), lost, _refused(self._writer, error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - one take is lost, no training
            self._notices.fault(("publish", type(error)), lost, error)
        finally:
            draft.release()
            draft.memory.arrived(published=not faulted)

    def _publish(self, draft: Draft) -> None:
        self._adopt()
        clips = make_clips(draft, self._notices)
        if self._writer is None:
            for _ in clips:
                pass
            return
        take = self._writer.publish(draft.step, clips)
        if take is not None:
            for feed in self._feeds:
                feed.pass_on(take)
            self._tell_of_replay(self._writer, take)
            self._tell_of_repeat(take)

    def _tell_of_replay(self, writer: Writer, take: Take) -> None:
        logged = {clip.key for clip in take.clips}
        if any(not logged.isdisjoint(keys) for keys in writer.older_keys(take.step)):
            self._notices.tell(
                "replay",
                f"step {take.step} was logged before, when {str(writer.root)!r} was last opened: "
                "both are kept, and readers show the newest (all_versions=True shows both)",
            )

    def _tell_of_repeat(self, take: Take) -> None:
        clip = self._keys.add(take)
        if clip is not None:
            error = ArgumentError(
                "expected an example of its own for each clip, got two of example "
                f"{clip.example!r}, role {clip.role!r} at step {clip.step}: both are kept, and "
                "readers show the newest (all_versions=True shows both); pass an identity for "
                "each item, examples=[...] to log_batch, example=... to log"
            )
            self._notices.tell_of("repeat", error)


class _Deadline:
    """A time-out that several waits share."""

    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout

    @property
    def left(self) -> float | None:
        """The seconds that are left; `None` for ever."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())


def _refused(writer: Writer | None, error: OSError) -> StorageError:
    place = "" if writer is None else f" at {str(writer.root)!r}"
    return StorageError(
        f"expected a directory that can be written{place}, got {error}: make room, or "
        "make it writable again, or put it back; each later take is tried anew"
    )
