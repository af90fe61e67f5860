"""What a trainer says of its loop: the step of its scalars, the last validation, the directory."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn

import earmark
from earmark_integrations._trainer import run_directory
from tests.integrations.lightning_models import (
    Denoiser,
    clips_in,
    fit,
    loader,
    make_trainer,
    monitor,
    told,
)


class Adversarial(Denoiser):
    """Two optimizers, stepped by hand for every batch: `global_step` counts both."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.discriminator = nn.Linear(1, 1)

    def training_step(self, batch: dict[str, Any], index: int) -> Any:
        """One step of each."""
        optimizers: Any = self.optimizers()
        generator, discriminator = optimizers
        made = self(batch["noisy"])
        for optimizer, loss in (
            (discriminator, self.discriminator(made.detach()[..., None]).square().mean()),
            (generator, (made - batch["clean"]).square().mean()),
        ):
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()

    def configure_optimizers(self) -> Any:
        """One optimizer for each of the two."""
        parts = (self.filter, self.discriminator)
        return [torch.optim.SGD(part.parameters(), 0.1) for part in parts]


def scalar_steps(logger: CSVLogger) -> list[tuple[int, int]]:
    """Step and epoch of each validation's scalars, as Lightning's own logger wrote them."""
    with Path(logger.log_dir, "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("loss")]
    return [(int(row["step"]), int(row["epoch"])) for row in rows]


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        (Denoiser, {}),
        (Denoiser, {"accumulate_grad_batches": 2}),
        (Denoiser, {"val_check_interval": 2}),
        (Denoiser, {"val_check_interval": 0.5, "accumulate_grad_batches": 2}),
        (Denoiser, {"check_val_every_n_epoch": 2, "max_epochs": 4}),
        (Denoiser, {"check_val_every_n_epoch": None, "val_check_interval": 5}),
        (Denoiser, {"max_epochs": -1, "max_steps": 9}),
        (Adversarial, {}),
        (Adversarial, {"val_check_interval": 2}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else value.__name__,
)
def test_clips_are_on_the_step_of_their_scalars(
    tmp_path: Path, module: Any, settings: dict[str, Any]
) -> None:
    """Whatever the trainer counts, sounds and scalars of one validation meet."""
    logger, listener = CSVLogger(tmp_path), monitor(max_examples=1, every_n_steps=1)
    settings = {"max_epochs": 3, "module": module(), "val": loader(1)} | settings
    messages = fit(tmp_path, listener, logger=logger, train=loader(16), **settings)
    assert messages == []
    clips = clips_in(listener.run_dir)
    assert len(clips) >= 2
    assert [(clip.step, clip.epoch) for clip in clips] == scalar_steps(logger)


@pytest.mark.parametrize("loop", ["validate", "test"])
def test_other_loops_are_on_the_step_of_their_scalars_too(tmp_path: Path, loop: str) -> None:
    """After the training they follow it, and before it they are at 0."""
    for epochs, place in ((0, (0, 0)), (2, (6, 2))):
        logger, listener = CSVLogger(tmp_path, version=epochs), monitor(max_examples=1)
        trainer, module = make_trainer(tmp_path, listener, logger=logger, max_epochs=2), Denoiser()
        with told() as messages:
            if epochs:
                trainer.fit(module, loader())
            getattr(trainer, loop)(module, loader(), verbose=False)
        assert messages == []
        places = [(clip.step, clip.epoch) for clip in clips_in(listener.run_dir)]
        assert places == scalar_steps(logger) == [place]


@pytest.mark.parametrize(
    ("settings", "last"),
    [
        ({}, 9),
        ({"check_val_every_n_epoch": 3}, 8),
        ({"check_val_every_n_epoch": 4}, 7),
        ({"val_check_interval": 3}, 9),
        ({"val_check_interval": 0.5}, 9),
        ({"check_val_every_n_epoch": None, "val_check_interval": 6}, 8),
        ({"max_steps": 32}, 7),
        ({"max_epochs": -1, "max_steps": 32}, 7),
        ({"max_epochs": -1, "max_steps": 34}, 7),
        ({"max_epochs": -1, "max_steps": 34, "val_check_interval": 3}, 7),
        ({"max_epochs": -1, "max_steps": 34, "check_val_every_n_epoch": 3}, 5),
        ({"max_epochs": -1, "max_steps": 17, "accumulate_grad_batches": 2}, 7),
        (
            {
                "max_epochs": -1,
                "max_steps": 34,
                "check_val_every_n_epoch": None,
                "val_check_interval": 6,
            },
            7,
        ),
        ({"limit_train_batches": 2}, 9),
    ],
    ids=str,
)
def test_the_last_validation_is_logged(tmp_path: Path, settings: dict[str, Any], last: int) -> None:
    """However it is scheduled, the first and the last one are there, and no more than these."""
    listener, validations = monitor(max_examples=1, every_n_epochs=1000), Validations()
    settings = {"max_epochs": 10, "val": loader(1)} | settings
    messages = fit(tmp_path, listener, validations, train=loader(16), **settings)
    assert messages == []
    clips = clips_in(listener.run_dir)
    assert [clip.step for clip in clips] == [validations.steps[0], validations.steps[-1]]
    assert clips[-1].epoch == last


class Validations(Callback):
    """Writes down where validations were."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Note the step."""
        self.steps.append(trainer.fit_loop.epoch_loop._batches_that_stepped)  # pyright: ignore[reportPrivateUsage]


class Stop(Callback):
    """Asks the trainer to stop within the epoch of index 1."""

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Ask on its first batch."""
        trainer.should_stop = trainer.should_stop or trainer.current_epoch == 1


def test_a_validation_on_the_way_out_is_the_last(tmp_path: Path) -> None:
    """When something stops the trainer, Lightning validates once more, and it is logged."""
    listener = monitor(max_examples=1, every_n_epochs=1000)
    assert fit(tmp_path, listener, Stop(), max_epochs=10, train=loader(16)) == []
    assert [clip.epoch for clip in clips_in(listener.run_dir)] == [0, 1]


@pytest.mark.parametrize("least", [{"min_epochs": 4}, {"min_steps": 15}], ids=str)
def test_who_may_not_stop_yet_goes_on_as_before(tmp_path: Path, least: dict[str, Any]) -> None:
    """Asked to stop within the second of four epochs that have to be, the last one is the last."""
    listener, validations = monitor(max_examples=1, every_n_epochs=1000), Validations()
    given = fit(tmp_path, listener, validations, Stop(), max_epochs=10, train=loader(16), **least)
    assert given == []
    steps = validations.steps
    assert len(steps) == 4
    assert [clip.step for clip in clips_in(listener.run_dir)] == [steps[0], steps[-1]]


def test_a_last_validation_that_nobody_foresees_is_not_added(tmp_path: Path) -> None:
    """Early stopping decides after it, and by then it is over."""
    stop = EarlyStopping("loss", patience=1, min_delta=1e9)
    listener, validations = monitor(max_examples=1, every_n_epochs=1000), Validations()
    logged = fit(tmp_path, listener, validations, stop, max_epochs=10, train=loader(16))
    assert logged == []
    assert len(validations.steps) == 2
    assert [clip.epoch for clip in clips_in(listener.run_dir)] == [0]


def test_a_url_is_joined_as_it_is() -> None:
    """Checkpoints may be in a bucket, and the run is beside them."""
    trainer = make_trainer(Path())
    trainer._default_root_dir = "s3://bucket/jobs"
    assert run_directory(trainer) == "s3://bucket/jobs/earmark"


def test_the_run_is_beside_the_checkpoints(tmp_path: Path) -> None:
    """That is in the directory of the first logger, by name and version."""
    for logger, folder in (
        (CSVLogger(tmp_path, name="vocoder"), "vocoder/version_0/earmark"),
        (CSVLogger(tmp_path, name="vocoder", version="big"), "vocoder/big/earmark"),
        (TensorBoardLogger(tmp_path, name="denoiser"), "denoiser/version_0/earmark"),
        (False, "earmark"),
    ):
        listener = monitor(max_examples=1, sinks=[])
        assert fit(tmp_path, listener, logger=logger) == []
        assert listener.run_dir == tmp_path / folder
        assert len(clips_in(listener.run_dir)) == 1


def test_the_run_is_where_it_is_asked_for(tmp_path: Path) -> None:
    """A directory given by the user comes first, and the trainer's own stays empty."""
    listener = monitor(max_examples=1, run_dir=tmp_path / "runs" / "a")
    assert fit(tmp_path / "root", listener) == []
    assert listener.run_dir == tmp_path / "runs" / "a"
    assert len(clips_in(tmp_path / "runs" / "a")) == 1
    assert earmark.list_runs(tmp_path / "root") == []
