from __future__ import annotations

import signal
import threading
from pathlib import Path

import numpy as np

from earmark import Run, Take, open_run
from earmark.testing import MemorySink, noise, sine
from tests.core.behind import (
    LONG,
    Gate,
    GatedSink,
    GatedSound,
    log,
    published,
    steps,
    wait_until,
)
from tests.core.faults import told


def test_several_runs_do_not_hold_each_other(tmp_path: Path) -> None:
    """While one hangs, another one publishes; each keeps to its own folder."""
    gate = Gate()
    with Run(tmp_path / "a") as first, Run(tmp_path / "b") as second:
        log(first, 0, GatedSound(gate))
        log(second, 1)
        assert second.flush(LONG)
        assert (steps(tmp_path / "a"), steps(tmp_path / "b")) == ([], [1])
        gate.open()

    assert steps(tmp_path / "a") == [0]


def test_several_threads_log_to_one_run(tmp_path: Path) -> None:
    """Every clip of every thread is there, once, with its own samples."""
    start = threading.Barrier(6)

    def work(run: Run, number: int) -> None:
        start.wait(LONG)
        for step in range(10):
            sound = {"prediction": noise(seed=100 * number + step)}
            run.log(sound, step=step, example=f"utt{number}", sample_rate=16_000)

    with Run(tmp_path, strict=True, max_pending_mib=0.1, max_wait_seconds=LONG) as run:
        threads = [threading.Thread(target=work, args=(run, number)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)

    clips = list(open_run(tmp_path).clips())
    assert len({clip.key for clip in clips}) == len(clips) == 60
    for clip in clips:
        seed = 100 * int(clip.example.removeprefix("utt")) + clip.step
        np.testing.assert_array_equal(clip.audio.samples, noise(seed=seed))


def test_several_threads_number_their_examples_together(tmp_path: Path) -> None:
    """Examples without a name get a number each, however the calls of one step overlap."""
    start = threading.Barrier(4)

    def work(run: Run) -> None:
        start.wait(LONG)
        with run.take(step=3) as first, run.take(step=3) as second:
            for _ in range(5):
                first.add({"prediction": noise()}, sample_rate=16_000)
                second.add({"prediction": noise()}, sample_rate=16_000)

    with Run(tmp_path, strict=True) as run:
        threads = [threading.Thread(target=work, args=(run,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)

    assert sorted(int(clip.example) for clip in open_run(tmp_path).clips()) == list(range(40))


def test_a_sink_may_log(tmp_path: Path) -> None:
    """To another run and to its own, also when there is no room, nothing waits for itself."""
    other = Run(tmp_path / "other", max_pending_mib=0.01)

    class Echo(MemorySink):
        def write(self, take: Take) -> None:
            log(other, take.step)
            if take.step < 5:
                log(run, take.step + 5)
            assert not run.flush()

    run = Run(tmp_path / "run", sinks=[Echo()], strict=True)
    for step in range(5):
        log(run, step)
    assert run.flush(LONG)
    assert run.flush(LONG)
    run.close()
    with told():
        other.close()

    assert steps(tmp_path / "run") == list(range(10))
    assert set(steps(tmp_path / "other")) <= set(range(10))


def test_a_sink_may_close_its_run(tmp_path: Path) -> None:
    """It is given what was logged before, and closed after that."""
    gate = Gate()

    class Closing(MemorySink):
        def write(self, take: Take) -> None:
            assert not self.closed
            super().write(take)
            run.close()

    sink = Closing()
    run = Run(tmp_path, sinks=[sink])
    log(run, 0)
    log(run, 1, GatedSound(gate))
    wait_until(lambda: sink.takes)
    gate.open()
    wait_until(lambda: sink.closed)

    assert [take.step for take in sink.takes] == steps(tmp_path) == [0, 1]


class Here(MemorySink):
    """A tracker that is written on the caller's thread."""

    on_callers_thread = True

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[str] = set()

    def write(self, take: Take) -> None:
        super().write(take)
        self.threads.add(threading.current_thread().name)


def test_a_sink_of_the_callers_thread_is_not_written_behind(tmp_path: Path) -> None:
    """Not even when another sink logs to the same run."""

    class Echo(MemorySink):
        def write(self, take: Take) -> None:
            if take.step < 5:
                log(run, take.step + 5)

    here = Here()
    run = Run(tmp_path, sinks=[here, Echo()])
    for step in range(5):
        log(run, step)
    assert run.flush(LONG)
    run.close()

    assert here.threads == {threading.main_thread().name}
    assert sorted(take.step for take in here.takes) == list(range(10))


def test_what_is_handed_over_waits_for_no_other_sink(tmp_path: Path) -> None:
    """A tracker that hangs holds up no row of another one; were it so, this test took hours."""
    here, hung = Here(), GatedSink()
    run = Run(tmp_path, sinks=[hung, here])
    log(run, 0)
    run.hand_over(1e6)
    assert [take.step for take in here.takes] == [0]
    assert hung.steps == []

    hung.gate.open()
    run.close()
    assert hung.steps == [0]


def test_callers_on_several_threads_share_what_is_left_for_them(tmp_path: Path) -> None:
    """Each take is written once, and nobody waits for one that another has taken."""
    here = Here()

    def work(run: Run, first: int) -> None:
        for step in range(first, first + 25):
            log(run, step)
            run.flush(LONG)

    with Run(tmp_path, sinks=[here], strict=True) as run:
        threads = [threading.Thread(target=work, args=(run, first)) for first in (0, 25, 50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        assert not any(thread.is_alive() for thread in threads)

    assert sorted(take.step for take in here.takes) == list(range(75))


def test_a_signal_handler_may_log_at_any_moment(tmp_path: Path) -> None:
    """Even in the middle of a call that logs: all is published, with its own samples."""
    logged: list[int] = []
    run = Run(tmp_path, strict=True)

    def handler(*_: object) -> None:
        if len(logged) < 30:
            logged.append(1000 + len(logged))
            log(run, logged[-1], sine())

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    step = 0
    try:
        while len(logged) < 30:
            log(run, step)
            step += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    run.close()
    heard = published(tmp_path)

    assert sorted(heard) == [*range(step), *logged]
    for place, samples in heard.items():
        wanted = sine() if place >= 1000 else noise()
        np.testing.assert_allclose(samples, wanted, atol=2**-23)


def test_a_destructor_may_log(tmp_path: Path) -> None:
    """An object that dies on the caller's thread, or on one of ours, has its say."""

    class Model:
        def __init__(self, step: int) -> None:
            self.step = step

        def __del__(self) -> None:
            log(run, self.step)

    class Holding(MemorySink):
        def write(self, take: Take) -> None:
            models.clear()

    models = [Model(10)]
    run = Run(tmp_path, sinks=[Holding()], strict=True)
    model = Model(11)
    del model
    assert run.flush(LONG)
    assert run.flush(LONG)
    run.close()

    assert steps(tmp_path) == [10, 11]
