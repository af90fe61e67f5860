"""What every peer logs: voices that glide, pause and breathe, so that they compress as sound does.

target       as a 16-bit recording holds it
input        the target with noise 15 dB below it, 16 bit as well
prediction   near the target, in float32 as a model returns it
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

Sounds = dict[str, Samples]
"""By role a batch of shape `(clips, frames)` or `(clips, frames, channels)`, full scale 1.0."""

_PHRASE_SECONDS = 2.5


@dataclass(frozen=True)
class Case:
    """What is logged together, as the clips of one validation."""

    name: str
    title: str
    count: int
    seconds: float
    sample_rate: int
    channels: int = 1
    roles: tuple[str, ...] = ("prediction",)

    @property
    def num_frames(self) -> int:
        """Of each clip."""
        return round(self.seconds * self.sample_rate)

    @property
    def num_samples(self) -> int:
        """Of all clips, over all channels."""
        return self.count * len(self.roles) * self.num_frames * self.channels


SHORT = Case("short", "16 mono clips of 5 s at 22.05 kHz", 16, 5, 22_050)
LONG = Case("long", "8 stereo clips of 30 s at 44.1 kHz", 8, 30, 44_100, channels=2)
EPOCH = Case(
    "epoch",
    "input, prediction and target of 4 examples, 5 s at 22.05 kHz",
    4,
    5,
    22_050,
    roles=("input", "prediction", "target"),
)


def make(case: Case, seed: int = 0) -> Sounds:
    """Makes the sounds of a case: the same ones for the same seed."""
    made = [_example(np.random.default_rng((seed, index)), case) for index in range(case.count)]
    return {role: np.stack([example[role] for example in made]) for role in case.roles}


def save(case: Case, folder: Path) -> None:
    """Writes the sounds of a case for `load`, so that each process need not make them anew."""
    folder.mkdir(parents=True, exist_ok=True)
    for role, batch in make(case).items():
        np.save(_file(case, role, folder), batch)


def load(case: Case, folder: Path) -> Sounds:
    """Reads the sounds of a case."""
    return {role: np.load(_file(case, role, folder)) for role in case.roles}


def copy(sounds: Sounds) -> Sounds:
    """Copies sounds, so that `advance` may change them."""
    return {role: batch.copy() for role, batch in sounds.items()}


def advance(sounds: Sounds, first: Sounds, epoch: int) -> None:
    """Turns sounds into those of an epoch, in place: another prediction, the same of all else."""
    np.multiply(first["prediction"], np.float32(1 / (1 + epoch / 50)), out=sounds["prediction"])


def _file(case: Case, role: str, folder: Path) -> Path:
    return folder / f"{case.name}.{role}.npy"


def _example(rng: np.random.Generator, case: Case) -> Sounds:
    clean = np.resize(_phrase(rng, case.sample_rate), case.num_frames)
    if case.channels > 1:  # the same voice, heard a little later at each further place
        clean = np.stack([np.roll(clean, 37 * n) * 0.9**n for n in range(case.channels)], axis=1)
    loudness = np.sqrt(np.mean(clean**2))

    def noise(decibels: float) -> NDArray[np.float64]:
        return np.asarray(10 ** (decibels / 20) * loudness * rng.standard_normal(clean.shape))

    target = _with_16_bits(clean + noise(-50))
    sounds = {"target": target}
    if "input" in case.roles:
        sounds["input"] = _with_16_bits(target + noise(-15))
    sounds["prediction"] = (0.97 * target + noise(-40)).astype(np.float32)
    return sounds


def _phrase(rng: np.random.Generator, rate: int) -> NDArray[np.float64]:
    time = np.arange(round(_PHRASE_SECONDS * rate)) / rate
    waves = rng.uniform(0.3, 2, (3, 1)) * time + rng.random((3, 1))
    pitch = rng.uniform(100, 220) * 2 ** (np.sin(2 * np.pi * waves).sum(axis=0) / 12)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    partials = range(1, 1 + min(24, int(0.45 * rate / pitch.max())))
    voice = sum(np.sin(n * phase + rng.uniform(0, 6)) * n**-1.3 for n in partials)
    syllables = np.clip(np.sin(2 * np.pi * (rng.uniform(1.5, 2.5) * time + rng.random())), 0, None)
    sound = np.asarray(voice * np.sqrt(syllables))
    return np.asarray(0.5 * sound / np.abs(sound).max())


def _with_16_bits(sound: NDArray[np.floating]) -> Samples:
    steps = np.rint(sound * 2**15).clip(-(2**15), 2**15 - 1)
    return np.asarray(steps / 2**15, np.float32)
