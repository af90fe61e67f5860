"""Clips of transformers' Trainer in the trackers that it reports to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import wandb

from earmark import EarmarkWarning
from earmark.testing import MemorySink
from earmark_integrations.sinks.wandb import WandbSink
from earmark_integrations.transformers import AudioMonitor
from tests.integrations.loop_models import clips_in, each, steps_in_tensorboard
from tests.integrations.sinks.trackers import finished, wandb_at_home_in, wandb_rows
from tests.integrations.transformers_models import make_trainer


def test_clips_are_at_the_steps_of_the_scalars(tmp_path: Path) -> None:
    """In TensorBoard each sound stands where the evaluation's loss does."""
    monitor = AudioMonitor(max_examples=1)
    make_trainer(
        tmp_path,
        monitor,
        report_to="tensorboard",
        eval_strategy="steps",
        eval_steps=2,
        max_steps=6,
    ).train()
    (folder,) = (tmp_path / "runs").iterdir()
    steps = steps_in_tensorboard(folder)
    assert steps["eval/loss"] == steps["eval/prediction/0"] == [2, 4, 6]
    assert each(clips_in(monitor.run_dir), "step", "epoch") == [(2, 0), (4, 1), (6, 2)]


def test_clips_are_on_the_rows_of_wandb(tmp_path: Path) -> None:
    """The row that has the clips has the trainer's own step, which is its horizontal axis."""
    with wandb_at_home_in(tmp_path):
        run = wandb.init(project="earmark-tests")
        make_trainer(tmp_path, AudioMonitor(max_examples=1), report_to="wandb").train()
        rows = wandb_rows(finished(run))
    losses = [row["train/global_step"] for row in rows if "eval/loss" in row]
    clips = [row["train/global_step"] for row in rows if "eval/prediction" in row]
    assert losses == clips == [3, 6]


def test_a_sink_that_is_given_has_its_own_row_too(tmp_path: Path) -> None:
    """Not the row of the next scalars, which are of a later step."""
    with wandb_at_home_in(tmp_path):
        run = wandb.init(project="earmark-tests")
        monitor = AudioMonitor(max_examples=1, sinks=[WandbSink(run)])
        steps: dict[str, Any] = {"logging_strategy": "steps", "logging_steps": 1}
        make_trainer(tmp_path, monitor, report_to="wandb", **steps).train()
        rows = wandb_rows(finished(run))
    assert [row["train/global_step"] for row in rows if "eval/prediction" in row] == [3, 6]


def test_a_tracker_without_sound_is_told(tmp_path: Path) -> None:
    """Once, with where the clips are; so is a TensorBoard writer in another place."""
    monitor = AudioMonitor()
    trainer = make_trainer(tmp_path, monitor)
    trainer.args.report_to = ["clearml", "tensorboard"]
    with pytest.warns(EarmarkWarning) as told:
        trainer.train()
    first, second = (str(warning.message) for warning in told)
    assert first == f"earmark: clearml gets no clips: they are in {monitor.run_dir}"
    assert second.startswith("earmark: tensorboard gets no clips (expected a SummaryWriter, got")


def test_sinks_get_every_take(tmp_path: Path) -> None:
    """Those that are given, instead of the trainer's."""
    sink = MemorySink()
    make_trainer(tmp_path, AudioMonitor(sinks=[sink]), report_to="tensorboard").train()
    assert [take.step for take in sink.takes] == [3, 6]
