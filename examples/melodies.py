"""Melodies of plucked strings, synthesised: something to train on where there are no recordings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from recordings import Recording

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
SCALES = ((0, 2, 4, 7, 9), (0, 3, 5, 7, 10), (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))


def melodies(count: int, rate: int, seed: int = 0, seconds: float = 4.0) -> list[Recording]:
    """Returns `count` melodies at `rate` Hz: the same ones for the same seed."""
    return [_melody(index, rate, seed, seconds) for index in range(count)]


def _melody(index: int, rate: int, seed: int, seconds: float) -> Recording:
    """Walks up and down a scale; every string rings on while the next ones are plucked."""
    rng = np.random.default_rng((seed, index))
    scale = SCALES[rng.integers(len(SCALES))]
    key, degree = rng.integers(45, 57), int(rng.integers(len(scale)))
    beat = 60 / rng.uniform(90, 150)
    samples, names, start = np.zeros(round(seconds * rate)), [], 0.05
    while start < seconds - 0.2:
        octave, step = divmod(degree, len(scale))
        pitch = int(key) + 12 * octave + scale[step]
        first = round(start * rate)
        samples[first:] += pluck(pitch, len(samples) - first, rate, rng)
        names.append(f"{NAMES[pitch % 12]}{pitch // 12 - 1}")
        degree = int(np.clip(degree + rng.integers(-3, 4), -2, 2 * len(scale)))
        start += beat * rng.choice([0.5, 1.0, 1.0, 1.5])
    samples *= 0.5 / np.abs(samples).max()
    return Recording(f"melody-{index:03d}", " ".join(names), samples.astype(np.float32))


def pluck(pitch: int, frames: int, rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns a string plucked once: partials that fade the faster the higher they are.

    Args:
        pitch: MIDI note number; 69 is A4, 440 Hz.
        frames: Length of the result, in samples.
        rate: Sample rate in Hz.
        rng: Decides how hard and where the string is plucked.
    """
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    place, strength = rng.uniform(0.1, 0.3), rng.uniform(0.4, 1.0)
    partials = np.arange(1, 1 + min(14, int(0.45 * rate / frequency)))
    levels = strength * np.sin(np.pi * place * partials) / partials**1.2
    fades = 1.5 + 0.6 * partials + 0.002 * frequency
    # Stiff strings sound a little sharp in their upper partials.
    tones = 2 * np.pi * frequency * partials * np.sqrt(1 + 2e-4 * partials**2)
    poles = (tones * 1j - fades) / rate
    # exp(p (256 i + j)) = exp(256 p i) exp(p j): a matrix product sums all partials at once.
    blocks = np.exp(256 * np.arange(-(-frames // 256))[:, None] * poles)
    within = np.exp(poles[:, None] * np.arange(256))
    string = ((blocks * levels) @ within).imag.ravel()[:frames]
    attack = np.minimum(1, np.arange(frames) / (0.003 * rate))
    return np.asarray(string * attack)
