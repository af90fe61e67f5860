"""Resampling on request, and the pairs that `torchaudio.load` returns."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import torchaudio

from earmark import Audio
from earmark.errors import SampleRateError
from earmark_integrations.torch import to_audio
from earmark_integrations.torchaudio import resample


def tone(rate: int, hz: float, *, gain: float = 0.5) -> torch.Tensor:
    """One second of a stereo sine, the second channel at half the level."""
    left = gain * torch.sin(2 * torch.pi * hz * torch.arange(rate, dtype=torch.float64) / rate)
    return torch.stack([left, left / 2])


@pytest.mark.parametrize(("old", "new"), [(48_000, 16_000), (16_000, 48_000), (44_100, 24_000)])
def test_a_tone_stays_the_same_tone(old: int, new: int) -> None:
    """At another rate a sine has its frequency, level, channels, duration and caption."""
    audio = resample(to_audio(tone(old, 440), old, "A4"), new)
    assert (audio.sample_rate, audio.caption) == (new, "A4")
    assert (audio.num_channels, audio.duration_seconds) == (2, 1.0)
    middle = slice(new // 10, -new // 10)  # the filter rings at the edges
    expected = tone(new, 440).T.numpy()
    np.testing.assert_allclose(audio.samples[middle], expected[middle], atol=1e-3)


def test_nothing_is_clipped() -> None:
    """What is over full scale before is over full scale after."""
    audio = resample(to_audio(tone(16_000, 440, gain=2), 16_000), 48_000)
    assert np.abs(audio.samples).max() == pytest.approx(2, rel=1e-2)


def test_the_same_rate_is_the_same_sound() -> None:
    """Resampling to the rate that a sound has gives back the sound itself."""
    audio = to_audio(tone(16_000, 440), 16_000)
    assert resample(audio, 16_000) is audio


def test_resampling_is_precise() -> None:
    """The samples are torchaudio's in double precision, to the nearest float32."""
    waveform = tone(44_100, 1000).to(torch.float32)
    oracle = torchaudio.functional.resample(waveform.double(), 44_100, 16_000).float()
    audio = resample(to_audio(waveform, 44_100), 16_000)
    np.testing.assert_array_equal(audio.samples.T, oracle.numpy())


def test_a_few_frames_keep_their_channels() -> None:
    """A stereo sound that shrinks to one frame remains stereo."""
    audio = resample(to_audio(torch.ones(2, 6), 48_000), 8_000)
    assert (audio.num_channels, audio.num_frames) == (2, 1)


@pytest.mark.parametrize("rate", [0, -16_000, 16_000.5, None, "16k"])
def test_an_impossible_rate_is_refused(rate: Any) -> None:
    """A rate is a positive integer here as everywhere."""
    with pytest.raises(
        SampleRateError, match="expected a sample rate in Hz, a positive integer such as 16000"
    ):
        resample(to_audio(tone(16_000, 440), 16_000), rate)


def test_loaded_pairs_are_taken_as_they_are(tmp_path: Path) -> None:
    """What `torchaudio.load` returns is the sound that soundfile reads from the same file."""
    try:
        importlib.import_module("torchcodec")  # what torchaudio loads with
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"torchcodec finds no FFmpeg libraries: {error}")
    path = tmp_path / "tone.wav"
    samples = tone(22_050, 440).T.numpy().astype(np.float32)
    soundfile.write(path, samples, 22_050, subtype="FLOAT")
    loaded = torchaudio.load(path)
    for audio in (Audio(loaded), to_audio(loaded)):
        assert audio.sample_rate == 22_050
        np.testing.assert_array_equal(audio.samples, samples)
