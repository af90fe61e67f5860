from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile

from earmark.level import Level, measure
from earmark.samples import Samples


def sound(*values: float) -> Samples:
    """A mono sound of a few samples."""
    return np.array(values, np.float32)[:, np.newaxis]


def test_a_full_scale_sine_reads_as_meters_read_it() -> None:
    """A sine that peaks at 1.0 has a peak of 0 dBFS and an RMS of -3.01 dBFS."""
    sine = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000).astype(np.float32)[:, np.newaxis]
    level = measure(sine)
    assert level.peak_dbfs == pytest.approx(0, abs=1e-6)
    assert level.rms_dbfs == pytest.approx(-3.0103, abs=1e-4)
    assert (level.num_over, level.num_nonfinite, level.silent) == (0, 0, False)


@pytest.mark.parametrize("amplitude", [0.5, 0.1, 1e-4, 1e-30, 2.0, 1e30])
def test_the_level_follows_the_amplitude_in_decibels(amplitude: float) -> None:
    """A square wave's peak and RMS are both its amplitude, from very quiet to very loud."""
    level = measure(sound(*[amplitude, -amplitude] * 100))
    expected = 20 * math.log10(np.float32(amplitude))
    assert level.peak_dbfs == pytest.approx(expected, abs=1e-6)
    assert level.rms_dbfs == pytest.approx(expected, abs=1e-6)


def test_the_rms_is_over_all_channels() -> None:
    """One channel at 0.5 and one silent one have half the energy of two at 0.5."""
    stereo = np.zeros((1000, 2), np.float32)
    stereo[:, 1] = 0.5
    assert measure(stereo).rms_dbfs == pytest.approx(20 * math.log10(0.5) - 3.0103, abs=1e-4)


def test_only_samples_beyond_full_scale_are_over() -> None:
    """Exactly +-1.0 is full scale; the next float32 is over, in either direction."""
    beyond = float(np.nextafter(np.float32(1), np.float32(2)))
    assert measure(sound(1.0, -1.0)).num_over == 0
    assert measure(sound(1.0, beyond, -beyond, 0.0)).num_over == 2
    assert measure(sound(2.0)).peak_dbfs == pytest.approx(6.0206, abs=1e-4)


def test_non_finite_samples_are_counted_and_metered_as_zero() -> None:
    """NaN and infinities are counted apart; the rest is metered as if they were 0."""
    level = measure(sound(np.nan, np.inf, -np.inf, 0.5))
    assert level.num_nonfinite == 3
    assert level.num_over == 0
    assert level.peak_dbfs == pytest.approx(-6.0206, abs=1e-4)
    assert level.rms_dbfs == pytest.approx(-6.0206 - 6.0206, abs=1e-4)


@pytest.mark.parametrize("values", [[0.0, 0.0], [-0.0], [np.nan, 0.0], [np.inf]])
def test_silence_has_no_level(values: list[float]) -> None:
    """Zeros, and non-finite samples which are stored as zeros, read as minus infinity."""
    level = measure(sound(*values))
    assert level.silent
    assert level.peak_dbfs == level.rms_dbfs == -math.inf


def test_nothing_is_silent() -> None:
    """A block without frames, as a cut may leave it, has the level of silence."""
    assert measure(np.zeros((0, 2), np.float32)) == measure(np.zeros((5, 2), np.float32))


def test_the_smallest_sample_is_not_silence() -> None:
    """A single subnormal sample is a sound, however quiet."""
    level = measure(sound(float(np.finfo(np.float32).smallest_subnormal), 0.0))
    assert not level.silent
    assert level.peak_dbfs == pytest.approx(-897.1, abs=0.1)


def test_long_sounds_are_metered_as_short_ones() -> None:
    """Counts and levels do not depend on the blocks in which a sound is metered."""
    long = np.full((200_001, 2), 0.25, np.float32)
    long[[0, 65_535, 65_536, 131_072, 200_000], 0] = 1.5
    long[[65_536, 200_000], 1] = np.nan
    level = measure(long)
    assert (level.num_over, level.num_nonfinite) == (5, 2)
    energy = np.where(np.isnan(long), 0, long).astype(np.float64) ** 2
    assert level.rms_dbfs == pytest.approx(10 * math.log10(energy.mean()), abs=1e-9)


def test_metering_leaves_the_samples_alone() -> None:
    """The meter replaces NaN by 0 in its own copy only."""
    samples = sound(np.nan, 2.0, 0.5)
    before = samples.tobytes()
    measure(samples)
    assert samples.tobytes() == before


def test_the_meter_agrees_with_samples_read_by_soundfile(tmp_path: object) -> None:
    """The level of a 16-bit file is that of the integers that soundfile reads from it."""
    noise = np.random.default_rng(0).integers(-8000, 8000, (5000, 2), dtype=np.int16)
    soundfile.write(f"{tmp_path}/noise.wav", noise, 8000)
    integers, _ = soundfile.read(f"{tmp_path}/noise.wav", dtype="int16")
    level = measure((noise / 32_768).astype(np.float32))
    wide = integers.astype(np.float64) / 32_768
    assert level.peak_dbfs == pytest.approx(20 * math.log10(np.abs(wide).max()), abs=1e-9)
    assert level.rms_dbfs == pytest.approx(10 * math.log10((wide**2).mean()), abs=1e-9)


def test_metering_is_deaf_to_numpys_error_settings() -> None:
    """A user who makes numpy raise on every floating-point event meets no exception of ours."""
    with np.errstate(all="raise"):
        level = measure(sound(1e-45, np.nan, 1e38, -np.inf))
    assert level.num_nonfinite == 2


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (Level(-6.0206, -9.0), "peak -6.0 dBFS"),
        (Level(-math.inf, -math.inf), "silent"),
        (Level(1.94, 0.0, num_over=1), "peak +1.9 dBFS, 1 sample over full scale"),
        (Level(6.02, 0.0, num_over=12), "peak +6.0 dBFS, 12 samples over full scale"),
        (
            Level(-math.inf, -math.inf, num_nonfinite=1),
            "silent, 1 non-finite sample stored as 0",
        ),
        (Level(-3.0, -6.0, 0, 7), "peak -3.0 dBFS, 7 non-finite samples stored as 0"),
    ],
)
def test_a_level_reads_as_a_sentence_for_captions(level: Level, text: str) -> None:
    """What is wrong with a sound is said in words that fit a caption."""
    assert str(level) == text
