"""Uploader: what becomes of a published take of a run at a URL, on a thread of its own.

spool ---> sounds, then records ---> the URL ---> removed from the spool, once every sink has it
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Sequence

from earmark.clip import Take
from earmark.errors import RunFormatError
from earmark.names import TAKES, TakeName
from earmark.notices import Notices
from earmark.records import read_records
from earmark.upload.bucket import Bucket
from earmark.upload.replay import RemoteTakes
from earmark.upload.segments import Segments
from earmark.upload.sender import Sender
from earmark.upload.spool import Holders, Opening
from earmark.worker import Worker

_MOMENT = 1.0
"""Seconds that an uploader which has sent everything may need to say so."""
_FIRST_WAIT = 1.0
"""Seconds to wait after a failure, at most; after each further one twice as many."""
_LONGEST_WAIT = 30.0
_chance = random.Random()  # noqa: S311 - one of its own: training draws from the module's


class Uploader:
    """Sends takes as they are published. It never gives up while the process lives.

    What cannot be sent yet stays in the spool, and costs training nothing.

    Args:
        opening: The local run whose takes come here.
        bucket: Where to.
        notices: Who is told when it goes wrong, once.
        holders: Who lets go of what was sent.
        older: The takes that were there when the run was opened.
        keeps_references: Whether sounds that are stored once stay in the spool after they were
            sent, since a sink may ask for one again.
    """

    on_callers_thread = False

    def __init__(
        self,
        opening: Opening,
        bucket: Bucket,
        notices: Notices,
        holders: Holders,
        *,
        older: Sequence[TakeName] = (),
        keeps_references: bool = False,
    ) -> None:
        self._opening = opening
        self._bucket = bucket
        self._notices = notices
        self._holders = holders
        self._older = RemoteTakes(bucket, older)
        self._keeps_references = keeps_references
        self._sender = Sender(bucket, opening.run, Segments(opening.sent))
        # Names alone: what waits for days in the spool must not fill the memory.
        self._pending: deque[TakeName] = deque()
        self._tried: set[TakeName] = set()
        self._worker = Worker("earmark-uploader")
        self._hurry = threading.Event()
        self._failures = 0
        self._begun = self._refused = self._ending = False

    def begin(self) -> None:
        """Put what a run begins with, on the caller's thread.

        Raises:
            RunFormatError: If there is a run of a later major format.
            StorageError: If the place cannot be written.
            RemoteError: If it does not answer.
        """
        self._sender.begin()
        self._begun = True

    def pass_on(self, take: Take) -> None:
        """Have a take sent; this does not wait for it."""
        self._pending.append(take.name)
        self._worker.put(self._send_pending)

    def come_by(self) -> None:
        """Do nothing: nothing is left for the caller's thread."""

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything is sent, `timeout` seconds at most; say whether it is."""
        self._worker.put(self._settle)
        self._hurry.set()
        return self._worker.flush(timeout) and not self._pending

    def end(self) -> None:
        """Have what is pending sent, and go on with it; this waits for no thread."""
        self._ending = True
        self._worker.put(self._settle)
        self._hurry.set()

    def close(self, timeout: float | None = None) -> bool:
        """Send what is pending; what there was no time for is told, and stays in the spool.

        Returns:
            Whether there is nothing more to say: always.
        """
        # What was sent while others took the time is no reason to leave something behind.
        sent = self.flush(None if timeout is None else max(timeout, _MOMENT))
        self._worker.put(self._leave)
        if not sent:
            self.part()
        self._worker.close(_MOMENT if sent else 0)
        return True

    def part(self) -> None:
        """Say what was not sent, as the process ends or the run is closed."""
        if self._pending:
            self._notices.tell(
                "unsent",
                f"{len(self._pending)} takes were not sent to {self._bucket.url!r} yet: they are "
                f"in {str(self._opening.folder)!r}, and `earmark push` sends them when this "
                "program has ended",
            )

    def _send_pending(self) -> None:
        while self._pending and not self._refused:
            name = self._pending[0]
            try:
                if not self._begun:
                    self.begin()
                # Of what failed before, some or all may have arrived.
                self._sender.send(name, look=name in self._tried)
            except Exception as error:  # noqa: BLE001 - training goes on, whatever a store raises
                self._refused = isinstance(error, RunFormatError) and not self._begun
                self._tried.add(name)
                self._fail(error)
                self._pending.rotate(-1)  # one that cannot be sent must not hold up the others
                continue
            self._pending.popleft()
            self._tried.discard(name)
            self._failures = 0
            self._finish_one(name)

    def _finish_one(self, name: TakeName) -> None:
        try:
            self._look_back(name)
            self._sender.send_notes(all_of_them=False)
        except Exception as error:  # noqa: BLE001 - as above; what is noted is sent the next time
            self._fail(error)
        finally:
            self._holders.let_go(name)

    def _look_back(self, name: TakeName) -> None:
        """Tell of a step that was logged before, and remove the sounds that were sent for it."""
        takes = self._opening.run / TAKES
        records = read_records(takes / str(name))
        if records is None:  # somebody has removed it
            return
        take = Take.from_records(takes, name, records["clips"], records["links"])
        if not self._keeps_references:
            for link in records["links"]:
                self._opening.evict_sounds(link["sound"].partition("/")[0])
        if self._older.hold(take):
            self._notices.tell(
                "replay",
                f"step {take.step} was logged before, when {self._bucket.url!r} was last "
                "opened: both are kept, and readers show the newest (all_versions=True shows both)",
            )

    def _settle(self) -> None:
        """Send what is pending, and what is noted of all that was sent."""
        self._send_pending()
        while self._begun and not self._refused:
            try:
                self._sender.send_notes(all_of_them=True)
                if self._ending:
                    self._sender.close()
            except Exception as error:  # noqa: BLE001 - as above
                self._fail(error)
                self._send_pending()
            else:
                return

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        name = "" if type(error).__module__.startswith("earmark.") else f"{type(error).__name__}: "
        if self._notices.record is not None and self._failures == 1:
            self._notices.record(f"the sending of {len(self._pending)} takes, for now", str(error))
        self._notices.tell(
            ("upload", self._refused),
            f"clips cannot be sent to {self._bucket.url!r} now: {name}{error}. They are kept in "
            f"{str(self._opening.folder)!r}, and tried again; what is left there when the "
            "program ends, `earmark push` sends",
        )
        if not self._refused and not self._hurry.wait(_wait_after(self._failures)):
            return
        self._hurry.clear()
        self._failures = min(self._failures, 1)

    def _leave(self) -> None:
        """Remove the spool, if nothing in it is needed by anyone."""
        if not self._pending and self._holders.is_idle:
            self._opening.remove()


def _wait_after(failures: int) -> float:
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(failures - 1, 30))
    return longest * _chance.uniform(0.5, 1.0)  # so that ranks do not come at once
