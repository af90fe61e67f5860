"""What tests of work behind the training thread need: gates that hold it up, and processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from earmark import Run, Take, open_run
from earmark.convert import Allocate, Buffer, Wait, pageable
from earmark.samples import Layout, Samples
from earmark.testing import noise

LONG = 30.0
"""Seconds after which a test has failed rather than waited."""


class Gate:
    """Holds up whoever comes by until it is opened."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._opened = threading.Event()

    def __call__(self) -> None:
        """Come by."""
        self._reached.set()
        assert self._opened.wait(LONG)

    def open(self) -> None:
        """Let everybody through, for ever."""
        self._opened.set()

    def wait_until_reached(self) -> None:
        """Wait until somebody is held up."""
        assert self._reached.wait(LONG)


class GatedSound:
    """A sound whose copy is complete when a gate opens, as that of a busy device."""

    sample_rate = 16_000
    dtype = "float32"
    layout: Layout = "channels_last"

    @property
    def allocate(self) -> Allocate:
        """Memory as any other."""
        return pageable

    def __init__(self, gate: Callable[[], None], samples: Samples | None = None) -> None:
        self._samples = noise() if samples is None else samples
        self._gate = gate
        self.shape = self._samples.shape
        self.num_bytes = self._samples.nbytes

    def num_frames(self) -> None:
        """All of them."""

    def copy_into(self, buffer: Buffer) -> Wait:
        """Copy the samples, and say that they come later."""
        np.copyto(buffer.view(np.float32).reshape(self.shape), self._samples)
        return self._gate


class GatedSink:
    """A tracker that hangs until its gate opens."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.steps: list[int] = []
        self.closed = False

    def write(self, take: Take) -> None:
        """Hang, then keep the step."""
        self.gate()
        assert not self.closed
        self.steps.append(take.step)

    def close(self) -> None:
        """Remember that this was called."""
        self.closed = True


def wait_until_waiting(thread: threading.Thread) -> None:
    """Return when a thread waits for a lock, or has ended."""
    ident = thread.ident
    while thread.is_alive() and ident is not None:
        frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  # documented, if so named
        frame = frames.get(ident)
        if frame is not None and frame.f_code.co_name == "wait":
            return


def run_script(script: str, *arguments: object, check: bool = True) -> dict[str, Any]:
    """Run a script in a process of its own.

    Returns:
        What it printed, as JSON; its standard error and its exit code beside that.
    """
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LONG * 2)
    assert not check or done.returncode == 0, done.stderr
    printed = json.loads(done.stdout) if done.stdout.strip() else {}
    return {"stderr": done.stderr, "code": done.returncode, **printed}


def steps(run: Path) -> list[int]:
    """The steps of all takes that were published, as often as they were."""
    names = (path.name for path in (run / "takes").iterdir())
    return sorted(int(name.split(".")[0]) for name in names if name[0].isdigit())


def writer_of(run: Path) -> str:
    """The id of the one writer."""
    (file,) = run.glob("writers/*.json")
    return file.stem


def wait_until(condition: Callable[[], object]) -> None:
    """Return when something has come true, which nothing tells of."""
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end


def log(run: Run, step: int, sound: object = None) -> None:
    """Log one example."""
    sounds = {"prediction": noise() if sound is None else sound}
    run.log(sounds, step=step, example="utt", sample_rate=16_000)


def published(run: Path) -> dict[int, Samples]:
    """The sounds of a run by their steps."""
    return {clip.step: clip.audio.samples for clip in open_run(run).clips()}
