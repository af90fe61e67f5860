from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch


def sounds(load: Callable[[str], ModuleType], *lengths: int) -> list[Any]:
    """Return recordings of these many frames: noises at -20 dBFS."""
    rng = np.random.default_rng(0)
    return [
        load("recordings").Recording(f"{i}", f"text {i}", np.float32(0.1 * rng.normal(size=length)))
        for i, length in enumerate(lengths)
    ]


def test_held_out_recordings_are_whole_and_never_trained_on(
    load: Callable[[str], ModuleType],
) -> None:
    """Eight of twenty are held out, padded, with their lengths; the others make the batches."""
    recordings = sounds(load, *range(4_000, 4_020))
    training, validation = load("denoising").loaders(recordings, 8_000, steps=2, seed=0)
    (batch,) = validation
    assert batch["id"] == [str(index) for index in range(0, 16, 2)]
    assert batch["lengths"].tolist() == list(range(4_000, 4_016, 2))
    for name, clean in zip(batch["id"], batch["clean"], strict=True):
        samples = recordings[int(name)].samples
        np.testing.assert_array_equal(clean, np.pad(samples, (0, 4_014 - len(samples))))
    batches = list(training)
    assert [len(batch["id"]) for batch in batches] == [16, 16]
    assert not {name for made in batches for name in made["id"]} & set(batch["id"])


def test_validation_noise_is_the_same_for_every_seed(load: Callable[[str], ModuleType]) -> None:
    """What the first epoch hears, the last one hears, in this run and the next."""
    loaders, recordings = load("denoising").loaders, sounds(load, 4_000, 4_000)
    _, first = loaders(recordings, 8_000, steps=1, seed=0)
    _, second = loaders(recordings, 8_000, steps=1, seed=1)
    noisy = [batch["noisy"] for loader in (first, first, second) for batch in loader]
    assert torch.equal(noisy[0], noisy[1])
    assert torch.equal(noisy[0], noisy[2])


@pytest.mark.parametrize("snr", [-3.0, 0.0, 5.0])
def test_noise_is_added_at_the_ratio_asked_for(
    load: Callable[[str], ModuleType], snr: float
) -> None:
    """Noise is as many decibels below the recording as it says, and nothing is over full scale."""
    (recording,) = sounds(load, 16_000)
    loud = recording._replace(samples=8 * recording.samples)
    clean, noisy = load("denoising").with_noise(loud, 16_000, np.random.default_rng(0), snr)
    power = np.mean(clean.samples**2) / np.mean((noisy - clean.samples) ** 2)
    assert 10 * np.log10(power) == pytest.approx(snr, abs=0.01)
    assert np.abs(noisy).max() == pytest.approx(0.99, abs=1e-4)


def test_padding_does_not_change_what_the_model_makes(load: Callable[[str], ModuleType]) -> None:
    """A sound alone becomes what it becomes at the head of a padded batch."""
    torch.manual_seed(0)
    model = load("denoising").Denoiser(8_000)
    sound = 0.1 * torch.randn(1, 5_001)
    padded = torch.nn.functional.pad(sound, (0, 3_000))
    with torch.no_grad():
        alone, batched = model(sound), model(padded)
    assert alone.shape == sound.shape
    torch.testing.assert_close(batched[:, :5_001], alone, rtol=0, atol=1e-6)


def test_si_sdr_ignores_the_level(load: Callable[[str], ModuleType]) -> None:
    """A tenth of orthogonal error is 20 dB, at any level of the estimate; the SNR is not so."""
    denoising = load("denoising")
    time = torch.arange(8_000) / 8_000
    target, error = torch.sin(880 * torch.pi * time), torch.cos(880 * torch.pi * time)
    estimate = target + 0.1 * error
    assert float(denoising.si_sdr(estimate, target)) == pytest.approx(20, abs=0.01)
    assert float(denoising.si_sdr(0.5 * estimate, target)) == pytest.approx(20, abs=0.01)
    assert float(denoising.snr(0.5 * target, target)) == pytest.approx(6.02, abs=0.01)


def test_one_recording_is_too_few(load: Callable[[str], ModuleType]) -> None:
    """There has to be one to learn from and one to validate with."""
    with pytest.raises(SystemExit, match=r"Expected at least two recordings, got 1\."):
        load("denoising").loaders(sounds(load, 4_000), 8_000, steps=1, seed=0)
