"""LightningCLI: a monitor is configured in YAML, with every keyword that it has."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import LightningDataModule
from lightning.pytorch.cli import LightningCLI
from torch import Tensor

from earmark_integrations.lightning import AudioMonitor
from tests.integrations.lightning_models import RATE, Denoiser, clips_in, loader, numbers, told

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
    "predict": "enhance",
    "lengths": ["num_hops", 100],
    "sample_rate": {"input": RATE, "prediction": 2 * RATE, "target": RATE},
    "captions": "{text} | epoch {epoch}",
    "ranks": "shard",
    "sinks": [],
    "tag": "mine",
    "enabled": True,
    "strict": True,
}


class Data(LightningDataModule):
    """Speech, and its lengths in hops of 100 samples."""

    def train_dataloader(self) -> Any:
        """Batches of four."""
        return loader(num_hops=lambda index: 1 + index % 4)

    val_dataloader = train_dataloader


class Module(Denoiser):
    """A module with a method of its own to listen to."""

    def enhance(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """The prediction."""
        return {"prediction": self(batch["noisy"])}


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
    assert len(clips) == 2 * 3 * 3
    assert numbers(clips, "tag") == ["mine"]
    assert numbers(clips, "epoch") == [0, 2]
    assert clips[0].caption == "words 0 | epoch 0"
    for clip in clips:
        assert clip.audio.sample_rate == {"prediction": 2 * RATE}.get(clip.role, RATE)
        assert clip.audio.num_frames == 100 * (1 + int(clip.example) % 4)


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


def test_the_other_forms_of_arguments(tmp_path: Path) -> None:
    """A directory, one rate for all, and nothing where there is nothing to say."""
    folder = tmp_path / "somewhere"
    trained(tmp_path, run_dir=str(folder), sample_rate=RATE, sinks=None, tag=None, lengths=None)
    assert numbers(clips_in(folder), "tag") == ["val"]


def test_every_keyword_is_tried_here() -> None:
    """Whoever adds one adds it to these tests."""
    keywords = set(inspect.signature(AudioMonitor).parameters)
    assert keywords == set(ARGUMENTS) | {"every_n_steps", "schedule", "run_dir"}
