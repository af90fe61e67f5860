"""Notices: what went wrong while training goes on, said once a cause, and counted."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Generator, Hashable
from contextlib import contextmanager

from earmark.errors import EarmarkWarning


class Notices:
    """Says each cause once.

    Args:
        strict: Raise errors instead of warning of them.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._counts: Counter[Hashable] = Counter()

    def tell(self, cause: Hashable, message: str) -> None:
        """Warn, the first time that this cause comes up."""
        self._counts[cause] += 1
        if self._counts[cause] == 1:
            warnings.warn(f"earmark: {message}", EarmarkWarning, stacklevel=2)

    def fault(self, cause: Hashable, lost: str, error: Exception) -> None:
        """Tell of an error and what was lost by it; raise it if that is wanted."""
        if self.strict:
            raise error
        name = "" if type(error).__module__.startswith("earmark.") else f"{type(error).__name__}: "
        self.tell(
            cause,
            f"{lost} was not logged: {name}{error}. Training goes on, and more of the same is "
            "passed over silently; strict=True raises instead",
        )

    @contextmanager
    def guard(self, cause: Hashable, lost: str) -> Generator[None]:
        """Keep whatever goes wrong inside from whoever trains."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - values, users' functions and trackers raise all
            self.fault((*_parts(cause), type(error)), lost, error)

    @property
    def total(self) -> int:
        """How often anything was told or would have been."""
        return self._counts.total()


def _parts(cause: Hashable) -> tuple[Hashable, ...]:
    return cause if isinstance(cause, tuple) else (cause,)
