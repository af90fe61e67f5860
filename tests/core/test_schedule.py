from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark import Schedule, at_epochs, every_n_epochs, every_n_steps
from earmark.errors import ArgumentError
from earmark.schedule import Position

EPOCHS = st.lists(st.integers(0, 60), min_size=1, max_size=30, unique=True).map(sorted)


def due_at(schedule: Schedule, epochs: list[int], *, final: bool = False) -> list[int]:
    """The epochs whose validation is logged, when there is one after each of `epochs`."""
    logged: list[int] = []
    last = None
    for epoch in epochs:
        now = Position(epoch, epoch * 100)
        if schedule.due(now, last, final=final and epoch == epochs[-1]):
            logged.append(epoch)
            last = now
    return logged


def test_every_n_epochs_as_documented() -> None:
    """The first, then the first at or after each multiple, and the last."""
    validated = [2, 5, 8, 11, 14, 17]

    assert due_at(every_n_epochs(5), validated, final=True) == [2, 5, 11, 17]
    assert due_at(every_n_epochs(5), [0, 1, 2, 3, 4, 5, 6, 7]) == [0, 5]
    assert due_at(every_n_epochs(1), validated) == validated


@given(st.integers(1, 20), EPOCHS, st.booleans())
def test_every_n_epochs_misses_no_multiple_and_takes_none_twice(
    n: int, epochs: list[int], final: bool
) -> None:
    """Of the validations between two multiples of n, the first one is logged, and no other.

    Counted afresh: an epoch belongs to the stretch that begins at its last multiple of n.
    """
    first_of_stretch: dict[int, int] = {}
    for epoch in epochs:
        stretch = math.floor(epoch / n)
        first_of_stretch.setdefault(stretch, epoch)
    expected = set(first_of_stretch.values()) | ({epochs[-1]} if final else set())

    assert due_at(every_n_epochs(n), epochs, final=final) == sorted(expected)


def test_the_last_validation_is_not_logged_twice() -> None:
    """Asked again where it has just been logged, a schedule of every N has had enough."""
    assert every_n_epochs(5).due(Position(7, 70), Position(6, 60), final=True)
    assert not every_n_epochs(5).due(Position(7, 70), Position(7, 70), final=True)


@given(st.integers(1, 50), st.integers(1, 20), st.integers(1, 60))
def test_every_n_steps_with_validations_within_epochs(
    n: int, interval: int, validations: int
) -> None:
    """With a validation every so many batches, takes are n steps apart, and as few as can be."""
    steps = [interval * (index + 1) for index in range(validations)]
    logged: list[int] = []
    last = None
    for step in steps:
        now = Position(step // 100, step)
        if every_n_steps(n).due(now, last):
            logged.append(step)
            last = now

    assert logged[0] == steps[0]
    for before, after in pairwise(logged):
        multiple = (before // n + 1) * n
        assert after == min(step for step in steps if step >= multiple)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), EPOCHS)
def test_at_epochs_takes_each_listed_one_once(listed: list[int], epochs: list[int]) -> None:
    """Each listed epoch is served by the first validation at or after it; one may serve several."""
    served = {min((epoch for epoch in epochs if epoch >= wanted), default=-1) for wanted in listed}

    assert due_at(at_epochs(listed), epochs) == sorted(served - {-1})


def test_the_last_validation_decides_nothing_for_a_list_of_epochs() -> None:
    """A list means what it says: the last validation is logged if it is listed."""
    assert due_at(at_epochs([0, 5]), [0, 3, 6, 9], final=True) == [0, 6]


@pytest.mark.parametrize("schedule", [every_n_epochs(5), every_n_steps(500)])
def test_training_taken_up_from_further_back_is_logged_again(schedule: Schedule) -> None:
    """A model put back to an older checkpoint is heard at the next validation behind a multiple."""
    assert schedule.due(Position(12, 1200), Position(23, 2300))


@pytest.mark.parametrize("schedule", [every_n_epochs(5), every_n_steps(500), at_epochs([7])])
def test_a_schedule_remembers_nothing(schedule: Schedule) -> None:
    """Asked the same twice, it answers the same; it is equal to its copy in another process."""
    now, last = Position(7, 700), Position(4, 400)

    assert [schedule.due(now, last) for _ in range(3)] == [True] * 3
    assert pickle.loads(pickle.dumps(schedule)) == schedule  # noqa: S301 - written a moment ago


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            every_n_epochs(5),
            r"expected epoch= for a schedule of every 5 epochs, got none: pass the",
        ),
        (
            every_n_steps(100),
            r"expected step= for a schedule of every 100 steps, got none: pass the",
        ),
        (
            at_epochs([0, 5]),
            r"expected epoch= for a schedule at epochs \[0, 5\], got none: pass the",
        ),
    ],
)
def test_a_schedule_asks_for_what_it_needs(schedule: Schedule, message: str) -> None:
    """Without the unit it counts in, a schedule says which one to pass."""
    with pytest.raises(ArgumentError, match=message):
        schedule.due(Position(None, None), None)


@pytest.mark.parametrize("n", [0, -1, 2.5, 5.0, True, "5", None])
@pytest.mark.parametrize("make", [every_n_epochs, every_n_steps])
def test_an_interval_is_a_positive_integer(make: Callable[[object], Schedule], n: object) -> None:
    """Anything else is refused where the schedule is made, before training."""
    name = getattr(make, "__name__", "")
    with pytest.raises(
        ArgumentError, match=rf"expected {name} of a positive integer, got {n!r}: 1 logs each time"
    ):
        make(n)


@pytest.mark.parametrize("epochs", [[], [-1], [1.5], ["1"], "15", 5, None, [True]], ids=repr)
def test_at_epochs_takes_a_list_of_epochs(epochs: list[int]) -> None:
    """Anything else is refused where the schedule is made, before training."""
    with pytest.raises(
        ArgumentError,
        match=r"expected at_epochs of a list of epochs, such as \[0, 1, 5, 50\], got .*: epochs",
    ):
        at_epochs(epochs)


def test_numpy_integers_are_integers() -> None:
    """An interval or a list that was computed is as good as one that was typed."""
    assert every_n_epochs(np.int64(5)) == every_n_epochs(5)  # type: ignore[arg-type]  # not an int
    assert at_epochs(np.array([5, 1])) == at_epochs([1, 5])
    assert at_epochs(range(0, 20, 10)) == at_epochs([0, 10])
