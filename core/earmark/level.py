"""The meter: what a sound's level is, and whether something is wrong with it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from earmark.samples import Samples

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Level:
    """What a meter says of one sound. Decibels are relative to full scale, 1.0 (dBFS)."""

    peak_dbfs: float
    """The largest magnitude; above 0 when samples exceed full scale, `-inf` for silence."""

    rms_dbfs: float
    """The root mean square over all channels; a sine that peaks at 1.0 reads -3.01."""

    num_over: int = 0
    """Finite samples over full scale, `|x| > 1.0`, counted over all channels."""

    num_nonfinite: int = 0
    """NaN and infinite samples, counted over all channels; metered and stored as 0."""

    @property
    def silent(self) -> bool:
        """Whether every sample is 0 (or not finite, which is stored as 0)."""
        return self.peak_dbfs == -math.inf

    def __str__(self) -> str:
        parts = ["silent"] if self.silent else [f"peak {self.peak_dbfs:+.1f} dBFS"]
        if self.num_over:
            parts.append(f"{_count(self.num_over, 'sample')} over full scale")
        if self.num_nonfinite:
            parts.append(f"{_count(self.num_nonfinite, 'non-finite sample')} stored as 0")
        return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def measure(samples: Samples) -> Level:
    """Meter one sound, in blocks, so that memory stays flat.

    Args:
        samples: Shape `(frames, channels)`, full scale 1.0; NaN and infinities are allowed.

    Returns:
        The level of the sound as it is stored, with non-finite samples taken as 0.
    """
    peak, energy, num_over, num_nonfinite = 0.0, 0.0, 0, 0
    for start in range(0, len(samples), _BLOCK):
        block = samples[start : start + _BLOCK]
        magnitude = np.abs(block, dtype=np.float32)
        finite = np.isfinite(magnitude)
        if not finite.all():
            num_nonfinite += int(finite.size - np.count_nonzero(finite))
            magnitude[~finite] = 0
        block_peak = float(magnitude.max(initial=0.0))
        if block_peak > 1:
            num_over += int(np.count_nonzero(magnitude > 1))
        peak = max(peak, block_peak)
        energy += float(np.sum(np.square(magnitude, dtype=np.float64)))
    rms = math.sqrt(energy / samples.size) if samples.size else 0.0
    return Level(_dbfs(peak), _dbfs(rms), num_over, num_nonfinite)


def _dbfs(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf
