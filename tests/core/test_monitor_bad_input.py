"""What a monitor says of outputs and arguments that it can do nothing with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark import Run
from earmark.errors import ArgumentError, ArgumentTypeError, EarmarkError, SampleRateError
from earmark.monitor import Monitor
from earmark.notices import Notices
from earmark.outputs.finder import Finder
from tests.core.monitor_loops import RATE, logged, loop, sounds, told


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run to log to."""
    with Run(tmp_path / "run") as run:
        yield run


def refused(error: type[EarmarkError], message: str) -> pytest.RaisesExc[EarmarkError]:
    """Expect an error that begins with this message."""
    return pytest.raises(error, match=f"^{re.escape(message)}")


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (
            None,
            (
                "expected a prediction in the outputs, found none in None: return {'prediction': "
                "sound}, or pass predict= to make one of the batch"
            ),
        ),
        (
            {"loss": np.float32(0.25), "mel": np.zeros((2, 80, 200), np.float32)},
            (
                "expected a prediction in the outputs, found none in loss: float32 (), mel: "
                'float32 (2, 80, 200): say where it is, such as AudioMonitor(prediction="mel"), '
                "with decode= if that is no sound yet; or pass predict= to make one"
            ),
        ),
    ],
    ids=["None", "dict"],
)
def test_a_prediction_that_is_not_there_is_told(run: Run, outputs: Any, message: str) -> None:
    """The message lists what there is, and what to write."""
    monitor = Monitor(run=run, sample_rate=RATE)
    told_of = (
        f"earmark: a batch at step 0 was not logged: {message}. Training goes on, and more of the "
        "same is passed over silently; strict=True raises instead"
    )
    with told(told_of) as warned:
        loop(monitor, outputs, {"noisy": sounds(2), "text": ["a", "b"]})
    assert len(warned) == 1
    assert not logged(run)


@pytest.mark.parametrize("name", ["input", "target", "mixture"])
def test_a_role_that_is_not_there_costs_itself_alone(run: Run, name: str) -> None:
    """What was asked for by name is missed by name, and the prediction is heard."""
    finder = Finder(selectors={name: "nowhere"})
    monitor = Monitor(run=run, sample_rate=RATE, finder=finder)
    message = (
        f"earmark: the {name} of a batch at step 0 was not logged: expected the {name} under "
        "'nowhere', found none in outputs with prediction: float32 (1, 64) and a batch with nothing"
    )
    with told(message):
        loop(monitor, {"prediction": sounds(1)}, {})
    assert [clip.role for clip in logged(run)] == ["prediction"]


def test_lengths_that_are_not_there_are_told(run: Run) -> None:
    """The sounds are heard with their padding."""
    monitor = Monitor(run=run, sample_rate=RATE, finder=Finder(lengths="nowhere"))
    with told("expected the lengths under 'nowhere', found none in outputs with prediction"):
        loop(monitor, {"prediction": sounds(1)}, {})
    assert [clip.audio.num_frames for clip in logged(run)] == [64]


def test_a_decoder_that_fails_is_told(run: Run) -> None:
    """Whatever a vocoder raises, the training does not see it."""

    def vocoder(mel: Any) -> Any:
        raise RuntimeError("expected 80 bands")

    monitor = Monitor(run=run, sample_rate=RATE, finder=Finder(decode={"prediction": vocoder}))
    with told("a batch at step 0 was not logged: RuntimeError: expected 80 bands"):
        loop(monitor, np.zeros((2, 40, 64), np.float32))
    assert not logged(run)


def test_the_same_fault_is_told_once(run: Run) -> None:
    """Later loops are silent, and the count goes on."""
    monitor = Monitor(run=run, sample_rate=RATE)
    with told("expected a prediction") as warned:
        for epoch in range(3):
            loop(monitor, None, epoch=epoch)
    assert len(warned) == 1
    assert monitor.notices.total == 3


def test_a_loop_without_a_batch_is_told(run: Run) -> None:
    """Once, and not where something else was told: an exception before the first batch."""
    monitor = Monitor(run=run, sample_rate=RATE)
    monitor.begin(epoch=0, step=7)
    with told("a batch was not logged: OSError"), monitor.notices.guard("loader", "a batch"):
        raise OSError("no such file")
    monitor.end()
    with told("expected a batch or more in the loop at step 8, got none, and nothing was logged"):
        for step in (8, 9):
            monitor.begin(epoch=0, step=step)
            monitor.end()
    assert not logged(run)


def test_strict_raises(run: Run) -> None:
    """What would be told is raised instead."""
    monitor = Monitor(run=run, sample_rate=RATE, notices=Notices(strict=True))
    with refused(ArgumentError, "expected a prediction in the outputs, found none in None"):
        loop(monitor, None)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_examples": 2.5}, ArgumentTypeError, "expected max_examples as an integer, got 2.5"),
        ({"max_examples": True}, ArgumentTypeError, "expected max_examples as an integer, got Tr"),
        (
            {"max_examples": 0},
            ArgumentError,
            "expected max_examples of 1 or more, got 0: to switch logging off pass enabled=False",
        ),
        (
            {"examples": "utt-7"},
            ArgumentTypeError,
            (
                "expected examples as a list of identities or indices in the data set, such as "
                "['utt-7', 'utt-8'] or [0, 12], got 'utt-7' (str): for how many, pass "
                "max_examples=8"
            ),
        ),
        ({"examples": [1.5]}, ArgumentTypeError, "expected examples as a list of identities or"),
        (
            {"examples": []},
            ArgumentError,
            "expected one example or more, got none: to switch logging off pass enabled=False",
        ),
        ({"sample_rate": 0}, SampleRateError, "expected a sample rate in Hz"),
        ({"sample_rate": {"input": "16k"}}, SampleRateError, "expected a sample rate in Hz"),
    ],
    ids=str,
)
def test_impossible_arguments_are_refused_at_once(
    arguments: dict[str, Any], error: type[EarmarkError], message: str
) -> None:
    """Nobody finds out after the first epoch."""
    with refused(error, message):
        Monitor(**arguments)
