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
    ("outputs", "got"),
    [
        (None, "got outputs None and a batch {noisy: ndarray (2, 64), text: list}"),
        (0.25, "got outputs 0.25 and a batch"),
        (np.float32(0.25), "got outputs float32 () and a batch"),
        ({"loss": np.float32(0.25)}, "got outputs {loss: float32 ()} and a batch"),
        ((np.zeros(3), np.zeros(3)), "got outputs (ndarray (3,), ndarray (3,)) and a batch"),
    ],
    ids=["None", "number", "loss", "dict", "tuple"],
)
def test_a_prediction_that_is_not_there_is_told(run: Run, outputs: Any, got: str) -> None:
    """The message lists what there is, and the ways to say where the prediction is."""
    monitor = Monitor(run=run, sample_rate=RATE)
    batch = {"noisy": sounds(2), "text": ["a", "b"]}
    with told(
        "earmark: a batch at step 0 was not logged: expected 'prediction' under 'prediction', "
    ) as warned:
        loop(monitor, outputs, batch)
    assert got in str(warned[0].message)
    assert str(warned[0].message).endswith(
        ": return a dict with 'prediction' in it, or say where it is, "
        "AudioMonitor(prediction='key'), or pass predict=. Training goes on, and more of the same "
        "is passed over silently; strict=True raises instead"
    )
    assert not logged(run)


@pytest.mark.parametrize("name", ["input", "target", "lengths"])
def test_an_argument_that_is_not_there_is_told(run: Run, name: str) -> None:
    """What was asked for by name is missed by name."""
    given: Any = {"lengths": "nowhere"} if name == "lengths" else {"roles": {name: "nowhere"}}
    monitor = Monitor(run=run, sample_rate=RATE, **given)
    with told(f"expected '{name}' under 'nowhere', got outputs {{prediction: ndarray (1, 64)}}"):
        loop(monitor, {"prediction": sounds(1)}, {})
    assert not logged(run)


@pytest.mark.parametrize(
    ("found", "got"),
    [(np.float32(0.5), "float32 ()"), (0.5, "0.5"), (True, "True")],
    ids=["0-d", "number", "flag"],
)
def test_a_role_that_is_no_batch_is_told(run: Run, found: Any, got: str) -> None:
    """A loss under the wrong key is no sound."""
    monitor = Monitor(run=run, sample_rate=RATE)
    message = (
        "expected 'prediction' as a batch of sounds, (B, T), (B, C, T) or a list, got "
        f"{got}: AudioMonitor(prediction='key') says where else it is"
    )
    with told(message):
        loop(monitor, {"prediction": found})


def test_the_same_fault_is_told_once(run: Run) -> None:
    """Later loops are silent, and the count goes on."""
    monitor = Monitor(run=run, sample_rate=RATE)
    with told("expected 'prediction'") as warned:
        for epoch in range(3):
            loop(monitor, None, epoch=epoch)
    assert len(warned) == 1
    assert monitor.notices.total == 3


def test_strict_raises(run: Run) -> None:
    """What would be told is raised instead."""
    monitor = Monitor(run=run, sample_rate=RATE, notices=Notices(strict=True))
    with refused(ArgumentError, "expected 'prediction' under 'prediction', got outputs None"):
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
            {"roles": {"target": 3}},
            ArgumentTypeError,
            "expected target as a key of the outputs or the batch, or a function of (outputs",
        ),
        ({"roles": {"target": ""}}, ArgumentTypeError, "expected target as a key of the outputs"),
        (
            {"lengths": 3},
            ArgumentTypeError,
            "expected lengths as a key of the outputs or the batch, or a function of (outputs",
        ),
        ({"lengths": ("a", 256, 1)}, ArgumentTypeError, "expected lengths as a key of the output"),
        ({"lengths": ("a", 0)}, ArgumentError, "expected hop_length as a positive integer"),
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


def test_a_selector_of_another_type_is_shown() -> None:
    """The message ends with what came, and knows of hops where there are lengths."""
    three: Any = 3
    with pytest.raises(ArgumentTypeError, match=r"function of \(outputs, batch\), got 3$"):
        Monitor(roles={"target": three})
    hops = r"function of \(outputs, batch\); with frames of a hop, \(key, hop_length\), got 3$"
    with pytest.raises(ArgumentTypeError, match=hops):
        Monitor(lengths=three)
