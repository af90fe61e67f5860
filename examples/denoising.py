"""What both examples learn: to take noise off recordings. The batches, a model, its measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from recordings import Recording
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

Pair = tuple[Recording, NDArray[np.float32]]  # a recording, and what noise has made of it


class Batch(TypedDict):
    """Sounds of shape (B, T), padded to the longest; their lengths in samples."""

    id: list[str]
    text: list[str]
    noisy: Tensor
    clean: Tensor
    lengths: Tensor


def loaders(
    recordings: Sequence[Recording], rate: int, *, steps: int, seed: int
) -> tuple[DataLoader[Pair], DataLoader[Pair]]:
    """Returns `steps` batches to train on, and up to 8 whole recordings to validate with.

    The latter are the same for every seed.
    """
    count = min(8, len(recordings) // 2)
    if not count:
        raise SystemExit(f"Expected at least two recordings, got {len(recordings)}.")
    apart = len(recordings) // count
    chosen = range(0, count * apart, apart)
    held_out = [recordings[index] for index in chosen]
    others = [recording for index, recording in enumerate(recordings) if index not in chosen]
    crops = NoisyCrops(others, rate, seconds=1.5, count=16 * steps, seed=seed)
    return (
        DataLoader(crops, batch_size=16, shuffle=True, collate_fn=collate),
        DataLoader(Noisy(held_out, rate), batch_size=8, collate_fn=collate),
    )


class Noisy(Dataset[Pair]):
    """Whole recordings, each in noise as loud as itself, which is the same every time."""

    def __init__(self, recordings: Sequence[Recording], rate: int) -> None:
        self.recordings, self.rate = recordings, rate

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, index: int) -> Pair:
        return with_noise(self.recordings[index], self.rate, np.random.default_rng(index))


class NoisyCrops(Dataset[Pair]):
    """`count` random pieces of the recordings, in noise that is new every time."""

    def __init__(
        self, recordings: Sequence[Recording], rate: int, *, seconds: float, count: int, seed: int
    ) -> None:
        self.recordings, self.rate, self.count = recordings, rate, count
        self.frames = round(seconds * rate)
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Pair:
        whole = self.recordings[index % len(self.recordings)]
        start = self.rng.integers(max(1, len(whole.samples) - self.frames))
        crop = whole._replace(samples=whole.samples[start : start + self.frames])
        return with_noise(crop, self.rate, self.rng, snr=self.rng.uniform(-3, 3))


def collate(pairs: Sequence[Pair]) -> Batch:
    """Pads recordings to the longest of the batch."""
    clean = [torch.from_numpy(recording.samples) for recording, _ in pairs]
    noisy = [torch.from_numpy(samples) for _, samples in pairs]
    return {
        "id": [recording.name for recording, _ in pairs],
        "text": [recording.text for recording, _ in pairs],
        "noisy": pad_sequence(noisy, batch_first=True),
        "clean": pad_sequence(clean, batch_first=True),
        "lengths": torch.tensor([len(samples) for samples in clean]),
    }


def with_noise(clean: Recording, rate: int, rng: np.random.Generator, snr: float = 0) -> Pair:
    """Adds noise at `snr` dB, and turns both down where the sum would be over full scale."""
    level = np.sqrt(np.mean(np.square(clean.samples))) * 10 ** (-snr / 20)
    noisy = clean.samples + level * noise(len(clean.samples), rate, rng)
    gain = np.float32(1 / max(1, np.abs(noisy).max() / 0.99))
    return clean._replace(samples=clean.samples * gain), noisy.astype(np.float32) * gain


def noise(frames: int, rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns hiss, rumble and the hum of the mains, differently mixed every time; RMS is 1."""
    frequencies = np.maximum(20, np.fft.rfftfreq(frames, 1 / rate))
    colour = np.sqrt(1 + rng.uniform(50, 500) / frequencies)
    hiss = np.fft.irfft(colour * np.fft.rfft(rng.standard_normal(frames)), frames)
    mains = 2 * np.pi * rng.choice([50, 60]) * np.arange(frames) / rate + rng.uniform(0, 6)
    hum = sum(np.sin(k * mains) / k for k in (1, 2, 3, 5))
    mixed = hiss / hiss.std() + rng.uniform(0, 0.5) * hum
    return np.asarray(mixed / mixed.std())


class Denoiser(nn.Module):
    """Says for every bin of a noisy spectrogram how much of it to keep: (B, T) -> (B, T).

    It looks back only, so that the padding after a sound does not change what becomes of it.
    """

    window: Tensor

    def __init__(self, sample_rate: int, width: int = 128) -> None:
        super().__init__()
        self.hop = round(0.01 * sample_rate)
        bins = 2 * self.hop + 1
        self.register_buffer("window", torch.hann_window(4 * self.hop))
        self.first = nn.Conv1d(bins, width, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ConstantPad1d((2 * dilation, 0), 0),
                nn.Conv1d(width, width, 3, dilation=dilation),
                nn.PReLU(),
            )
            for dilation in (1, 2, 4, 8, 16)
        )
        self.last = nn.Conv1d(width, bins, 1)

    def forward(self, noisy: Tensor) -> Tensor:
        """Returns the sound without noise, as long as the noisy one."""
        n_fft, length = 4 * self.hop, noisy.shape[-1]
        padded = nn.functional.pad(noisy, (0, n_fft))
        spectrum = torch.stft(
            padded, n_fft, self.hop, window=self.window, pad_mode="constant", return_complex=True
        )
        hidden = self.first(torch.log(spectrum.abs() + 1e-3))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        kept = spectrum * torch.sigmoid(self.last(hidden))
        return torch.istft(kept, n_fft, self.hop, window=self.window, length=length)


def snr(estimate: Tensor, target: Tensor) -> Tensor:
    """Returns the signal-to-noise ratio in dB, (...), of sounds (..., T)."""
    error = (estimate - target).square().sum(-1)
    return 10 * torch.log10(target.square().sum(-1) / (error + 1e-8) + 1e-8)


def si_sdr(estimate: Tensor, target: Tensor) -> Tensor:
    """Returns the same for the target at the level at which it is in the estimate."""
    level = (estimate * target).sum(-1, keepdim=True) / target.square().sum(-1, keepdim=True)
    return snr(estimate, level * target)
