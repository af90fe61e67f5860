from __future__ import annotations

from pathlib import Path

import pytest

from earmark import Run, Take
from earmark.testing import MemorySink
from tests.core.behind import LONG, GatedSink, GatedSound, log, steps, wait_until, writer_of
from tests.core.clips import records_in
from tests.core.faults import hanging, told


class Failing:
    """A tracker that fails as it is told to."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def write(self, take: Take) -> None:
        raise self.error

    def close(self) -> None:
        pass


def test_a_sink_that_hangs_costs_nobody_else_anything(tmp_path: Path) -> None:
    """Takes are published and passed on to other sinks, which are closed in time, too."""
    hung, well = GatedSink(), MemorySink()
    run = Run(tmp_path, sinks=[hung, well])
    for step in range(5):
        log(run, step)
    hung.gate.wait_until_reached()
    wait_until(lambda: len(well.takes) == 5)
    assert steps(tmp_path) == [0, 1, 2, 3, 4]
    assert not run.flush(0.01)
    with told() as messages:
        run.close(0.5)
    wait_until(lambda: well.closed)
    assert (hung.steps, hung.closed) == ([], False)
    hung.gate.open()
    wait_until(lambda: hung.closed)

    assert hung.steps == [0, 1, 2, 3, 4]
    assert len(messages) == 1


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), MemoryError()], ids=repr)
def test_a_sink_that_raises_costs_nobody_else_anything(
    tmp_path: Path, error: BaseException
) -> None:
    """Whatever it raises, it is told of once and noted each time, and the rest goes on."""
    well = MemorySink()
    with told() as messages, Run(tmp_path, sinks=[Failing(error), well]) as run:
        for step in range(3):
            log(run, step)

    assert [take.step for take in well.takes] == steps(tmp_path) == [0, 1, 2]
    (message,) = messages
    assert f"a take at step 0 was not logged: {type(error).__name__}: {error}." in message
    noted = records_in(tmp_path / "faults" / f"{writer_of(tmp_path)}.jsonl")
    assert [fault["lost"] for fault in noted] == [f"a take at step {step}" for step in range(3)]


def test_every_fault_is_noted_in_the_run(tmp_path: Path) -> None:
    """A line of strict JSON for each: on the caller's thread, behind it, and of a sink."""

    def fail() -> None:
        raise RuntimeError("device lost \ud800")

    with told() as messages, Run(tmp_path, sinks=[Failing(ValueError("no"))]) as run:
        log(run, 0, "no such file.wav")
        log(run, 1, GatedSound(fail))
        log(run, 2)
        run.flush()
    noted = records_in(tmp_path / "faults" / f"{writer_of(tmp_path)}.jsonl")

    assert len(messages) == 3
    assert all(set(fault) == {"time", "lost", "why"} and fault["time"] > 0 for fault in noted)
    assert {(fault["lost"], fault["why"].split(":")[0]) for fault in noted} == {
        ("the prediction of example 'utt' at step 0", "AudioFileNotFoundError"),
        ("the prediction of example 'utt' at step 1", "RuntimeError"),
        ("a take at step 2", "ValueError"),
    }


def test_noting_a_fault_does_not_hold_the_caller(tmp_path: Path) -> None:
    """A disk that hangs when a fault is to be noted on it is none of the caller's business."""
    with told() as messages, Run(tmp_path) as run:
        with hanging(tmp_path / "faults" / f"{writer_of(tmp_path)}.jsonl"):
            log(run, 0, "no such file.wav")
            log(run, 1)
            assert not run.flush(0.01)
        assert run.flush(LONG)

    assert len(messages) == 1
    assert steps(tmp_path) == [1]


def test_a_strict_run_raises_at_the_next_call(tmp_path: Path) -> None:
    """What went wrong behind comes up in the thread that logs."""
    run = Run(tmp_path, sinks=[Failing(ValueError("tracker is full"))], strict=True)
    log(run, 0)
    with pytest.raises(ValueError, match="tracker is full"):
        wait_until(lambda: not run.due(step=1))

    run.close()
    assert steps(tmp_path) == [0]


def test_a_strict_run_raises_when_it_is_flushed(tmp_path: Path) -> None:
    """`flush` and `close` are calls, too, and each error is raised once."""
    run = Run(tmp_path, sinks=[Failing(ValueError("tracker is full"))], strict=True)
    log(run, 0)
    with pytest.raises(ValueError, match="tracker is full"):
        run.flush()
    log(run, 1)
    with pytest.raises(ValueError, match="tracker is full"):
        run.close()
    run.close()
