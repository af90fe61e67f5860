"""The meter: what a sound's level is, and whether something is wrong with it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from earmark.blocks import Blocks, blocks_of
from earmark.samples import Samples


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


def measure(samples: Samples | Blocks) -> Level:
    """Meter one sound, in blocks, so that memory stays flat.

    Args:
        samples: Shape `(frames, channels)`, full scale 1.0; NaN and infinities are allowed.

    Returns:
        The level of the sound as it is stored, with non-finite samples taken as 0.
    """
    peak, energy, size, num_over, num_nonfinite = 0.0, 0.0, 0, 0, 0
    for block in blocks_of(samples):
        block_peak, sound = _peak(block), block
        if not math.isfinite(block_peak):
            finite = np.isfinite(block)
            num_nonfinite += int(finite.size - np.count_nonzero(finite))
            sound = np.where(finite, block, np.float32(0))
            block_peak = _peak(sound)
        if block_peak > 1:
            num_over += int(np.count_nonzero(np.abs(sound) > 1))
        peak, size = max(peak, block_peak), size + block.size
        energy += float(np.square(sound, dtype=np.float64).sum())
    rms = math.sqrt(energy / size) if size else 0.0
    return Level(_dbfs(peak), _dbfs(rms), num_over, num_nonfinite)


def _peak(block: Samples) -> float:
    """The largest magnitude; not finite if any sample is not."""
    with np.errstate(invalid="ignore"):  # as of NaN
        highest, lowest = float(block.max()), float(block.min())
    return highest if math.isnan(highest) else max(highest, -lowest)


def _dbfs(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf
