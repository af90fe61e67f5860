"""LightningCLI: a monitor is configured in YAML, with every keyword that it has."""

from __future__ import annotations

import functools
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.cli import LightningCLI
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from earmark_integrations.lightning import AudioMonitor
from tests.integrations.lightning_models import (
    FRAMES,
    RATE,
    Denoiser,
    clips_in,
    heard,
    loader,
    numbers,
    speech,
    told,
)

CONFIG = """
seed_everything: 0
trainer:
  accelerator: cpu
  max_epochs: 3
  logger: false
  enable_checkpointing: false
  enable_progress_bar: false
  enable_model_summary: false
  num_sanity_val_steps: 0
  default_root_dir: {root}
  callbacks:
    - class_path: earmark_integrations.lightning.AudioMonitor
      init_args:
        {arguments}
"""

ARGUMENTS: dict[str, Any] = {
    "every_n_epochs": 2,
    "max_examples": 3,
    "input": "noisy",
    "target": "clean",
    "prediction": "prediction",
    "roles": {"residual": "batch.noisy"},
    "predict": "enhance",
    "variants": {"plain": {}, "loud": {"gain": 2.0}},
    "weights": "average",
    "decode": {"prediction": "halved"},
    "lengths": {"prediction": ["num_hops", 100], "input": ["num_hops", 100], "target": "num"},
    "sample_rate": {"input": RATE, "prediction": 2 * RATE, "target": RATE, "residual": RATE},
    "captions": "{text} | epoch {epoch}",
    "spectrogram": False,
    "ranks": "shard",
    "sinks": [],
    "tag": "mine",
    "enabled": True,
    "strict": True,
}


class Data(LightningDataModule):
    """Speech, and its lengths in samples and in hops of 100."""

    def train_dataloader(self) -> Any:
        """Batches of four."""
        num_hops = functools.partial(_num_hops, samples=1)
        return loader(num_hops=num_hops, num=functools.partial(_num_hops, samples=100))

    val_dataloader = train_dataloader


def _num_hops(index: int, samples: int) -> int:
    return samples * (1 + index % 4)


class Enhancer(Denoiser):
    """A module with a method of its own to listen to."""

    def enhance(self, batch: dict[str, Any], gain: float = 1.0) -> dict[str, Tensor]:
        """The prediction, on the grid of 16 bits."""
        return {"prediction": 2 * gain * batch["clean"]}


class Module(Enhancer):
    """One that keeps another one as its average."""

    def __init__(self) -> None:
        super().__init__()
        self.average = AveragedModel(Enhancer())

    def enhance(self, batch: dict[str, Any], gain: float = 1.0) -> Any:
        """What would be heard without `weights=`."""
        raise AssertionError("the average is to be heard")

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
        """A prediction, and two stems of it."""
        outputs = super().validation_step(batch, index)
        return outputs | {"stems": torch.stack([batch["clean"], batch["noisy"]], 1)}

    def halved(self, sounds: Tensor) -> Tensor:
        """What is heard of a prediction."""
        return sounds / 2

    def speak(self, batch: dict[str, Any]) -> Tensor:
        """Speech for each of some texts."""
        return torch.stack([speech(len(text)) for text in batch["text"]])


def trained(root: Path, **arguments: Any) -> AudioMonitor:
    """Train as `python train.py fit --config config.yaml` does, and return the monitor."""
    lines = [f"{name}: {json.dumps(value)}" for name, value in arguments.items()]
    text = CONFIG.format(root=root, arguments="\n        ".join(lines))
    config = root / "config.yaml"
    config.write_text(text)
    args = ["fit", "--config", str(config)]
    with told() as messages:
        cli = LightningCLI(Module, Data, save_config_callback=None, args=args)
    assert messages == []
    callbacks: list[Any] = cli.trainer.callbacks  # type: ignore[attr-defined]  # Lightning's gap
    (monitor,) = (callback for callback in callbacks if isinstance(callback, AudioMonitor))
    return monitor


def test_what_is_configured_is_what_is_logged(tmp_path: Path) -> None:
    """Each argument has its effect."""
    clips = clips_in(trained(tmp_path, **ARGUMENTS).run_dir)
    assert len(clips) == 2 * 3 * 5
    assert numbers(clips, "tag") == ["mine"]
    assert numbers(clips, "epoch") == [0, 2]
    assert clips[0].caption == "words 0 | epoch 0"
    gains = {
        "input": None,
        "target": 1,
        "residual": None,
        "prediction.plain": 1,
        "prediction.loud": 2,
    }
    assert {clip.role for clip in clips} == set(gains)
    for clip in clips:
        is_made, index = clip.role.startswith("prediction"), int(clip.example)
        assert clip.audio.sample_rate == (2 * RATE if is_made else RATE)
        num_frames = FRAMES if clip.role == "residual" else 100 * (1 + index % 4)
        assert clip.audio.num_frames == num_frames
        gain = gains[clip.role]
        if gain is not None:
            np.testing.assert_array_equal(heard(clip), gain * speech(index)[:num_frames].numpy())


@pytest.mark.parametrize(
    ("arguments", "epochs"),
    [
        ({"every_n_steps": 6}, [0, 2]),
        (
            {"schedule": {"class_path": "earmark.schedule.AtEpochs", "init_args": {"epochs": [1]}}},
            [1],
        ),
        ({"schedule": {"class_path": "earmark.at_epochs", "init_args": {"epochs": [1]}}}, [1]),
    ],
    ids=["steps", "class", "function"],
)
def test_every_schedule_has_its_form(
    tmp_path: Path, arguments: dict[str, Any], epochs: list[int]
) -> None:
    """A number, or an object by its class or by the function that makes it."""
    assert numbers(clips_in(trained(tmp_path, **arguments).run_dir), "epoch") == epochs


@pytest.mark.parametrize(
    ("lengths", "num_frames"),
    [("num", 200), (["num_hops", 50], 100), ({"prediction": "num"}, 200)],
    ids=["key", "hops", "by role"],
)
def test_lengths_have_all_their_forms(tmp_path: Path, lengths: Any, num_frames: int) -> None:
    """A key, a key with a hop, or either by role."""
    listener = trained(tmp_path, lengths=lengths, examples=[1])
    clips = clips_in(listener.run_dir, role="prediction", epoch=0)
    assert [(clip.example, clip.audio.num_frames) for clip in clips] == [("1", num_frames)]


def test_the_other_forms_of_arguments(tmp_path: Path) -> None:
    """A directory, one rate, stems, a function by its path, and nothing where nothing is to say."""
    folder = tmp_path / "somewhere"
    empty: dict[str, Any] = dict.fromkeys(("sinks", "tag", "lengths", "decode", "metrics"))
    given = {"run_dir": str(folder), "sample_rate": RATE, "stems": ["a", "b"]}
    trained(tmp_path, prediction="stems", transform=f"{__name__}.half_as_loud", **given, **empty)
    assert numbers(clips_in(folder), "tag") == ["val"]
    for clip in clips_in(folder, role="prediction.a"):
        np.testing.assert_array_equal(heard(clip), speech(int(clip.example)).numpy() / 2)


def test_a_demo_set_may_be_prompts(tmp_path: Path) -> None:
    """A list of texts, each of which is heard in each of the three epochs."""
    listener = trained(tmp_path, demo=["one", "two"], predict="speak")
    assert numbers(clips_in(listener.run_dir), "caption") == ["one", "two"]
    assert len(clips_in(listener.run_dir)) == 3 * 2


def half_as_loud(sounds: Tensor, role: str) -> Tensor:
    """A transform."""
    return sounds / 2


def test_every_keyword_is_tried_here() -> None:
    """Whoever adds one adds it to these tests."""
    keywords = set(inspect.signature(AudioMonitor).parameters)
    others = {"every_n_steps", "schedule", "run_dir", "examples", "demo", "stems", "metrics"}
    assert keywords == set(ARGUMENTS) | others | {"transform"}
