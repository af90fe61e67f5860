"""Many ranks behind every framework's monitor: who logs, who predicts, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from earmark import Run
from earmark.errors import ArgumentError
from earmark.monitor import Monitor
from earmark.ranks import Drawn, Policy
from tests.core.monitor_loops import RATE, logged, loop, sounds, told


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run that is closed at the end."""
    with Run(tmp_path / "run") as run:
        yield run


def member(rank: int, world_size: int, **given: Any) -> Monitor:
    """The monitor of one rank."""
    monitor = Monitor(sample_rate=RATE, **given)
    monitor.join(rank=rank, world_size=world_size)
    return monitor


def drawn_by(start: int, is_shared: bool, count: int) -> Drawn:
    """So many items, from this one on."""
    return Drawn(range(start, start + count), True, is_shared)


@pytest.mark.parametrize(
    ("policy", "writing"),
    [
        ("zero", [True, False, False]),
        ("shard", [True, True, False]),
        ("all", [True, True, True]),
    ],
)
def test_ranks_that_log_nothing_need_no_run(policy: Policy, writing: list[bool]) -> None:
    """Of three ranks with two examples between them, the last has none under "shard"."""
    ranks = [member(rank, 3, max_examples=2, ranks=policy) for rank in range(3)]
    assert [monitor.writes for monitor in ranks] == writing


def test_the_policy_is_checked() -> None:
    """An unknown one is refused by the constructor."""
    with pytest.raises(ArgumentError, match=r"^expected ranks to be one of 'zero', 'shard', 'all'"):
        Monitor(ranks="some")  # type: ignore[arg-type]  # what the test is about


@pytest.mark.filterwarnings("ignore:.*does not say which rank draws:earmark.EarmarkWarning")
@pytest.mark.parametrize("policy", ["zero", "shard", "all"])
@pytest.mark.parametrize("is_shared", [True, False])
def test_all_ranks_predict_the_same_batches(policy: Policy, is_shared: bool, run: Run) -> None:
    """Whatever the batches hold, however large they are, and whatever has been logged of them."""
    decisions: list[list[bool]] = []
    for rank in range(3):
        monitor = member(rank, 3, max_examples=8, ranks=policy, run=run)
        monitor.begin(epoch=0, step=0)
        decisions.append([])
        for index in range(6):
            ids = [f"{rank}-{index}-{item}" for item in range(1 + rank)]
            batch = {"id": ids} if rank else {}
            decides = monitor.predicts("val", batch, num_before=2 * index, is_shared=is_shared)
            decisions[-1].append(decides)
            drawn = partial(drawn_by, index * len(ids), is_shared)
            monitor.add("val", sounds(len(ids)), batch, drawn)
        monitor.end()
    assert decisions[0] == decisions[1] == decisions[2]
    assert sum(decisions[0]) == (2 if policy == "shard" and is_shared else 4)


def test_nothing_is_predicted_where_nothing_is_due() -> None:
    """Nor between two loops."""
    monitor = member(0, 2)
    assert not monitor.predicts("val", {}, num_before=0, is_shared=True)


def test_a_rank_without_a_run_logs_nothing_and_says_nothing() -> None:
    """What is wrong with its sounds is rank zero's to tell."""
    loop(member(1, 2), object())


def test_resuming_gives_no_rank_the_examples_of_another(run: Run) -> None:
    """Only rank zero goes on with what its checkpoint holds."""
    ranks = [member(rank, 2, max_examples=4, ranks="shard", run=run) for rank in range(2)]
    ids = {"id": ["a", "b", "c", "d"]}
    state = {"examples": {"val": ["d", "b"]}, "last": [0, 0], "world_size": 2}
    for monitor, expected in zip(ranks, [["b", "d"], ["a", "c"]], strict=True):
        monitor.restore(state)
        monitor.begin(epoch=1, step=1)
        monitor.add("val", sounds(4), ids, partial(drawn_by, 0, True))
        monitor.end()
        assert sorted(monitor.state()["examples"]["val"]) == expected
        assert monitor.state()["last"] == [1, 1]
    assert sorted(clip.example for clip in logged(run)) == ["a", "b", "c", "d"]


def test_sinks_have_the_clips_of_rank_zero() -> None:
    """That is said where other ranks log as well, and only there."""
    with told("earmark: trackers get the clips of rank zero, where their loggers are: those of"):
        member(0, 2, ranks="all").tell_of_sinks(1)
    member(0, 2).tell_of_sinks(1)
    member(0, 1, ranks="all").tell_of_sinks(1)
