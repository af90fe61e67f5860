"""AudioMonitor in ignite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver
from ignite.handlers.tensorboard_logger import TensorboardLogger, global_step_from_engine
from torch import nn

from earmark import EarmarkWarning
from earmark.errors import ArgumentError, SampleRateError
from earmark_integrations.ignite import AudioMonitor
from earmark_integrations.sinks.tensorboard import TensorBoardSink
from tests.integrations.loop_models import (
    STEP_24,
    Filter,
    Voices,
    clips_in,
    each,
    heard_of,
    loader,
    samples,
    steps_in_tensorboard,
)


def engines(model: nn.Module) -> tuple[Engine, Engine]:
    """A trainer and an evaluator, which runs after each epoch."""
    optimizer = torch.optim.SGD(model.parameters(), 0.5)

    def step(engine: Engine, batch: dict[str, Any]) -> float:
        model.train()
        optimizer.zero_grad()
        loss: Any = nn.functional.mse_loss(model(batch["noisy"]), batch["clean"])
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    def evaluate(engine: Engine, batch: dict[str, Any]) -> dict[str, Any]:
        model.eval()
        with torch.no_grad():
            return {"prediction": model(batch["noisy"])}

    trainer, evaluator = Engine(step), Engine(evaluate)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(loader()))
    return trainer, evaluator


def train(monitor: AudioMonitor | None, model: Filter, *, epochs: int = 2) -> Engine:
    """Train with a validation after each epoch of three steps."""
    trainer, evaluator = engines(model)
    if monitor is not None:
        monitor.attach(evaluator, trainer=trainer, model=model)
    trainer.run(loader(shuffle=True), max_epochs=epochs)
    return trainer


def test_clips_are_what_the_evaluator_puts_out(tmp_path: Path) -> None:
    """Each role is on disk, sample by sample, with its words, its step and its epoch."""
    model, monitor = Filter(), AudioMonitor(run_dir=tmp_path, max_examples=3)
    train(monitor, model)
    assert each(clips_in(tmp_path), "tag", "epoch", "step") == [("val", 0, 3), ("val", 1, 6)]
    predictions = clips_in(tmp_path, role="prediction", epoch=1)
    assert each(predictions, "example", "caption") == [(str(n), f"words {n}") for n in range(3)]
    for clip in predictions:
        made = heard_of(model.eval(), int(clip.example))
        assert np.abs(samples(clip) - made).max() <= STEP_24
    for role, column in (("input", "noisy"), ("target", "clean")):
        for clip in clips_in(tmp_path, role=role):
            np.testing.assert_array_equal(samples(clip), Voices()[int(clip.example)][column])


def test_clips_are_at_the_steps_of_the_scalars(tmp_path: Path) -> None:
    """Of those that are logged at the trainer's iteration, as ignite's logger can."""
    model = Filter()
    trainer, evaluator = engines(model)
    logger = TensorboardLogger(log_dir=str(tmp_path / "events"))
    with logger:
        monitor = AudioMonitor(
            run_dir=tmp_path / "run", max_examples=1, sinks=[TensorBoardSink(logger.writer)]
        )
        monitor.attach(evaluator, trainer=trainer, model=model)
        logger.attach_output_handler(
            evaluator,
            Events.COMPLETED,
            tag="val",
            output_transform=lambda output: {"peak": output["prediction"].max()},
            global_step_transform=global_step_from_engine(trainer, Events.ITERATION_COMPLETED),
        )
        trainer.run(loader(), max_epochs=2)
    steps = steps_in_tensorboard(tmp_path / "events")
    assert steps["val/prediction/0"] == steps["val/peak"] == [3, 6]


def test_only_what_is_due_is_logged(tmp_path: Path) -> None:
    """The first evaluation, every third epoch, and the last."""
    train(AudioMonitor(run_dir=tmp_path, every_n_epochs=3), Filter(), epochs=6)
    assert each(clips_in(tmp_path), "epoch") == [0, 3, 5]


def test_the_last_evaluation_of_so_many_iterations(tmp_path: Path) -> None:
    """It is known to be the last one, within an epoch too."""
    model, monitor = Filter(), AudioMonitor(run_dir=tmp_path, every_n_epochs=9)
    trainer, evaluator = engines(model)
    monitor.attach(evaluator, trainer=trainer, model=model)
    last = Events.ITERATION_COMPLETED(once=8)
    trainer.add_event_handler(last, lambda: evaluator.run(loader()))
    trainer.run(loader(), max_iters=8)
    assert each(clips_in(tmp_path), "step") == [3, 8]


def test_several_evaluators(tmp_path: Path) -> None:
    """Each has its tag, and all of them are due at once."""
    model, monitor = Filter(), AudioMonitor(run_dir=tmp_path, every_n_epochs=2, max_examples=1)
    trainer, evaluator = engines(model)
    _, other = engines(model)
    monitor.attach(evaluator, trainer=trainer, model=model)
    monitor.attach(other, trainer=trainer, model=model, tag="far")
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: other.run(loader()))
    trainer.run(loader(), max_epochs=3)
    logged = each(clips_in(tmp_path), "tag", "epoch")
    assert sorted(logged) == [("far", 0), ("far", 2), ("val", 0), ("val", 2)]


@pytest.mark.parametrize("every", [{"every_n_steps": 2}, {"every_n_epochs": 1}])
def test_a_demo_set(tmp_path: Path, every: dict[str, Any]) -> None:
    """It is played by steps, or after the evaluations; what these put out is not heard."""
    train(AudioMonitor(run_dir=tmp_path, demo=Voices(1), predict="halve", **every), Filter())
    clips = clips_in(tmp_path, role="prediction")
    assert each(clips, "tag", "example") == [("demo", "0")]
    assert each(clips, "step") == ([1, 2, 4, 6] if "every_n_steps" in every else [3, 6])
    for clip in clips:
        np.testing.assert_array_equal(samples(clip), Voices()[0]["noisy"].numpy() / 2)


def test_an_evaluation_that_raises_leaves_no_clips(tmp_path: Path) -> None:
    """The exception is the user's, as ignite raises it; the next evaluation is logged."""
    model, monitor = Filter(), AudioMonitor(run_dir=tmp_path)
    trainer, evaluator = engines(model)
    monitor.attach(evaluator, trainer=trainer, model=model)

    def fail() -> None:
        raise ZeroDivisionError("in the middle")

    evaluator.add_event_handler(Events.ITERATION_COMPLETED(once=2), fail)
    with pytest.raises(ZeroDivisionError, match="in the middle"):
        trainer.run(loader(), max_epochs=1)
    evaluator.remove_event_handler(fail, Events.ITERATION_COMPLETED)
    train(monitor, model)
    assert each(clips_in(tmp_path), "step") == [3, 6]
    assert len(clips_in(tmp_path, role="prediction")) == 12


def test_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    """The monitor is one more object of ignite's checkpoint."""
    model, first = Filter(), AudioMonitor(run_dir=tmp_path / "run", every_n_epochs=4)
    trainer = train(first, model)
    saver = Checkpoint({"trainer": trainer, "audio": first}, DiskSaver(str(tmp_path / "saved")))
    saver(trainer)
    (file,) = (tmp_path / "saved").iterdir()
    second = AudioMonitor(run_dir=tmp_path / "run", every_n_epochs=4)
    again, evaluator = engines(model)
    second.attach(evaluator, trainer=again, model=model)
    Checkpoint.load_objects({"trainer": again, "audio": second}, torch.load(file))
    again.run(loader(), max_epochs=6)
    clips = clips_in(tmp_path / "run", role="prediction")
    assert [clip.epoch for clip in clips if clip.example == "0"] == [0, 1, 4, 5]


def test_an_evaluation_without_training(tmp_path: Path) -> None:
    """Is logged whatever the schedule says, before the training and after it."""
    model, monitor = Filter(), AudioMonitor(run_dir=tmp_path, every_n_epochs=9, max_examples=1)
    trainer, evaluator = engines(model)
    monitor.attach(evaluator, trainer=trainer, model=model)
    evaluator.run(loader())
    trainer.run(loader(), max_epochs=2)
    assert each(clips_in(tmp_path, role="prediction"), "step") == [0, 3, 6]


def test_training_is_the_same_with_and_without(tmp_path: Path) -> None:
    """Weights and random numbers are equal to the last bit, whatever is predicted."""
    runs = []
    demo = loader()
    for monitor in (None, AudioMonitor(run_dir=tmp_path, demo=demo, predict="draw")):
        model = Filter()
        torch.manual_seed(1)
        train(monitor, model)
        runs.append((model.state_dict(), torch.get_rng_state()))
    (alone, state), (watched, same_state) = runs
    assert torch.equal(state, same_state)
    assert all(torch.equal(alone[name], watched[name]) for name in alone)
    assert len(clips_in(tmp_path, role="prediction")) == 12


def test_bad_outputs_cost_one_warning(tmp_path: Path) -> None:
    """Training ends as it would, and the cause is told once."""
    monitor = AudioMonitor(run_dir=tmp_path, prediction="sound")
    with pytest.warns(EarmarkWarning, match="expected the prediction under 'sound'") as told:
        trainer = train(monitor, Filter())
    assert len(told) == 1
    assert trainer.state.iteration == 6


def test_what_is_missing_is_told_at_the_start(tmp_path: Path) -> None:
    """A directory when it is attached, a sample rate before the first step."""
    trainer, evaluator = engines(Filter())
    with pytest.raises(ArgumentError, match="expected run_dir as the directory to write, got none"):
        AudioMonitor().attach(evaluator, trainer=trainer, model=Filter())
    monitor = AudioMonitor(run_dir=tmp_path)
    monitor.attach(evaluator, trainer=trainer, model=nn.Conv1d(1, 1, 9))
    with pytest.raises(SampleRateError, match=r"looked for .* in model;"):
        trainer.run(loader(), max_epochs=1)


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    """Then nothing is needed, and nothing written."""
    train(AudioMonitor(run_dir=tmp_path / "run", enabled=False), Filter())
    assert not (tmp_path / "run").exists()
