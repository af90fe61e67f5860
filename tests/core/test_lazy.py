from __future__ import annotations

import inspect
import threading
from typing import Any

from earmark import Audio
from earmark.codec import Header
from earmark.lazy import lazy
from earmark.samples import Samples
from earmark.testing import noise
from tests.core.behind import LONG, Gate, run_script


class Counting:
    """An object that counts how often its value is computed."""

    count = 0

    @lazy
    def value(self) -> int:
        """A number."""
        self.count += 1
        return 7


class Hanging:
    """A sound that is not read before a gate opens."""

    header = Header(16_000, 1600, 1, "ARRAY", "FLOAT")

    def __init__(self) -> None:
        self.gate = Gate()

    def read(self) -> Samples:
        self.gate()
        return noise()


def test_a_value_is_computed_once() -> None:
    """It is kept with its instance, where a copy finds it."""
    counting = Counting()

    assert (counting.value, counting.value, counting.count) == (7, 7, 1)
    assert counting.__dict__["value"] == 7


def test_it_documents_itself() -> None:
    """The class shows the docstring of the function."""
    assert inspect.getdoc(inspect.getattr_static(Counting, "value")) == "A number."
    assert isinstance(Counting.value, lazy)


def test_a_sound_that_is_slow_to_read_holds_up_no_other() -> None:
    """While one thread waits for its sound, another reads its own."""
    origin = Hanging()
    slow = Audio.from_origin(origin, 16_000, None)
    reading = threading.Thread(target=lambda: slow.samples)
    reading.start()
    origin.gate.wait_until_reached()

    quick = Audio(noise(), 16_000)
    assert quick.samples.shape == (1600, 1)
    assert reading.is_alive()
    origin.gate.open()
    reading.join(LONG)

    assert slow == quick


def test_threads_that_ask_at_once_see_the_same_value() -> None:
    """Whoever is first decides, for all."""
    for _ in range(20):
        audio, start, seen = Audio(noise(), 16_000), threading.Barrier(4), list[Any]()

        def ask(audio: Audio = audio, seen: list[Any] = seen) -> None:
            start.wait(LONG)  # noqa: B023 - joined within the loop
            seen.append(audio.level)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)
        assert len({id(level) for level in seen}) == 1


FORKED = """
import os, signal, threading
from earmark import Audio
from earmark.testing import noise
from tests.core.test_lazy import Hanging

origin = Hanging()
slow = Audio.from_origin(origin, 16_000, None)
threading.Thread(target=lambda: slow.samples).start()
origin.gate.wait_until_reached()
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(0 if Audio(noise(), 16_000).samples.shape == (1600, 1) else 1)
code = os.waitpid(child, 0)[1]
origin.gate.open()
os._exit(code and 1)
"""


def test_a_forked_child_reads_its_own_sounds() -> None:
    """Whatever a thread of its parent was reading in that moment."""
    run_script(FORKED)
