"""Resampling by torchaudio, for those who ask for it: earmark itself never resamples.

The `(waveform, sample_rate)` pairs that `torchaudio.load` returns need nothing from here:
`earmark.Audio` and `earmark_integrations.torch.to_audio` take them as they are.
"""

from __future__ import annotations

import torch
import torchaudio

from earmark import Audio
from earmark.rate import checked_rate
from earmark_integrations.torch import to_audio


def resample(audio: Audio, sample_rate: int) -> Audio:
    """Make the same sound at another sample rate, with the same caption.

    Args:
        audio: Any sound.
        sample_rate: The rate to have, in Hz.

    Returns:
        The sound itself where it has that rate; else a new one, computed in double precision.

    Raises:
        SampleRateError: If the rate is no positive integer.

    Example:
        >>> resample(to_audio(torch.zeros(48_000), 48_000, "silence"), 16_000)
        Audio(1 channel, 1.000 s, 16000 Hz, caption='silence')
    """
    rate = checked_rate(sample_rate)
    if rate == audio.sample_rate:
        return audio
    waveform = torch.tensor(audio.samples, dtype=torch.float64).T
    resampled = torchaudio.functional.resample(waveform, audio.sample_rate, rate)
    return to_audio(resampled, rate, audio.caption, layout="channels_first")
