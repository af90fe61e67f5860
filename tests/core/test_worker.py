from __future__ import annotations

import itertools
import signal
import threading
from functools import partial

import pytest

from earmark.worker import Worker, on_a_worker
from tests.core.behind import LONG, Gate, run_script


def test_jobs_are_done_in_their_order_on_one_other_thread() -> None:
    """What is put first is done first, and nothing on the caller's thread."""
    worker, done = Worker("earmark-test"), list[tuple[int, str, bool]]()

    def job(number: int) -> None:
        done.append((number, threading.current_thread().name, on_a_worker()))

    for number in range(100):
        worker.put(partial(job, number))

    assert worker.close(LONG)
    assert done == [(number, "earmark-test", True) for number in range(100)]
    assert not on_a_worker()


def test_there_is_no_thread_without_a_job() -> None:
    """A worker that nobody uses costs nothing, and has nothing to wait for."""
    before = set(threading.enumerate())
    worker = Worker("test")

    assert worker.flush()
    assert worker.close()
    assert set(threading.enumerate()) <= before


def test_flush_says_whether_all_is_done() -> None:
    """It gives up on a job that hangs, and waits for one that does not."""
    worker, gate = Worker("test"), Gate()
    worker.put(gate)
    gate.wait_until_reached()
    assert not worker.flush(0.01)
    gate.open()

    assert worker.flush()
    assert worker.close()


def test_flush_covers_what_was_put_from_elsewhere() -> None:
    """Everything put by any thread before the call is done after it."""
    worker, done = Worker("test"), list[None]()

    def put_many() -> None:
        for _ in range(500):
            worker.put(lambda: done.append(None))

    threads = [threading.Thread(target=put_many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)

    assert worker.flush(LONG)
    assert len(done) == 8 * 500
    assert worker.close(LONG)


def test_one_thread_serves_all_however_they_start() -> None:
    """Threads that put their first job at the same moment start one thread, not many."""
    for _ in range(50):
        worker, start, seen = Worker("test"), threading.Barrier(4), set[int]()

        def put(worker: Worker = worker, seen: set[int] = seen) -> None:
            start.wait(LONG)  # noqa: B023 - joined within the loop
            worker.put(lambda: seen.add(threading.get_ident()))

        threads = [threading.Thread(target=put) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        assert worker.close(LONG)
        assert len(seen) == 1


def test_close_ends_the_thread() -> None:
    """No thread is left over, and closing again does nothing."""
    before = set(threading.enumerate())
    worker = Worker("test")
    worker.put(lambda: None)

    assert worker.close(LONG)
    assert set(threading.enumerate()) <= before
    assert worker.close(LONG)


def test_a_job_after_the_end_starts_a_thread_anew() -> None:
    """Nothing that is put is left undone."""
    worker, done = Worker("test"), list[int]()
    for number in range(3):
        worker.put(partial(done.append, number))
        assert worker.close(LONG)

    assert done == [0, 1, 2]


def test_a_job_after_an_end_that_took_too_long_waits_its_turn() -> None:
    """Two threads never share the jobs: the one that hangs goes on when it can."""
    worker, gate, seen = Worker("test"), Gate(), list[tuple[int, int]]()
    worker.put(gate)
    gate.wait_until_reached()
    worker.put(lambda: seen.append((0, threading.get_ident())))
    assert not worker.close(0.01)
    assert not worker.close(0.01)
    worker.put(lambda: seen.append((1, threading.get_ident())))
    assert not worker.flush(0.01)
    gate.open()

    assert worker.close(LONG)
    assert [number for number, _ in seen] == [0, 1]
    assert len({ident for _, ident in seen}) == 1


def test_nothing_is_lost_between_an_end_and_a_beginning() -> None:
    """Jobs that are put while another thread closes again and again are all done, in order."""
    worker, done, ended = Worker("test"), list[int](), threading.Event()

    def close_again_and_again() -> None:
        while not ended.is_set():
            worker.close(LONG)

    closing = threading.Thread(target=close_again_and_again)
    closing.start()
    for number in range(3000):
        worker.put(partial(done.append, number))
    ended.set()
    closing.join(LONG)

    assert worker.close(LONG)
    assert done == list(range(3000))


def test_a_thread_of_ours_waits_for_none_of_ours() -> None:
    """A job that flushes and closes its own worker, or another that hangs, goes on."""
    worker, other, gate, said = Worker("test"), Worker("other"), Gate(), list[bool]()
    other.put(gate)
    worker.put(lambda: said.append(worker.flush()))
    worker.put(lambda: said.append(other.flush()))
    worker.put(lambda: said.append(worker.close()))
    worker.put(lambda: said.append(True))

    assert worker.flush(LONG)
    gate.open()
    assert worker.close(LONG)
    assert other.close(LONG)
    assert said == [False, False, False, True]


def test_a_signal_handler_may_put_while_another_put_goes_on() -> None:
    """Whatever it interrupts, the very start of the thread too, all jobs are done by one thread."""
    put_by_handler, closing = itertools.count(), True
    worker, seen = Worker("test"), list[int]()

    def put() -> None:
        into = seen
        worker.put(lambda: into.append(threading.get_ident()))

    def handler(*_: object) -> None:
        if not closing:
            next(put_by_handler)
            put()

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
    try:
        for _ in range(300):
            worker, seen = Worker("test"), []
            closing = False
            for _ in range(3):
                put()
            closing = True  # what is put after the end has another thread
            assert worker.close(LONG)
            assert len(seen) >= 3
            assert len(set(seen)) == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert next(put_by_handler) > 0


def test_a_destructor_may_put_from_the_thread_itself() -> None:
    """A job's last reference to something that logs when it dies does no harm."""
    worker, done = Worker("test"), list[str]()

    class Logged:
        def __del__(self) -> None:
            worker.put(lambda: done.append("destructor"))

    def job(held: list[Logged]) -> None:
        held.clear()
        done.append("job")

    held = [Logged()]
    worker.put(lambda: job(held))

    assert worker.flush(LONG)
    assert worker.close(LONG)
    assert done == ["job", "destructor"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), ValueError("no")])
def test_an_error_ends_its_own_job_only(error: BaseException) -> None:
    """Even one that ends a program leaves the thread alive for the jobs behind it."""
    worker, done = Worker("test"), list[int]()

    def fail() -> None:
        raise error

    worker.put(fail)
    worker.put(lambda: done.append(1))

    assert worker.close(LONG)
    assert done == [1]


def test_where_no_thread_can_be_had_the_caller_does_the_jobs() -> None:
    """A machine that is out of threads, or an interpreter that ends, costs nothing but time."""
    worker, done = Worker("test"), list[tuple[int, bool]]()

    def job(number: int) -> None:
        done.append((number, on_a_worker()))

    before = threading.stack_size(1 << 47)  # as much as a process can address
    try:
        for number in range(3):
            worker.put(partial(job, number))
    finally:
        threading.stack_size(before)

    assert done == [(0, True), (1, True), (2, True)]
    assert not on_a_worker()
    worker.put(partial(job, 3))
    assert worker.close(LONG)
    assert done[3] == (3, True)


FORKED = """
import json, os, signal, threading
from earmark.worker import Worker

worker, hold, done = Worker("test"), threading.Event(), []
worker.put(hold.wait)
worker.put(lambda: done.append("parent"))
child = os.fork()
if child == 0:
    signal.alarm(20)
    idle = worker.flush() and worker.close()
    worker.put(lambda: done.append("child"))
    os._exit(0 if idle and worker.close() and done == ["child"] else 1)
code = os.waitpid(child, 0)[1]
hold.set()
print(json.dumps({"code_of_child": code, "closed": worker.close(), "done": done}))
"""


def test_a_forked_child_has_a_thread_of_its_own() -> None:
    """It does its own jobs, waits for none of its parent's, and the parent loses none."""
    told = run_script(FORKED)

    assert told["code_of_child"] == 0
    assert told["done"] == ["parent"]
    assert told["closed"]
