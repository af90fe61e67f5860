"""A training loop with and without earmark: pairs of blocks of steps, in turn.

Every block validates once and then trains; in every other one the validation's clips are logged,
so that they are encoded while the steps of the same block run.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

import earmark
from benchmarks import clips
from benchmarks.clips import SHORT
from benchmarks.outcomes import Loop

_STEP_SECONDS = 0.1


def measure(folder: Path, pairs: int, steps: int, threads: int = 0) -> Loop:
    """Train in pairs of blocks.

    Args:
        folder: Where the run goes.
        pairs: How many pairs of blocks.
        steps: In each block, of 100 ms or more each.
        threads: How many cores train; all but one, if not given, as with an accelerator the
            loop itself takes no more than that.
    """
    threads = threads or max(1, (os.cpu_count() or 1) - 1)
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    training = _Training()
    training.lengthen_steps()
    ratios: list[float] = []
    took: list[float] = []
    with earmark.Run(folder / "run", strict=True) as run:
        training.block(steps, run, 0)
        for pair in range(1, pairs + 1):
            order = (True, False) if pair % 2 else (False, True)
            seconds = {kept: training.block(steps, run if kept else None, pair) for kept in order}
            ratios.append(seconds[True] / seconds[False])
            took.append(seconds[False] / steps)
    return Loop(ratios, float(np.median(took)), threads)


class _Training:
    """A small denoiser in training; it need not learn, only work."""

    def __init__(self) -> None:
        self._model = nn.Sequential(
            nn.Conv1d(1, 32, 31, padding=15),
            nn.GELU(),
            nn.Conv1d(32, 32, 31, padding=15),
            nn.GELU(),
            nn.Conv1d(32, 1, 31, padding=15),
        )
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=1e-4)
        self._clips = torch.from_numpy(clips.make(SHORT)["prediction"])
        self._batch = self._clips[:4, :8192]
        self._passes = 1

    def lengthen_steps(self) -> None:
        """Accumulate gradients over as many passes as make a step of 100 ms or more."""
        self.step()
        seconds = median(self._timed_step() for _ in range(9))
        self._passes = math.ceil(1.1 * _STEP_SECONDS / seconds)

    def _timed_step(self) -> float:
        start = time.perf_counter()
        self.step()
        return time.perf_counter() - start

    def step(self) -> None:
        """Train one step."""
        self._optimizer.zero_grad()
        for _ in range(self._passes):
            loss = (self._denoised(self._batch) - self._batch).square().mean()
            loss.backward()
        self._optimizer.step()

    def _denoised(self, noisy: Tensor) -> Tensor:
        sound: Tensor = self._model(noisy[:, None])[:, 0]
        return sound

    def block(self, steps: int, run: earmark.Run | None, epoch: int) -> float:
        """Validate, log the clips where there is a run, and train; returns the seconds it took."""
        start = time.perf_counter()
        with torch.no_grad():
            denoised = self._denoised(self._clips[:1, :8192])
        prediction = self._clips * denoised.abs().max().clip(0.5, 1)
        if run is not None:
            run.log_batch(
                {"prediction": prediction}, epoch=epoch, tag="val", sample_rate=SHORT.sample_rate
            )
        for _ in range(steps):
            self.step()
        return time.perf_counter() - start
