"""Memory: warm buffers for copies, and a bound on how many bytes wait to be published."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict

from earmark.convert import Allocate, Buffer, pageable
from earmark.worker import on_a_worker

MIB = 1 << 20
_SMALLEST = 1 << 12


class Memory:
    """Hands out buffers that have been used before, since a page that was never touched is slow.

    Args:
        limit: How many bytes may be in use at once; a buffer larger than that is taken alone.
        max_wait_seconds: How long `acquire` waits for room, in total, until nothing is in use.
    """

    def __init__(self, limit: int, max_wait_seconds: float = 10.0) -> None:
        self._limit = limit
        self._keeps = True
        self._max_wait = max_wait_seconds
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        # Re-entrant: a signal handler may log while the thread that it interrupts is in here.
        self._room = threading.Condition(threading.RLock())
        self._free: defaultdict[tuple[Allocate, int], list[Buffer]] = defaultdict(list)
        self._in_use = 0
        self._kept = 0
        self._patience = self._max_wait
        self._takes = 0
        self.waiting_helps = True
        """Whether room is being made: not while nothing can be published."""

    def sent(self) -> None:
        """Note that a take is on its way to be published, which makes room."""
        self._check_fork()
        with self._room:
            self._takes += 1

    def arrived(self, *, published: bool) -> None:
        """Note what became of a take that was sent."""
        self._check_fork()
        with self._room:
            self._takes = max(0, self._takes - 1)
            self.waiting_helps = published
            self._room.notify_all()

    @property
    def limit(self) -> int:
        """How many bytes may be in use at once."""
        return self._limit

    @property
    def in_use(self) -> int:
        """How many bytes are waiting to be published."""
        return self._in_use

    def acquire(self, num_bytes: int, allocate: Allocate = pageable) -> Buffer | None:
        """Hand out a buffer of at least so many bytes, waiting for room if that helps.

        Args:
            num_bytes: How many.
            allocate: Makes such memory, of which each kind is kept apart and all is counted.

        Returns:
            The buffer, to be given back to `release`; `None` if there is no room.
        """
        self._check_fork()
        size = _size_class(num_bytes)
        with self._room:
            if not self._count(size):
                return None
            free = self._free[allocate, size]
            if free:
                self._kept -= size
                return free.pop()
            self._forget()
        try:
            return allocate(size)
        except BaseException:
            self._free_up(size)
            raise

    def reserve(self, num_bytes: int) -> bool:
        """Count memory that is there already, waiting for room as `acquire` does.

        Args:
            num_bytes: How many, to be given back to `free`.

        Returns:
            Whether there is room for them.
        """
        self._check_fork()
        with self._room:
            counted = self._count(_size_class(num_bytes))
            self._forget()
            return counted

    def free(self, num_bytes: int) -> None:
        """Count what was reserved no longer."""
        self._check_fork()
        self._free_up(_size_class(num_bytes))

    def close(self) -> None:
        """Keep no buffer for later: those that are in use go back to the system, too."""
        with self._room:
            self._keeps = False
            self._free.clear()
            self._kept = 0

    def release(self, buffer: Buffer, allocate: Allocate = pageable) -> None:
        """Take a buffer back, to the kind of memory that it was acquired as."""
        self._check_fork()
        with self._room:
            self._free_up(buffer.nbytes)
            if self._keeps and self._in_use + self._kept + buffer.nbytes <= self._limit:
                self._free[allocate, buffer.nbytes].append(buffer)
                self._kept += buffer.nbytes

    def _free_up(self, size: int) -> None:
        with self._room:
            self._in_use = max(0, self._in_use - size)  # a forked child releases what it inherited
            self._room.notify_all()

    def _check_fork(self) -> None:
        # A child has none of its parent's threads, to wait for or to let go of a lock.
        if os.getpid() != self._pid:
            self._reset()

    def _count(self, size: int) -> bool:
        # Not with every bit of room that is made: a slow disk would hold training for ever.
        if self._in_use == 0:
            self._patience = self._max_wait
        if not self._has_room(size) and not self._wait_for(size):
            return False
        self._in_use += size
        return True

    def _has_room(self, size: int) -> bool:
        return self._in_use == 0 or self._in_use + size <= self._limit

    def _wait_for(self, size: int) -> bool:
        if on_a_worker():
            return False
        started = time.monotonic()
        self._room.wait_for(
            lambda: self._has_room(size) or not (self._takes and self.waiting_helps),
            timeout=self._patience,
        )
        self._patience = max(0.0, self._patience - (time.monotonic() - started))
        return self._has_room(size)

    def _forget(self) -> None:
        # Buffers of sizes that are no longer asked for make way.
        for kind in list(self._free):
            while self._free[kind] and self._in_use + self._kept > self._limit:
                self._kept -= self._free[kind].pop().nbytes


def _size_class(num_bytes: int) -> int:
    """Round up by an eighth at most, so that clips of nearly one length share buffers."""
    step = max(_SMALLEST, 1 << max(0, num_bytes.bit_length() - 4))
    return -(-max(1, num_bytes) // step) * step
