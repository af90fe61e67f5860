from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.clips import LONG, SHORT
from benchmarks.figures import best_tracker, figures, interval, milliseconds
from benchmarks.outcomes import Burst, Loop, Measured, Outcomes, Reading


def peer(short: float, long: float, cpu: float = 1.0) -> Measured:
    """A peer that took the same time in each of five rounds."""
    return Measured(
        held_seconds={SHORT.name: [short] * 15, LONG.name: [long] * 5},
        cpu_seconds={SHORT.name: [cpu] * 15, LONG.name: [cpu] * 5},
        peak_mib=10,
    )


@pytest.fixture
def outcomes() -> Outcomes:
    """Everything measured, and every figure reached, the first one just so."""
    return Outcomes(
        peers={
            "earmark": peer(0.001, 0.010, 1.2),
            "earmark_tensors": peer(0.0009, 0.012, 1.2),
            "copy": peer(0.0005, 0.009),
            "flac": peer(0.06, 0.6),
            "wandb": peer(0.03, 0.3),
            "trackio": peer(0.006, 0.4),
        },
        disk_bytes={"earmark": 40, "wav": 100},
        epochs=20,
        import_seconds={"earmark": [0.11] * 11, "earmark.Run": [0.12] * 11, "wav": [0.1] * 11},
        loop=Loop([1.001, 1.002, 1.003, 1.0], 0.11, 1),
        burst=Burst(150, 128, 800, 200, 200),
        readings=[
            Reading(1_000, 0.1, 0.02, 0.1, 0.1, 1, (10, 4)),
            Reading(100_000, 0.5, 2.0, 1, 0.1, 100, (1034, 6)),
        ],
        missing={},
    )


def verdicts(outcomes: Outcomes) -> list[str]:
    """Whether each figure is reached."""
    return [figure.verdict for figure in figures(outcomes)]


def test_each_figure_is_held_against_the_designs_limit(outcomes: Outcomes) -> None:
    """1/6 of trackio's short call, 1/30 of W&B's long one, 10/9 of the copy, and so on.

    Of tensors, 0.15 and 0.04.
    """
    held, cpu = [1 / 6, 0.15, 1 / 30, 0.04, 10 / 9], [1.2, 1.2]
    others = [0.4, 1.1, 1.2, 150 / 192, 0.5, 1, 0.5]
    expected = [*held, 1.0015, *cpu, *others]
    assert [figure.ratio for figure in figures(outcomes)] == pytest.approx(expected, rel=1e-3)
    assert set(verdicts(outcomes)) == {"reached"}


def test_the_best_tracker_may_be_another_one_for_each_case(outcomes: Outcomes) -> None:
    """Neither copies nor plain files are trackers, nor are those that failed."""
    assert best_tracker(outcomes, SHORT) == "trackio"
    assert best_tracker(outcomes, LONG) == "wandb"
    outcomes.peers["wandb"].failure = "it broke"
    assert best_tracker(outcomes, LONG) == "trackio"


def test_what_is_over_its_limit_is_not_reached(outcomes: Outcomes) -> None:
    """A cost per clip that doubles, and a loop whose interval ends above 1.01."""
    readings = [*outcomes.readings[:1], replace(outcomes.readings[1], list_seconds=4.0)]
    slow = replace(outcomes, readings=readings, loop=Loop([0.98, 1.04, 1.0, 1.02], 0.11, 1))
    assert verdicts(slow)[5] == verdicts(slow)[-2] == "not reached"


def test_what_was_not_measured_says_why(outcomes: Outcomes) -> None:
    """A part that failed is no figure that was reached."""
    missing = replace(outcomes, burst=None, loop=None, missing={"loop": "no torch", "memory": "x"})
    del missing.disk_bytes["wav"]  # type: ignore[attr-defined]  # it is a dict here
    unmeasured = [each for each in figures(missing) if each.verdict == "not measured"]
    assert [each.detail for each in unmeasured] == [
        "no torch",
        "earmark or soundfile was not measured",
        "x",
    ]


def test_a_peer_that_failed_is_the_reason(outcomes: Outcomes) -> None:
    """The figures that need it are not measured."""
    outcomes.peers["copy"].failure = "it broke"
    figure = figures(outcomes)[4]
    assert (figure.verdict, figure.detail) == ("not measured", "it broke")


def test_the_interval_holds_the_true_ratio() -> None:
    """Of 200 series of pairs around 1.005, about 95 % of the intervals hold it."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = interval([*rng.normal(1.005, 0.01, 30)])
        held += low < 1.005 < high
    assert 0.88 < held / 200 < 1


def test_one_pair_says_nothing() -> None:
    """Its interval has no end."""
    assert interval([1.0]) == (0, math.inf)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.000_2, "0.200 ms"), (0.0123, "12.3 ms"), (1.5, "1,500 ms"), (0, "0 ms")],
)
def test_durations_have_three_digits(seconds: float, text: str) -> None:
    """However short or long they are."""
    assert milliseconds(seconds) == text
