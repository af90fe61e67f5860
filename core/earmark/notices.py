"""Notices: what went wrong while training goes on, said once a cause, and counted."""

from __future__ import annotations

import warnings
from collections import Counter, deque
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from types import TracebackType

from earmark.errors import EarmarkWarning
from earmark.worker import on_a_worker


class Notices:
    """Says each cause once, on the caller's thread: what happens behind waits for `speak`.

    Args:
        strict: Raise errors instead of warning of them.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.record: Callable[[str, str], None] | None = None
        """Who keeps a record of every fault: a function of what was lost and why."""
        self._counts: Counter[Hashable] = Counter()
        self._behind: deque[str | BaseException] = deque()

    def tell(self, cause: Hashable, message: str) -> None:
        """Warn, the first time that this cause comes up."""
        before = self._counts[cause]
        self._counts[cause] = before + 1
        if before:
            return
        if on_a_worker():
            self._behind.append(f"earmark: {message}")
        else:
            warnings.warn(f"earmark: {message}", EarmarkWarning, stacklevel=2)

    def speak(self) -> None:
        """Say what has come up behind since the last call; raise it if that is wanted.

        On a thread of earmark's own it stays behind: a sink may log, and has nobody to tell.
        """
        while self._behind and not on_a_worker():
            try:
                notice = self._behind.popleft()
            except IndexError:  # another thread has said it
                return
            if isinstance(notice, BaseException):
                raise notice
            warnings.warn(notice, EarmarkWarning, stacklevel=3)

    def fault(self, cause: Hashable, lost: str, error: BaseException) -> None:
        """Tell of an error and what was lost by it; raise it if that is wanted."""
        if self.record is not None:
            self.record(lost, f"{type(error).__name__}: {error}")
        if self.strict and on_a_worker():
            self._behind.append(error)
            return
        if self.strict:
            raise error
        name = "" if type(error).__module__.startswith("earmark.") else f"{type(error).__name__}: "
        self.tell(
            cause,
            f"{lost} was not logged: {name}{error}. Training goes on, and more of the same is "
            "passed over silently; strict=True raises instead",
        )

    def tell_of(self, cause: Hashable, error: Exception) -> None:
        """Tell of an error by which nothing was lost; raise it if that is wanted."""
        if not self.strict:
            self.tell(cause, str(error))
        elif on_a_worker():
            self._behind.append(error)
        else:
            raise error

    def guard(self, cause: Hashable, lost: str) -> AbstractContextManager[None]:
        """Keep whatever goes wrong inside from whoever trains."""
        return _Guard(self, cause, lost)

    @property
    def total(self) -> int:
        """How often anything was told or would have been."""
        return self._counts.total()


class _Guard:
    """A context that tells of errors; each clip enters two, and a generator would be slow."""

    __slots__ = ("_cause", "_lost", "_notices")

    def __init__(self, notices: Notices, cause: Hashable, lost: str) -> None:
        self._notices, self._cause, self._lost = notices, cause, lost

    def __enter__(self) -> None:
        """Nothing has gone wrong yet."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if not isinstance(error, Exception):  # the user may always stop
            return None
        self._notices.fault((*_parts(self._cause), type(error)), self._lost, error)
        return True


def _parts(cause: Hashable) -> tuple[Hashable, ...]:
    return cause if isinstance(cause, tuple) else (cause,)
