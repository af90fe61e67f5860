from __future__ import annotations

import gc
import threading
from pathlib import Path

import numpy as np
import torch

from earmark import Run
from earmark.testing import MemorySink, noise
from earmark.upkeep.check import check_run
from tests.core.behind import (
    LONG,
    Gate,
    GatedSink,
    GatedSound,
    log,
    published,
    steps,
    wait_until,
    writer_of,
)
from tests.core.faults import hanging, told


def test_logging_goes_on_while_a_disk_hangs(tmp_path: Path) -> None:
    """Calls return, and all is published when the disk has come back."""
    with Run(tmp_path) as run:
        with hanging(tmp_path / "index" / f"{writer_of(tmp_path)}.jsonl"):
            for step in range(5):
                log(run, step)
            wait_until(lambda: steps(tmp_path) == [0])
            assert not run.flush(0.01)
            assert steps(tmp_path) == [0]
        assert run.flush(LONG)

    assert steps(tmp_path) == [0, 1, 2, 3, 4]


def test_samples_are_those_at_the_time_of_the_call(tmp_path: Path) -> None:
    """What a caller writes over its memory right after the call is not heard."""
    gate, array, tensor = Gate(), noise(num_channels=2), torch.from_numpy(noise().T.copy())
    batch, whole = torch.zeros(1, 1600), array.copy()
    with Run(tmp_path) as run:
        log(run, 0, GatedSound(gate))
        log(run, 1, array)
        log(run, 2, tensor)
        log(run, 3, array[::-1])
        run.log_batch({"prediction": batch}, step=4, sample_rate=16_000)
        array.fill(1)
        tensor.fill_(1)
        batch.fill_(1)
        gate.open()
    heard = published(tmp_path)

    np.testing.assert_array_equal(heard[1], whole)
    np.testing.assert_array_equal(heard[2], noise())
    np.testing.assert_array_equal(heard[3], whole[::-1])
    np.testing.assert_array_equal(heard[4], np.zeros((1600, 1)))


def test_close_tells_what_is_left(tmp_path: Path) -> None:
    """After its time-out it says how much was pending; that is published if there is time."""
    gate, sink = Gate(), MemorySink()
    run = Run(tmp_path, sinks=[sink])
    log(run, 0, GatedSound(gate, noise(seconds=20.0)))
    log(run, 1)
    assert not run.flush(0.01)
    with told() as messages:
        run.close(timeout=0.01)
        run.close(timeout=0.01)
        log(run, 2)
    (message,) = messages
    assert "1.3 MiB of clips were still waiting to be published" in message
    assert steps(tmp_path) == []
    assert not sink.closed
    gate.open()
    wait_until(lambda: sink.closed)

    assert steps(tmp_path) == [take.step for take in sink.takes] == [0, 1]


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    """A run that is closed takes nothing in, and says so nowhere."""
    closed: list[str] = []

    class Counting(MemorySink):
        def close(self) -> None:
            closed.append("closed")

    with Run(tmp_path, sinks=[Counting()]) as run:
        log(run, 0)
        run.close()
        log(run, 1)
        assert run.flush()
    run.close()

    assert closed == ["closed"]
    assert steps(tmp_path) == [0]


def test_a_run_that_nobody_closes_ends_when_nobody_has_it(tmp_path: Path) -> None:
    """All is published, the sinks are closed, and no thread is left over."""
    gate, sink, hung = Gate(), MemorySink(), GatedSink()

    def validate() -> None:
        run = Run(tmp_path, sinks=[sink, hung])
        log(run, 0, GatedSound(gate))
        log(run, 1)

    before = set(threading.enumerate())
    validate()
    gc.collect()
    assert steps(tmp_path) == []
    gate.open()
    hung.gate.open()
    wait_until(lambda: sink.closed and hung.closed)
    wait_until(lambda: set(threading.enumerate()) <= before)

    assert steps(tmp_path) == [take.step for take in sink.takes] == hung.steps == [0, 1]
    assert check_run(tmp_path) == []
