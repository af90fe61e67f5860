from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


def test_melodies_are_the_same_for_the_same_seed(load: Callable[[str], ModuleType]) -> None:
    """Names, notes and samples repeat; another seed plays something else."""
    melodies = load("melodies").melodies
    first, again, other = melodies(3, 8_000), melodies(3, 8_000), melodies(3, 8_000, seed=1)
    for one, two, three in zip(first, again, other, strict=True):
        assert one[:2] == two[:2]
        np.testing.assert_array_equal(one.samples, two.samples)
        assert one.text != three.text
        assert one.samples.dtype == np.float32
        assert one.samples.shape == (32_000,)
        assert np.abs(one.samples).max() == pytest.approx(0.5)


@pytest.mark.parametrize(("pitch", "frequency"), [(57, 220.0), (69, 440.0)])
def test_a_pluck_sounds_at_its_pitch_and_fades(
    load: Callable[[str], ModuleType], pitch: int, frequency: float
) -> None:
    """The strongest partial is the note, and a second later little is left of it."""
    rng = np.random.default_rng(0)
    string = load("melodies").pluck(pitch, frames=16_000, rate=8_000, rng=rng)
    spectrum = np.abs(np.fft.rfft(string * np.hanning(16_000)))
    assert np.argmax(spectrum) / 2 == pytest.approx(frequency, abs=1)
    assert np.std(string[8_000:]) < 0.2 * np.std(string[:8_000])
