"""Harmonic tones, something like sung vowels: sounds to run the recipes on without any download."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def tones(count: int, seconds: float, rate: int, lowest: float = 110) -> Tensor:
    """Returns tones of five partials with some vibrato, each a little higher than the last.

    Args:
        count: How many.
        seconds: How long each is.
        rate: Sample rate in Hz.
        lowest: The pitch of the first one, in Hz.

    Returns:
        float32, shape (count, frames), within 0.5 of full scale 1.0.
    """
    time = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    pitches = lowest * 2 ** (torch.arange(count, dtype=torch.float64)[:, None] / 5)
    phase = 2 * math.pi * pitches * (time + 5e-4 * torch.sin(2 * math.pi * 5 * time))
    wave = sum((torch.sin(k * phase) / k for k in range(1, 6)), torch.zeros_like(phase))
    return (0.2 * wave).float()
