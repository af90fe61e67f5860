"""When to log, as a value: a schedule says whether a validation is due, and remembers nothing."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from earmark.errors import ArgumentError, ArgumentTypeError, shown


class Position(NamedTuple):
    """Where training stands."""

    epoch: int | None
    """Counted from 0."""
    step: int | None
    """Batches that stepped."""


class Schedule(Protocol):
    """A pure rule. Any object with this method will do."""

    def due(self, now: Position, last: Position | None, *, final: bool = False) -> bool:
        """Say whether to log now.

        Args:
            now: Where training stands.
            last: Where it stood when the last take was logged; `None` if there is none.
            final: Whether this is known to be the last validation.
        """
        ...


@dataclass(frozen=True)
class Every:
    """Due at the first validation, then at the first at or after each multiple, and at the last.

    every_n_epochs(5), validation after epochs   2  5  8  11  14  17(last)
    due at                                       2  5     11      17
    """

    n: int
    unit: str

    def due(self, now: Position, last: Position | None, *, final: bool = False) -> bool:
        """Say whether a multiple of `n` was reached since the last take."""
        position = getattr(now, self.unit)
        if position is None:
            other = "steps" if self.unit == "epoch" else "epochs"
            raise ArgumentError(
                f"expected {self.unit}= for a schedule of every {self.n} {self.unit}s, got none: "
                f"pass the {self.unit}, or log by {other}, every_n_{other}"
            )
        if last is None or getattr(last, self.unit) is None:
            return True
        before = getattr(last, self.unit)
        # A position behind the last take's is training taken up again from further back.
        return position // self.n != before // self.n or (final and now != last)


@dataclass(frozen=True)
class AtEpochs:
    """Due at the first validation at or after each listed epoch."""

    epochs: tuple[int, ...]

    def due(
        self,
        now: Position,
        last: Position | None,
        *,
        final: bool = False,  # noqa: ARG002 - the list alone decides
    ) -> bool:
        """Say whether a listed epoch was reached since the last take."""
        if now.epoch is None:
            raise ArgumentError(
                f"expected epoch= for a schedule at epochs {list(self.epochs)}, got none: "
                "pass the epoch"
            )
        before = -1 if last is None or last.epoch is None else last.epoch
        return any(before < epoch <= now.epoch for epoch in self.epochs)


def every_n_epochs(n: int) -> Schedule:
    """Log at the first validation, then every `n` epochs, and at the last validation.

    Raises:
        ArgumentError: If `n` is not a positive integer.
    """
    return Every(_positive("every_n_epochs", n), "epoch")


def every_n_steps(n: int) -> Schedule:
    """Log at the first validation, then every `n` steps, and at the last validation.

    Raises:
        ArgumentError: If `n` is not a positive integer.
    """
    return Every(_positive("every_n_steps", n), "step")


def at_epochs(epochs: Iterable[int]) -> Schedule:
    """Log at the first validation at or after each of these epochs, counted from 0.

    Raises:
        ArgumentError: If they are not epochs, or none are given.
    """
    try:
        listed = tuple(epochs)
    except TypeError:  # one number, or nothing at all
        listed = ()
    if not listed or not all(_is_int(epoch) and epoch >= 0 for epoch in listed):
        raise ArgumentError(
            f"expected at_epochs of a list of epochs, such as [0, 1, 5, 50], got {epochs!r}: "
            "epochs are integers, counted from 0"
        )
    return AtEpochs(tuple(sorted(map(int, listed))))


def chosen_schedule(
    every_epochs: int | None, every_steps: int | None, schedule: Schedule | None
) -> Schedule:
    """Make a schedule of what a monitor was given, of which there may be one.

    Args:
        every_epochs: What `every_n_epochs` was given as.
        every_steps: What `every_n_steps` was given as.
        schedule: What `schedule` was given as; every epoch, if nothing was given.

    Raises:
        ArgumentError: If several were given, or an impossible number.
        ArgumentTypeError: If the schedule is none.
    """
    given = {"every_n_epochs": every_epochs, "every_n_steps": every_steps, "schedule": schedule}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ArgumentError(
            f"expected one of every_n_epochs, every_n_steps and schedule, got "
            f"{' and '.join(names)}: leave out all but one"
        )
    if schedule is not None:
        if not hasattr(schedule, "due"):
            raise ArgumentTypeError(
                "expected schedule as one such as earmark.at_epochs([0, 1, 5, 50]), got "
                f"{shown(schedule)}"
            )
        return schedule
    if every_steps is not None:
        return every_n_steps(every_steps)
    return every_n_epochs(1 if every_epochs is None else every_epochs)


def _positive(name: str, n: int) -> int:
    if not _is_int(n) or n < 1:
        raise ArgumentError(f"expected {name} of a positive integer, got {n!r}: 1 logs each time")
    return int(n)


def _is_int(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, numbers.Integral)
