"""What the tests of other loops than Lightning's train: a filter on voices, of 16 bits."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import earmark
from earmark import Clip

RATE = 8000
FRAMES = 1200
STEP_24 = 2.0**-24
"""The largest error of a sound that is stored with 24 bits."""

GOES_ON = (
    ". Training goes on, and more of the same is passed over silently; strict=True raises instead"
)
"""How earmark ends what it tells of a fault."""


@functools.cache
def voice(index: int) -> Tensor:
    """Three harmonics of a pitch of its own for each index, on the grid of 16 bits."""
    time = torch.arange(FRAMES, dtype=torch.float64) / RATE
    tones = [torch.sin(2 * torch.pi * (90 + 10 * index) * n * time) / n for n in (1, 2, 3)]
    return (torch.round(0.2 * torch.stack(tones).sum(0) * 2**15) / 2**15).float()


class Voices(Dataset[dict[str, Any]]):
    """Two voices at once, the first alone, and a text.

    Args:
        size: How many items.
        first: The index of the first voice.
    """

    def __init__(self, size: int = 6, first: int = 0) -> None:
        self.size, self.first = size, first

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < self.size:
            raise IndexError(index)
        clean = voice(self.first + index)
        text = f"words {self.first + index}"
        return {"noisy": clean + voice(index + 20), "clean": clean, "text": text}


def loader(size: int = 6, *, batch: int = 2, shuffle: bool = False) -> DataLoader[dict[str, Any]]:
    """A loader of voices."""
    return DataLoader(Voices(size), batch_size=batch, shuffle=shuffle)


class Filter(nn.Module):
    """Nine taps and a dropout, which learn to take a voice out."""

    sample_rate = RATE

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.taps = nn.Conv1d(1, 1, 9, padding=4)
        self.dropout = nn.Dropout(0.1)

    def forward(self, noisy: Tensor) -> Tensor:
        """Filter a batch of sounds `(B, T)`."""
        filtered: Tensor = self.taps(self.dropout(noisy)[:, None])[:, 0]
        return filtered

    def halve(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A prediction whose samples are known."""
        assert not self.training
        return {"prediction": batch["noisy"] / 2}

    def draw(self, batch: dict[str, Tensor]) -> Tensor:
        """A prediction of random numbers."""
        return torch.rand_like(batch["noisy"]) / 2


def heard_of(model: Any, index: int) -> NDArray[np.float32]:
    """What a function makes of an item beside the one that shares its batch of two."""
    first = index // 2 * 2
    noisy = torch.stack([Voices()[item]["noisy"] for item in (first, first + 1)])
    with torch.no_grad():
        made: NDArray[np.float32] = model(noisy)[index - first].numpy()
    return made


def clips_in(run: Any, **filters: Any) -> list[Clip]:
    """The clips of a run's directory, older versions too."""
    return list(earmark.open_run(run).clips(all_versions=True, **filters))


def samples(clip: Clip) -> NDArray[np.float32]:
    """The samples of a mono clip, shape `(frames,)`."""
    mono: NDArray[np.float32] = clip.audio.samples[:, 0]
    return mono


def each(clips: list[Clip], *names: str) -> list[Any]:
    """Attributes of each clip, without repetitions, in their order."""
    values = [tuple(getattr(clip, name) for name in names) for clip in clips]
    unique = dict.fromkeys(values)
    return [value[0] for value in unique] if len(names) == 1 else list(unique)


def steps_in_tensorboard(folder: Path) -> dict[str, list[int]]:
    """The steps of everything in the event files of a folder, by its name."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
    events.Reload()
    names: dict[str, Any] = events.Tags()
    scalars = {name: [event.step for event in events.Scalars(name)] for name in names["scalars"]}
    tensors = {name: [event.step for event in events.Tensors(name)] for name in names["tensors"]}
    return scalars | tensors
