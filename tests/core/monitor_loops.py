"""A loop to monitor: sounds, a loop over one batch of them, and what was logged of it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark import Clip, EarmarkWarning, Run, open_run
from earmark.monitor import Monitor
from earmark.ranks import Drawn

RATE = 8000


def sounds(count: int, num_frames: int = 64, seed: int = 0) -> NDArray[np.float32]:
    """A batch of noise on the grid of 16 bits, shape `(count, num_frames)`."""
    noise = np.random.default_rng(seed).integers(-9_000, 9_000, (count, num_frames))
    return (noise / 2**15).astype(np.float32)


def drawn(count: int) -> Drawn:
    """The first items of a data set, in its order."""
    return Drawn(range(count), in_order=True)


def loop(
    monitor: Monitor,
    outputs: Any,
    batch: Any = None,
    *,
    epoch: int = 0,
    step: int | None = None,
    **begin: bool,
) -> None:
    """One loop over one batch."""
    monitor.begin(epoch=epoch, step=epoch if step is None else step, **begin)
    if monitor.wants("val"):
        monitor.add("val", outputs, batch, drawn)
    monitor.end()


def logged(run: Run, **filters: Any) -> list[Clip]:
    """The clips that a run has published."""
    run.flush()
    return list(open_run(run.path).clips(**filters))


def told(message: str) -> pytest.WarningsRecorder:
    """Expect a warning that has this in it."""
    return pytest.warns(EarmarkWarning, match=re.escape(message))
