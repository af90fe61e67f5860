"""What the Lightning tests train: a tiny real module, speech-like data, a trainer for both."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import earmark
from earmark import Clip, EarmarkWarning
from earmark_integrations.lightning import AudioMonitor

RATE = 8000
FRAMES = 400
STEP_24 = 2.0**-24
"""The largest error of a sound that is stored with 24 bits."""

GOES_ON = (
    ". Training goes on, and more of the same is passed over silently; strict=True raises instead"
)
"""How earmark ends what it tells of a fault."""


torch.set_num_threads(1)  # sounds this short gain nothing from more


@functools.cache
def speech(index: int, num_frames: int = FRAMES) -> Tensor:
    """A voice of its own pitch for each index: harmonics in syllables, on the grid of 16 bits."""
    time = torch.arange(num_frames, dtype=torch.float64) / RATE
    pitch = 90.0 + 10 * index
    tones = [torch.sin(2 * torch.pi * pitch * n * time) / n for n in range(1, 8)]
    syllables = 0.6 + 0.4 * torch.sin(2 * torch.pi * 15 * time + index)
    voice = 0.2 * syllables * torch.stack(tones).sum(0)
    return (torch.round(voice * 2**15) / 2**15).float()


class Speech(Dataset[dict[str, Any]]):
    """Noisy and clean speech with its text, and other columns where they are asked for.

    Args:
        size: How many items.
        columns: Further columns, each a function of the index.
    """

    def __init__(self, size: int = 10, **columns: Any) -> None:
        self.size = size
        self.columns = columns

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        more = {name: column(index) for name, column in self.columns.items()}
        clean = speech(index)
        return {
            "noisy": clean + speech(index + 50),
            "clean": clean,
            "text": f"words {index}",
        } | more


def utterance(index: int) -> str:
    """The identity of an item, in a column of a data set."""
    return f"utt-{index}"


def loader(size: int = 10, *, batch: int = 4, shuffle: bool = False, **columns: Any) -> Any:
    """A real loader of speech, on this process."""
    return DataLoader(Speech(size, **columns), batch_size=batch, shuffle=shuffle)


class Steps(nn.Module):
    """A filter of nine taps that learns to turn noisy speech into clean speech."""

    sample_rate = RATE

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.filter = nn.Conv1d(1, 1, 9, padding=4)
        self.returned: list[dict[str, Any]] = []

    def forward(self, noisy: Tensor) -> Tensor:
        """Filter a batch of sounds `(B, T)`."""
        filtered: Tensor = self.filter(noisy[:, None])[:, 0]
        return filtered

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        """The mean squared error."""
        return nn.functional.mse_loss(self(batch["noisy"]), batch["clean"])

    def validation_step(self, batch: dict[str, Any], index: int, dataloader_idx: int = 0) -> Any:
        """What the monitor is shown, and what the tests compare with."""
        prediction = self(batch["noisy"])
        loss = nn.functional.mse_loss(prediction, batch["clean"])
        self.log("loss", loss, batch_size=len(prediction))  # type: ignore[operator]  # Lightning's
        place = {"epoch": self.current_epoch, "text": batch["text"]}
        self.returned.append(place | {"prediction": prediction.clone()})
        return {"prediction": prediction}

    test_step = validation_step

    def predict_step(self, batch: dict[str, Any], index: int, dataloader_idx: int = 0) -> Any:
        """The prediction alone."""
        return self(batch["noisy"])

    def configure_optimizers(self) -> Any:
        """A step size with which every epoch sounds different."""
        return torch.optim.SGD(self.parameters(), 0.5)


class Denoiser(Steps, lightning.pytorch.LightningModule):
    """The filter for `lightning.pytorch`."""


@dataclass(frozen=True)
class Package:
    """One of the two packages that Lightning comes in."""

    pl: Any
    monitor: Any
    module: Any


LIGHTNING = Package(lightning.pytorch, AudioMonitor, Denoiser)


def monitor(**given: Any) -> AudioMonitor:
    """A monitor for `lightning.pytorch` that logs the predictions of two examples."""
    settings: dict[str, Any] = {"max_examples": 2} | given
    return AudioMonitor(**settings)


def make_trainer(root: Path, *callbacks: Any, package: Package = LIGHTNING, **given: Any) -> Any:
    """A quiet trainer on the CPU: one epoch, no logger, no sanity check, no checkpoints unasked."""
    checkpoints = package.pl.callbacks.ModelCheckpoint
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": any(isinstance(callback, checkpoints) for callback in callbacks),
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
        "default_root_dir": root,
        "callbacks": list(callbacks),
    }
    return package.pl.Trainer(**(settings | given))


def fit(
    root: Path,
    *callbacks: Any,
    module: Any = None,
    train: Any = None,
    val: Any = None,
    package: Package = LIGHTNING,
    ckpt_path: Any = None,
    datamodule: Any = None,
    **settings: Any,
) -> list[str]:
    """Train, and return what earmark warned of; Lightning's own warnings are passed over."""
    trainer = make_trainer(root, *callbacks, package=package, **settings)
    module = package.module() if module is None else module
    with told() as messages:
        if datamodule is not None:
            trainer.fit(module, datamodule=datamodule, ckpt_path=ckpt_path)
        else:
            val = loader() if val is None else val
            trainer.fit(module, train or loader(), val, ckpt_path=ckpt_path)
    return messages


@contextmanager
def told() -> Generator[list[str]]:
    """Collect what earmark warns of; what neither it nor Lightning warns of is an error."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield messages
        finally:
            ours = [warning for warning in caught if issubclass(warning.category, EarmarkWarning)]
            messages += [str(warning.message) for warning in ours]
    for warning in caught:
        if warning not in ours and not _is_theirs(warning):
            raise AssertionError(f"unexpected warning: {warning}")


def _is_theirs(warning: warnings.WarningMessage) -> bool:
    places = {*Path(warning.filename).parts}
    theirs = {"lightning", "pytorch_lightning", "lightning_utilities", "torch"}
    return bool(theirs & places) or "LeafSpec" in str(warning.message)  # of torch, by Lightning


def clips_in(run: Any, **filters: Any) -> list[Clip]:
    """The clips of a run's directory."""
    return list(earmark.open_run(run).clips(**filters))


def heard(clip: Clip) -> NDArray[np.float32]:
    """The samples of a mono clip, shape `(frames,)`."""
    samples: NDArray[np.float32] = clip.audio.samples[:, 0]
    return samples


def numbers(clips: Iterable[Clip], name: str) -> list[Any]:
    """One attribute of each clip, without repetitions, in their order."""
    return list(dict.fromkeys(getattr(clip, name) for clip in clips))
