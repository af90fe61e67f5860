"""Spectrogram: a picture of a sound, for trackers that show pictures beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.audio import Audio
from earmark.samples import Samples

WINDOW = 1024
"""Samples in each window."""

RANGE_DB = 100.0
"""What black is below white, which is a sine at full scale."""

_MAX_COLUMNS = 1200
_MIN_HOP = WINDOW // 4

Picture = NDArray[np.uint8]
"""Grey levels of shape `(height, width)`, the highest frequency first."""


def spectrogram(audio: Audio) -> Picture:
    """Draw a sound's short-time spectrum: time to the right, frequency upwards, both linear.

    Grey levels are absolute, so that pictures of different epochs can be compared: 0 is 100 dB
    below a sine at full scale. Hann windows of 1024 samples overlap by three quarters; in long
    sounds by less, so that no picture is wider than about 1200 pixels. Channels are averaged in
    power.

    Args:
        audio: A sound of any length; a short one is padded with silence to one window.

    Returns:
        A picture of 513 rows, from half the sample rate at the top down to 0 Hz.
    """
    samples = audio.samples
    hop = max(_MIN_HOP, -(-len(samples) // _MAX_COLUMNS))
    power = np.mean([_power(channel, hop) for channel in samples.T], axis=0)
    decibels = 10 * np.log10(np.maximum(power, 1e-30))
    grey = np.clip(decibels / RANGE_DB + 1, 0, 1) * 255
    return np.ascontiguousarray(np.round(grey).astype(np.uint8).T[::-1])


def _power(channel: Samples, hop: int) -> NDArray[np.float32]:
    """The power of each window at each frequency, shape `(windows, 513)`; a full sine has 1."""
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    padded = np.pad(channel, (0, max(0, WINDOW - len(channel))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop]
    spectrum = np.abs(np.fft.rfft(windows * window)) / (window.sum() / 2)
    return np.asarray(spectrum**2, np.float32)
