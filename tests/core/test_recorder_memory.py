from __future__ import annotations

import io
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark import Audio, Run, open_run
from earmark.memory import MIB
from earmark.testing import noise
from tests.core.behind import (
    LONG,
    Gate,
    GatedSound,
    log,
    published,
    steps,
    wait_until_waiting,
    writer_of,
)
from tests.core.clips import records_in
from tests.core.faults import told


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
