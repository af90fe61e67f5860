from __future__ import annotations

import random
import signal
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.convert import Buffer, pageable
from earmark.memory import MIB, Memory
from earmark.worker import Worker
from tests.core.behind import LONG, run_script, wait_until_waiting

FOR_EVER = 1e6


def publishing(max_wait_seconds: float = FOR_EVER) -> Memory:
    """Memory of a MiB, with a take on its way, so that waiting helps."""
    memory = Memory(MIB, max_wait_seconds)
    memory.sent()
    return memory


def taken(memory: Memory, num_bytes: int) -> Buffer:
    """A buffer, which must be had."""
    buffer = memory.acquire(num_bytes)
    assert buffer is not None
    return buffer


def test_a_buffer_is_used_again_for_a_sound_of_nearly_the_same_size() -> None:
    """The very same memory comes back, so that its pages are there already."""
    memory = Memory(MIB)
    first = taken(memory, 100_000)
    memory.release(first)

    assert taken(memory, 99_000) is first
    assert taken(memory, 99_000) is not first


@given(st.integers(0, 1 << 22))
def test_a_buffer_is_an_eighth_or_a_page_larger_at_most(num_bytes: int) -> None:
    """Room is not wasted on rounding up; the smallest step is a page of memory."""
    size = taken(Memory(MIB), num_bytes).nbytes

    assert num_bytes <= size <= num_bytes + max(num_bytes / 8, 4096)


def test_no_more_is_handed_out_than_there_is_room_for() -> None:
    """The bytes in use never exceed the limit."""
    memory = Memory(MIB)
    memory.waiting_helps = False
    buffers = [memory.acquire(300_000) for _ in range(5)]

    assert [buffer is not None for buffer in buffers] == [True, True, True, False, False]
    assert 900_000 <= memory.in_use <= MIB


def test_a_sound_above_the_limit_is_taken_alone() -> None:
    """It is handed out when nothing else is, and nothing else is until it is back."""
    memory = Memory(MIB)
    memory.waiting_helps = False
    small = taken(memory, 5000)
    assert memory.acquire(3 * MIB) is None
    memory.release(small)
    large = taken(memory, 3 * MIB)
    assert memory.acquire(1) is None
    memory.release(large)

    assert memory.in_use == 0
    assert taken(memory, 1) is not None


def test_what_is_kept_for_later_counts_too() -> None:
    """Buffers in use and buffers kept warm are no more than the limit together."""
    memory = Memory(MIB)
    memory.waiting_helps = False
    ever: list[weakref.ref[Buffer]] = []
    rng = random.Random(0)
    held: list[Buffer] = []
    for _ in range(500):
        if held and rng.random() < 0.5:
            memory.release(held.pop(rng.randrange(len(held))))
            continue
        buffer = memory.acquire(rng.randrange(MIB // 2))
        if buffer is not None:
            ever.append(weakref.ref(buffer))
            held.append(buffer)
        del buffer
        alive = {id(each): each.nbytes for ref in ever if (each := ref()) is not None}
        assert sum(alive.values()) <= MIB


def test_each_kind_of_memory_is_kept_apart_and_all_is_counted() -> None:
    """Who asks for pinned memory gets no other, nor does anyone else get that."""
    made: list[int] = []

    def special(num_bytes: int) -> Buffer:
        made.append(num_bytes)
        return pageable(num_bytes)

    memory = Memory(MIB)
    first = memory.acquire(100_000, special)
    assert first is not None
    assert memory.in_use == first.nbytes == sum(made)
    memory.release(first, special)
    plain = taken(memory, 100_000)

    assert plain is not first
    assert memory.acquire(100_000, special) is first
    assert len(made) == 1
    assert memory.in_use == 2 * first.nbytes
    memory.waiting_helps = False
    assert memory.acquire(MIB, special) is None


def test_one_above_the_limit_is_not_kept() -> None:
    """Its memory goes back to the system."""
    memory = Memory(MIB)
    large = taken(memory, 3 * MIB)
    gone = weakref.ref(large)
    memory.release(large)
    del large

    assert gone() is None


def test_who_waits_for_room_is_woken_when_there_is_some() -> None:
    """A release hands its room to a thread that waits, and its very buffer."""
    memory = publishing()
    first = taken(memory, MIB)
    got: list[Buffer | None] = []
    waiting = threading.Thread(target=lambda: got.append(memory.acquire(MIB)))
    waiting.start()
    wait_until_waiting(waiting)
    assert got == []
    memory.release(first)
    waiting.join(LONG)

    assert got[0] is first


def test_the_wait_is_bounded_in_total() -> None:
    """One who has waited in vain does not wait again; were it not so, this test took hours."""
    memory = publishing(0.2)
    taken(memory, MIB)

    assert [memory.acquire(MIB) for _ in range(100_000)] == [None] * 100_000


def test_room_gives_patience_anew() -> None:
    """When all was released after a wait in vain, waiting is worth a try again."""
    memory = publishing(0.01)
    half, other = taken(memory, MIB // 2), taken(memory, MIB // 2)
    assert memory.acquire(MIB) is None
    memory.release(half)
    memory._max_wait = FOR_EVER  # pyright: ignore[reportPrivateUsage]
    memory.release(other)
    whole = taken(memory, MIB)
    waiting = threading.Thread(target=lambda: memory.release(taken(memory, MIB)))
    waiting.start()
    wait_until_waiting(waiting)
    assert waiting.is_alive()
    memory.release(whole)
    waiting.join(LONG)

    assert memory.in_use == 0


def test_room_that_comes_bit_by_bit_gives_no_patience_anew() -> None:
    """A disk slower than the training would hold it for ever; were it not so, this test hung."""
    memory = publishing(0.01)
    buffers = [taken(memory, MIB // 4) for _ in range(4)]
    assert memory.acquire(MIB // 4) is None
    memory._max_wait = FOR_EVER  # pyright: ignore[reportPrivateUsage]
    for buffer in buffers[:3]:
        memory.release(buffer)
        buffers.append(taken(memory, MIB // 4))
        assert memory.acquire(MIB // 4) is None


def test_nobody_waits_while_it_does_not_help() -> None:
    """While nothing can be published there is no room to come."""
    memory = publishing()
    taken(memory, MIB)
    memory.waiting_helps = False

    assert memory.acquire(MIB) is None


def test_nobody_waits_while_no_take_is_on_its_way() -> None:
    """A take that is larger than all room would wait for itself."""
    memory = Memory(MIB, max_wait_seconds=FOR_EVER)
    taken(memory, MIB)
    assert memory.acquire(MIB) is None
    memory.sent()
    memory.arrived(published=True)

    assert memory.acquire(MIB) is None


@pytest.mark.parametrize("published", [True, False])
def test_who_waits_gives_up_when_no_room_will_come(published: bool) -> None:
    """When the last take has gone its way, or the disk refuses, the wait is over."""
    memory, got = publishing(), list[Buffer | None]()
    taken(memory, MIB)
    if not published:
        memory.sent()
    waiting = threading.Thread(target=lambda: got.append(memory.acquire(MIB)))
    waiting.start()
    wait_until_waiting(waiting)
    assert got == []
    memory.arrived(published=published)
    waiting.join(LONG)

    assert got == [None]


def test_no_thread_of_ours_waits() -> None:
    """A sink that logs would wait for itself."""
    memory, got = publishing(), list[Buffer | None]()
    taken(memory, MIB)
    worker = Worker("test")
    worker.put(lambda: got.append(memory.acquire(MIB)))

    assert worker.close(LONG)
    assert got == [None]


def test_many_threads_share_the_room() -> None:
    """Never more than the limit is out, no buffer is anybody else's, and all comes back."""
    memory = publishing()
    out, ledger, wrong = [0], threading.Lock(), list[object]()

    def work(number: int) -> None:
        rng = random.Random(number)
        for _ in range(400):
            buffer = taken(memory, rng.choice([10, 90_000, 300_000, MIB, 2 * MIB]))
            with ledger:
                out[0] += buffer.nbytes
                if out[0] > MIB and out[0] != buffer.nbytes:
                    wrong.append(out[0])
            buffer[:64] = number
            if not np.all(buffer[:64] == number):
                wrong.append(number)
            with ledger:
                out[0] -= buffer.nbytes
            memory.release(buffer)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)

    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
    assert memory.in_use == 0


def test_what_is_reserved_is_counted_and_not_copied() -> None:
    """It makes buffers that are kept warm go, and leaves as much room as it does not take."""
    memory = Memory(MIB)
    memory.waiting_helps = False
    buffer = taken(memory, MIB)
    warm = weakref.ref(buffer)
    memory.release(buffer)
    del buffer
    assert memory.reserve(MIB // 2)
    assert warm() is None
    assert not memory.reserve(MIB)
    assert memory.acquire(MIB) is None
    memory.free(MIB // 2)

    assert memory.in_use == 0
    assert taken(memory, MIB).nbytes == MIB


def test_closed_it_keeps_nothing() -> None:
    """Neither what was kept warm, nor what comes back later."""
    memory = Memory(MIB)
    first, second = taken(memory, 100_000), taken(memory, 100_000)
    ever = [weakref.ref(first), weakref.ref(second)]
    memory.release(first)
    memory.close()
    memory.release(second)
    del first, second

    assert [gone() for gone in ever] == [None, None]
    assert memory.in_use == 0


def test_a_signal_handler_may_interrupt_it_anywhere() -> None:
    """A handler that logs finds the accounts in order, and leaves them so."""
    memory = Memory(MIB)
    handled: list[int] = []

    def handler(*_: object) -> None:
        memory.release(taken(memory, 5000))
        handled.append(memory.in_use)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        while len(handled) < 200:
            memory.release(taken(memory, 5000))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert memory.in_use == 0
    assert min(handled) >= 0


def test_memory_that_the_system_refuses_is_not_counted() -> None:
    """A sound larger than the machine costs its own clip, and no room."""
    memory = Memory(MIB)
    with pytest.raises(MemoryError):
        memory.acquire(1 << 60)

    assert memory.in_use == 0
    assert taken(memory, MIB).nbytes == MIB


FORKED = """
import json, os, signal, threading
from earmark.memory import MIB, Memory

memory = Memory(MIB, max_wait_seconds=1e6)
memory.sent()
held = memory.acquire(MIB // 2)
ended = threading.Event()

def hammer():
    while not ended.is_set():
        memory.release(memory.acquire(MIB // 4))

threads = [threading.Thread(target=hammer) for _ in range(2)]
for thread in threads:
    thread.start()
codes = []
for number in range(40):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        if number % 2:
            memory.release(held)  # what it inherited makes no room
        whole = memory.acquire(MIB)
        fresh = whole is not None and memory.in_use == MIB
        memory.release(whole)
        os._exit(0 if fresh and memory.in_use == 0 else 1)
    codes.append(os.waitpid(child, 0)[1])
ended.set()
for thread in threads:
    thread.join()
print(json.dumps({"codes": codes, "in_use": memory.in_use}))
"""


def test_a_forked_child_has_all_its_room() -> None:
    """Whatever lock a thread of the parent held, and whatever was in use, the child has neither."""
    told = run_script(FORKED)

    assert told["codes"] == [0] * 40
    assert told["in_use"] == MIB // 2
