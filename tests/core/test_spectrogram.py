"""Pictures of sounds: where there is energy, and how much of it."""

from __future__ import annotations

import numpy as np
import pytest

from earmark import Audio
from earmark.spectrogram import RANGE_DB, spectrogram

RATE = 16_000


def tone(frequency: float, seconds: float = 1.0, peak: float = 1.0) -> Audio:
    """A sine in one channel."""
    time = np.arange(int(RATE * seconds)) / RATE
    return Audio((peak * np.sin(2 * np.pi * frequency * time)).astype(np.float32), RATE)


@pytest.mark.parametrize("frequency", [1000.0, 4000.0, 7500.0])
def test_a_tone_is_a_line_at_its_frequency(frequency: float) -> None:
    """The brightest row is the one of the tone's frequency, counted from the bottom."""
    picture = spectrogram(tone(frequency))

    assert picture.shape[0] == 513
    row = 512 - int(picture.mean(axis=1).argmax())
    assert row * RATE / 1024 == pytest.approx(frequency, abs=RATE / 1024)


@pytest.mark.parametrize("peak_db", [0.0, -20.0, -60.0])
def test_grey_levels_are_absolute(peak_db: float) -> None:
    """A sine at full scale is white, and each decibel less is as much darker, in any sound."""
    picture = spectrogram(tone(1000.0, peak=10 ** (peak_db / 20)))

    assert picture.max() == pytest.approx(255 * (1 + peak_db / RANGE_DB), abs=2)


def test_silence_is_black() -> None:
    """Nothing is scaled up to be seen."""
    assert not spectrogram(Audio(np.zeros(RATE, np.float32), RATE)).any()


def test_time_goes_to_the_right() -> None:
    """What sounds in the second half is on the right half of the picture."""
    sound = tone(1000.0).samples[:, 0].copy()
    sound[: RATE // 2] = 0
    picture = spectrogram(Audio(sound, RATE))

    assert picture[:, : picture.shape[1] // 2 - 4].max() == 0
    assert picture[:, picture.shape[1] // 2 + 4 :].max(axis=0).min() > 240


@pytest.mark.parametrize(("seconds", "columns"), [(0.001, 1), (1.0, 59), (300.0, 1200)])
def test_no_picture_is_too_wide(seconds: float, columns: int) -> None:
    """A sound shorter than a window has one column, and five minutes have about 1200."""
    assert spectrogram(tone(1000.0, seconds)).shape[1] == columns


def test_channels_are_averaged_in_power() -> None:
    """Channels of opposite sign do not cancel out, and a silent one takes 3 dB."""
    left = tone(1000.0).samples
    opposite = spectrogram(Audio(np.hstack([left, -left]), RATE))
    half = spectrogram(Audio(np.hstack([left, 0 * left]), RATE))

    np.testing.assert_array_equal(opposite, spectrogram(tone(1000.0)))
    assert half.max() == pytest.approx(255 * (1 - 3.01 / RANGE_DB), abs=1)
