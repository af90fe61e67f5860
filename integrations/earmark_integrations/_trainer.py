"""What a Lightning `Trainer`, of either package, says of the loop it is in."""

from __future__ import annotations

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
    """The name and the loader of the given index in the loop that runs."""
    loaders = {"test": trainer.test_dataloaders, "predict": trainer.predict_dataloaders}
    named = list(named_loaders(loaders.get(trainer.state.fn, trainer.val_dataloaders)).items())
    return named[index] if index < len(named) else ("", None)


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
    if trainer.should_stop or 0 < trainer.max_steps <= trainer.global_step:
        return True
    epochs, every_n_epochs = trainer.max_epochs, trainer.check_val_every_n_epoch
    if epochs is None or epochs < 0:
        return False
    epochs_left = epochs - 1 - trainer.current_epoch
    if every_n_epochs is not None and epochs_left >= every_n_epochs:
        return False
    loop, every_n_batches = trainer.fit_loop.epoch_loop, trainer.val_check_batch
    batches_left = trainer.num_training_batches - 1 - loop.batch_idx
    if every_n_epochs is None:  # then batches are counted over all epochs
        batches_left += epochs_left * trainer.num_training_batches
    if not isinstance(every_n_batches, int):  # a validation at the end of an epoch, or after a time
        return bool(loop.batch_progress.is_last_batch and (every_n_epochs or epochs_left == 0))
    return bool(batches_left < every_n_batches)


def is_last_batch(trainer: Any) -> bool:
    """Whether the training ends after this batch."""
    if trainer.should_stop or 0 < trainer.max_steps <= trainer.global_step:
        return True
    last_epoch = trainer.current_epoch + 1 == trainer.max_epochs
    return bool(last_epoch and trainer.fit_loop.epoch_loop.batch_progress.is_last_batch)


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
