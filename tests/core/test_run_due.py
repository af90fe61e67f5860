from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earmark import EarmarkWarning, Run, Schedule, at_epochs, every_n_epochs, every_n_steps
from earmark.errors import ArgumentError
from earmark.schedule import Position
from earmark.testing import noise

BATCH = torch.from_numpy(np.stack([noise(seed=seed)[:, 0] for seed in range(4)]))


def loop(run: Run, positions: list[tuple[int, int]], *, batches: int = 1) -> list[int]:
    """Validate at these epochs and steps, asking before each batch; say where was logged."""
    logged = []
    for epoch, step in positions:
        answers = []
        for _ in range(batches):
            answers.append(run.due(epoch=epoch, step=step))
            if answers[-1]:
                run.log({"prediction": [0.5]}, step=step, epoch=epoch, sample_rate=8000)
        assert len(set(answers)) == 1
        logged += [step] * answers[0]
    return logged


def brute_force(n: int, positions: list[tuple[int, int]], unit: int) -> list[int]:
    """Walk through every epoch or step one by one, and log where one of them was a multiple."""
    logged: list[int] = []
    reached = -1
    for position in positions:
        passed = range(reached + 1, position[unit] + 1)
        if not logged or any(count % n == 0 for count in passed):
            logged.append(position[1])
        reached = position[unit]
    return logged


@given(
    st.integers(1, 8),
    st.lists(st.integers(1, 7), min_size=1, max_size=12),
    st.sampled_from([0, 1]),
    st.integers(1, 3),
)
def test_each_due_point_is_logged_once(n: int, gaps: list[int], unit: int, batches: int) -> None:
    """However validations fall, within epochs or every few, a due point is logged once.

    And the answer is the same for every batch of one validation.
    """
    steps = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    positions = [(step // 5, step) for step in steps]
    schedule = (every_n_epochs, every_n_steps)[unit](n)
    with Run("unwritten", schedule=schedule, dry_run=True) as run:
        assert loop(run, positions, batches=batches) == brute_force(n, positions, unit)


def test_without_a_schedule_everything_is_due(tmp_path: Path) -> None:
    """A run that was given no schedule is due whenever it is asked."""
    with Run(tmp_path) as run:
        assert all(run.due(epoch=epoch) for epoch in range(3))
        assert run.due()


def test_the_last_validation_is_due(tmp_path: Path) -> None:
    """What a loop knows to be its last validation is logged, though nothing else is due."""
    with Run(tmp_path, schedule=every_n_epochs(5)) as run:
        assert loop(run, [(0, 0), (1, 10)]) == [0]
        assert not run.due(epoch=2, step=20)
        assert run.due(epoch=2, step=20, final=True)


def test_what_is_logged_unasked_moves_no_due_point(tmp_path: Path) -> None:
    """Clips of another tag, logged at every validation, leave the schedule of the first alone."""
    logged = []
    with Run(tmp_path, schedule=every_n_epochs(3)) as run:
        for epoch in range(8):
            run.log({"prediction": BATCH[0]}, epoch=epoch, tag="always", sample_rate=16_000)
            if run.due(epoch=epoch):
                logged.append(epoch)
                run.log({"prediction": BATCH[0]}, epoch=epoch, tag="val", sample_rate=16_000)
            run.log({"prediction": BATCH[1]}, epoch=epoch, tag="always", sample_rate=16_000)

    assert logged == [0, 3, 6]


def test_a_loop_may_log_by_less_than_it_asked(tmp_path: Path) -> None:
    """Asked by epoch and step, and logged by step alone, each validation counts once."""
    logged = []
    with Run(tmp_path, schedule=every_n_epochs(2)) as run:
        for epoch in range(5):
            for batch in BATCH[:2]:
                if run.due(epoch=epoch, step=epoch * 10):
                    logged.append(epoch)
                    run.log({"prediction": batch}, step=epoch * 10, sample_rate=16_000)

    assert logged == [0, 0, 2, 2, 4, 4]


def test_what_was_due_and_not_logged_stays_due(tmp_path: Path) -> None:
    """A validation that logged nothing, whatever the reason, leaves that to the next one."""
    with Run(tmp_path, schedule=every_n_epochs(5)) as run:
        loop(run, [(0, 0)])
        assert run.due(epoch=5)
        assert run.due(epoch=6)
        run.log({"prediction": BATCH[0]}, epoch=6, sample_rate=16_000)
        assert not run.due(epoch=7)


@pytest.mark.parametrize(
    ("schedule", "place", "message"),
    [
        (every_n_epochs(2), {"step": 1}, r"expected epoch= for a schedule of every 2"),
        (every_n_steps(2), {"epoch": 1}, r"expected step= for a schedule of every 2"),
        (at_epochs([1]), {}, r"expected epoch= for a schedule at epochs \[1\]"),
        (
            None,
            {"epoch": 1.5},
            r"expected the epoch as a whole number, 0 or more, got 1\.5 \(float",
        ),
        (
            None,
            {"step": -1},
            r"expected the step as a whole number, 0 or more, got -1 \(int\): count",
        ),
    ],
)
def test_due_raises_what_is_wrong_with_the_loop(
    tmp_path: Path, schedule: Schedule | None, place: dict[str, Any], message: str
) -> None:
    """A loop that does not say where it stands is mended before the first step, not warned."""
    with Run(tmp_path, schedule=schedule) as run, pytest.raises(ArgumentError, match=message):
        run.due(**place)


class Broken:
    """A schedule of a user's own, with a bug."""

    def due(self, now: Position, last: Position | None, *, final: bool = False) -> bool:
        """Divide by zero."""
        return [now, last, final][0 // 0] == last


def test_a_broken_schedule_stops_no_training(tmp_path: Path) -> None:
    """A bug in a schedule of one's own costs the clips, and is told once."""
    with Run(tmp_path, schedule=Broken()) as run:
        with pytest.warns(
            EarmarkWarning, match=r"was not logged: ZeroDivisionError: integer division"
        ):
            assert not run.due(epoch=1)
        assert not run.due(epoch=2)
    with Run(tmp_path, schedule=Broken(), strict=True) as run, pytest.raises(ZeroDivisionError):
        run.due(epoch=1)
