from __future__ import annotations

import gc
import io
import os
import threading
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from earmark import Audio, Run, Take, open_run
from earmark.memory import MIB
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
    wait_until_waiting,
)
from tests.core.clips import records_in
from tests.core.faults import told


def writer_of(run: Path) -> str:
    """The id of the one writer."""
    (file,) = run.glob("writers/*.json")
    return file.stem


@contextmanager
def hanging(file: Path) -> Generator[None]:
    """A file on a disk that hangs: whoever opens it to write waits until the block ends."""
    file.parent.mkdir(exist_ok=True)
    os.mkfifo(file)
    yield
    reader = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    file.unlink()
    os.close(reader)


class Failing:
    """A tracker that fails as it is told to."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def write(self, take: Take) -> None:
        raise self.error

    def close(self) -> None:
        pass


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


def test_warm_memory_mixes_no_sounds(tmp_path: Path) -> None:
    """Though buffers are used again and again, each take holds its own samples."""
    with Run(tmp_path, max_pending_mib=0.05, max_wait_seconds=LONG) as run:
        for step in range(60):
            log(run, step, noise(seed=step))
    heard = published(tmp_path)

    assert sorted(heard) == list(range(60))
    for step, samples in heard.items():
        np.testing.assert_array_equal(samples, noise(seed=step))


def test_a_burst_is_waited_for_then_dropped_and_told_once(tmp_path: Path) -> None:
    """What there is no room for is lost with one warning; later clips are published again."""
    gate, run = Gate(), Run(tmp_path, max_pending_mib=0.05, max_wait_seconds=0.05)
    log(run, 0, GatedSound(gate))
    with told() as messages:
        for step in range(1, 1000):
            log(run, step)
    gate.open()
    assert run.flush(LONG)
    kept = steps(tmp_path)
    log(run, 1000)
    run.close()

    (message,) = messages
    assert "expected room for 0.0 MiB more, got 0.0 MiB that are still waiting" in message
    assert "log less often, or pass a larger max_pending_mib" in message
    assert kept == list(range(len(kept)))
    assert 5 <= len(kept) <= 8  # of 6,400 bytes each in 52,428, rounded up
    assert steps(tmp_path) == [*kept, 1000]
    assert len(records_in(tmp_path / "faults" / f"{writer_of(tmp_path)}.jsonl")) == 1000 - len(kept)


@pytest.mark.parametrize("encoded", [True, False])
def test_sounds_that_are_in_memory_already_are_bounded_as_well(
    tmp_path: Path, encoded: bool
) -> None:
    """An `Audio` and encoded bytes are not copied, but count while they wait."""
    file = io.BytesIO()
    soundfile.write(file, noise(), 16_000, format="WAV", subtype="FLOAT")  # 6,400 bytes and a few
    sound = file.getvalue() if encoded else Audio(noise(), 16_000, "as it was")
    gate, run = Gate(), Run(tmp_path, max_pending_mib=0.05, max_wait_seconds=0.05)
    log(run, 0, GatedSound(gate))
    with told() as messages:
        for step in range(1, 100):
            log(run, step, sound)
    gate.open()
    assert run.flush(LONG)
    kept = steps(tmp_path)
    log(run, 100, sound)
    run.close()

    (message,) = messages
    assert "expected room for 0.0 MiB more, got 0.0 MiB that are still waiting" in message
    assert 5 <= len(kept) <= 8
    assert steps(tmp_path) == [*kept, 100]
    for samples in published(tmp_path).values():
        np.testing.assert_array_equal(samples, noise())


def test_a_take_of_sounds_in_memory_above_the_bound_loses_no_clip(tmp_path: Path) -> None:
    """A file that has been read once is not read again when the first part makes room."""
    file = io.BytesIO()
    soundfile.write(file, noise(), 16_000, format="WAV", subtype="FLOAT")
    with Run(tmp_path, strict=True, max_pending_mib=0.02, max_wait_seconds=LONG) as run:
        files = [io.BytesIO(file.getvalue()) for _ in range(10)]
        run.log_batch({"prediction": files}, step=0)

    assert len(list(open_run(tmp_path).clips())) == 10


def test_a_run_that_is_closed_holds_no_memory(tmp_path: Path) -> None:
    """Though somebody still has it, as a script has the one of a `with` block."""
    tracemalloc.start()
    try:
        with Run(tmp_path) as run:
            run.log({"prediction": np.zeros(1 << 20, np.float32)}, step=0, sample_rate=16_000)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert run.flush()
    assert held < MIB


def test_a_burst_that_is_published_in_time_loses_nothing(tmp_path: Path) -> None:
    """Logging waits while there is no room, and goes on when there is."""
    gate, run = Gate(), Run(tmp_path, max_pending_mib=0.03, max_wait_seconds=1e6)

    def burst() -> None:
        for step in range(1, 30):
            log(run, step)

    log(run, 0, GatedSound(gate))
    logging = threading.Thread(target=burst)
    logging.start()
    wait_until_waiting(logging)
    assert logging.is_alive()
    gate.open()
    logging.join(LONG)
    run.close()

    assert steps(tmp_path) == list(range(30))


def test_a_sound_above_the_bound_is_logged_alone(tmp_path: Path) -> None:
    """However small the room, a long sound is not lost."""
    with Run(tmp_path, max_pending_mib=0.01, max_wait_seconds=LONG) as run:
        for step in range(3):
            log(run, step, noise(seconds=2.0, seed=step))

    assert {step: len(sound) for step, sound in published(tmp_path).items()} == dict.fromkeys(
        range(3), 32_000
    )


def test_a_take_above_the_bound_loses_no_clip(tmp_path: Path) -> None:
    """What is there already is published as a take of its own, and makes room for the rest."""
    batch = np.stack([noise(seed=seed)[:, 0] for seed in range(40)])  # 6,400 bytes each
    with Run(tmp_path, strict=True, max_pending_mib=0.05, max_wait_seconds=LONG) as run:
        run.log_batch({"prediction": batch}, step=0, sample_rate=16_000)
        with run.take(step=1) as take:
            for seed in range(40):
                take.add({"prediction": noise(seed=seed)}, sample_rate=16_000)
    clips = list(open_run(tmp_path).clips())

    assert {clip.key for clip in clips} == {
        ("", str(number), "prediction", step) for step in (0, 1) for number in range(40)
    }
    for clip in clips:
        np.testing.assert_array_equal(clip.audio.samples, noise(seed=int(clip.example)))


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


@pytest.mark.parametrize("dtype", ["int16", "float16", "float32"])
def test_a_long_sound_takes_no_memory_besides_its_copy(tmp_path: Path, dtype: str) -> None:
    """It is converted, metered, encoded and written in parts, in whatever dtype it was logged."""
    quarter = np.random.default_rng(0).integers(-9000, 9000, 1 << 20, dtype=np.int16)
    samples = np.tile(quarter, 4) if dtype == "int16" else np.tile(quarter / 2**16, 4).astype(dtype)
    with Run(tmp_path, strict=True) as run:
        run.log({"prediction": samples[:100], "target": samples[:100]}, step=0, sample_rate=16_000)
        run.flush(LONG)
        tracemalloc.start()
        try:
            for step, role in ((1, "prediction"), (2, "target")):
                run.log({role: samples}, step=step, sample_rate=16_000)
                run.flush(LONG)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert samples.nbytes <= peak <= 1.125 * samples.nbytes + 3 * MIB
