"""Worker: one daemon thread that does jobs in their order."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import TypeAlias

Job: TypeAlias = Callable[[], None]

_ours = threading.local()
_MOMENT = 1.0
"""Seconds for a thread without jobs to end; it does not, if another thread has put more."""


def on_a_worker() -> bool:
    """Whether this code runs on one of earmark's own threads, which must wait for none of them."""
    return getattr(_ours, "worker", False)


class Worker:
    """Does jobs, one after the other, on a daemon thread that the first job starts.

    `put` may be called from any thread, and from a signal handler or a destructor that interrupts
    another `put`. After `close`, the next job starts a thread anew.

    Args:
        name: What the thread is called.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        # Held while there is a thread. Nobody waits for it, so who interrupts its holder is safe.
        self._alive = threading.Lock()

    def put(self, job: Job) -> None:
        """Have a job done, after those before it."""
        if os.getpid() != self._pid:  # threads do not survive a fork, nor do the parent's jobs
            self._reset()
        self._jobs.put(job)
        if self._alive.acquire(blocking=False):
            self._start()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        try:
            thread.start()
            self._thread = thread
        except RuntimeError:  # there are too many threads, or the interpreter is ending
            self._jobs.put(None)
            self._work()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything put so far is done, `timeout` seconds at most.

        Returns:
            Whether it is. Nothing is waited for on one of earmark's own threads.
        """
        if os.getpid() != self._pid or not self._alive.locked():
            return True
        if on_a_worker():
            return False
        done = threading.Event()
        self.put(done.set)
        return done.wait(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """End the thread once everything put so far is done.

        Returns:
            Whether that took no more than `timeout` seconds.
        """
        flushed = self.flush(timeout)
        self.end()
        if flushed and self._thread is not None and os.getpid() == self._pid:
            self._thread.join(_MOMENT)
        return flushed

    def end(self) -> None:
        """End the thread once everything put so far is done; this waits for nothing."""
        if os.getpid() == self._pid and self._alive.locked():
            self._jobs.put(None)

    def _work(self) -> None:
        before, _ours.worker = on_a_worker(), True
        working = True
        while working:
            while (job := self._jobs.get()) is not None:
                _do(job)
                del job  # it holds samples
            self._alive.release()
            # What was put meanwhile found a thread, and started none.
            working = not self._jobs.empty() and self._alive.acquire(blocking=False)
        _ours.worker = before


def _do(job: Job) -> None:
    try:
        job()
    except BaseException as error:  # noqa: BLE001 - a thread that died would leave the rest undone
        told = (type(error), error, error.__traceback__, threading.current_thread())
        threading.excepthook(threading.ExceptHookArgs(told))
