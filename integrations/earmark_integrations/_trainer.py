"""What a Lightning `Trainer`, of either package, says of the loop it is in."""

from __future__ import annotations

import math
import os
from contextlib import AbstractContextManager
from typing import Any

from earmark_integrations._loaders import named_loaders

_KINDS = {"fit": "val", "validate": "val", "test": "test", "predict": "predict"}


def run_directory(trainer: Any) -> str:
    """The directory `earmark` beside the checkpoints, which may be a URL."""
    if not trainer.loggers:
        return os.path.join(trainer.default_root_dir, "earmark")  # noqa: PTH118 - no URL's slashes
    logger = trainer.loggers[0]
    version = logger.version if isinstance(logger.version, str) else f"version_{logger.version}"
    folder = logger.save_dir or trainer.default_root_dir
    return os.path.join(folder, str(logger.name), version, "earmark")  # noqa: PTH118 - as above


def kind_of_loop(trainer: Any) -> str:
    """`"val"`, `"test"` or `"predict"`."""
    return _KINDS[trainer.state.fn]


def current_loader(trainer: Any, index: int) -> tuple[str, Any]:
    """The name and the loader of the given index in the loop that runs.

    Loaders that a `CombinedLoader` draws from side by side are one loader, as for its scalars.
    """
    loaders = {"test": trainer.test_dataloaders, "predict": trainer.predict_dataloaders}
    named = list(named_loaders(loaders.get(trainer.state.fn, trainer.val_dataloaders)).items())
    name, loader = named[index] if index < len(named) else ("", None)
    # Prediction goes through one loader after the other in any case.
    in_turn = trainer.state.fn == "predict" or trainer._evaluation_loop._is_sequential
    return (name if in_turn else ""), loader


def step_of_scalars(trainer: Any) -> int:
    """The step at which the scalars of this loop are logged.

    A module that logs a metric of the name `step` has its scalars there instead. What that will
    be is known when the loop is over, and asking for it before may be a collective.
    """
    # Scalars of a validation land at the batches that stepped, which only this counter knows:
    # global_step is one ahead, and counts twice with two optimizers.
    loop = trainer.fit_loop.epoch_loop
    return int(getattr(loop, "_batches_that_stepped", trainer.global_step))


def is_final(trainer: Any) -> bool:
    """Whether this is known to be the last validation of the training.

    Early stopping decides after the loop whose metric it looks at, so nobody knows of that one.
    """
    if trainer.state.fn != "fit":
        return False
    if _stops(trainer):
        return True
    every_n_epochs, every_n_batches = trainer.check_val_every_n_epoch, trainer.val_check_batch
    ends, epochs_left = _ends_epoch(trainer), _epochs_left(trainer)
    loop = trainer.fit_loop.epoch_loop
    if not isinstance(every_n_batches, int):  # a validation at the end of an epoch, or after a time
        return ends and epochs_left < (every_n_epochs or 1)
    left_in_epoch = 0 if ends else trainer.num_training_batches - 1 - loop.batch_idx
    left = left_in_epoch + _batches_in(epochs_left, trainer)
    until_next: float = every_n_batches
    if every_n_epochs is not None and left_in_epoch < every_n_batches:
        until_next += left_in_epoch + _batches_in(every_n_epochs - 1, trainer)
    return bool(min(left, _batches_to_max_steps(trainer)) < until_next)


def is_last_batch(trainer: Any) -> bool:
    """Whether the training ends after this batch."""
    return _stops(trainer) or (_ends_epoch(trainer) and not _epochs_left(trainer))


def _stops(trainer: Any) -> bool:
    """Whether the training ends after this batch for another reason than its last epoch."""
    if 0 < trainer.max_steps <= trainer.global_step:
        return True
    epochs = trainer.current_epoch + _ends_epoch(trainer)
    may_stop = epochs >= (trainer.min_epochs or 0)
    may_stop = may_stop and trainer.global_step >= (trainer.min_steps or 0)
    return bool(trainer.should_stop and may_stop)


def _ends_epoch(trainer: Any) -> bool:
    return bool(trainer.fit_loop.epoch_loop.batch_progress.is_last_batch)


def _batches_in(epochs: float, trainer: Any) -> float:
    return epochs * trainer.num_training_batches if epochs else 0  # 0 * inf is no number


def _epochs_left(trainer: Any) -> float:
    """How many epochs come after this one."""
    epochs = trainer.max_epochs
    return math.inf if epochs is None or epochs < 0 else epochs - 1 - trainer.current_epoch


def _batches_to_max_steps(trainer: Any) -> float:
    """How many batches are left at most; those of manual optimization step as they please."""
    if trainer.max_steps < 0 or not trainer.lightning_module.automatic_optimization:
        return math.inf
    steps_left = trainer.max_steps - trainer.global_step
    return float(steps_left * trainer.accumulate_grad_batches)


def forward_context(trainer: Any) -> AbstractContextManager[Any]:
    """The context of the trainer's precision."""
    context: AbstractContextManager[Any] = trainer.precision_plugin.forward_context()
    return context


def validates(trainer: Any) -> bool:
    """Whether this training has validation loops at all."""
    return bool(trainer.enable_validation)


def to_device(trainer: Any, batch: Any) -> Any:
    """Hand a batch to the module's transfer hooks, as the trainer does with its own."""
    batch = trainer.precision_plugin.convert_input(batch)
    batch = trainer.lightning_module._on_before_batch_transfer(batch)
    return trainer.strategy.batch_to_device(batch, dataloader_idx=0)
