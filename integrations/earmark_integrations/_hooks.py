"""What the two Lightning files share: the trainer's events, for the listener.

setup ................ open    the run's directory is agreed on, which is the only collective
on_*_start ........... begin   (sanity checking is skipped)
on_*_batch_end ....... hear
on_*_epoch_end ....... end     before Lightning logs the scalars of the same step
teardown ............. close   before the loggers are
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from earmark.mode import is_enabled
from earmark_integrations import _trainer
from earmark_integrations._listener import Listener, Moment
from earmark_integrations._loaders import Progress
from earmark_integrations._loggers import open_sinks


class Hooks(Listener):
    """Logs the same few clips of each validation, test or predict loop that is due."""

    @property
    def state_key(self) -> str:
        """What tells two monitors of one trainer apart in a checkpoint."""
        return f"AudioMonitor[tag={self._key!r}]"

    def state_dict(self) -> dict[str, Any]:
        """The chosen examples, and where the last take was logged."""
        return self._monitor.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._monitor.restore(state_dict)

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Find the sample rate, agree on the run's directory, and open the run where one logs."""
        enabled = self._enabled and is_enabled()
        found = (self._given_run_dir or _trainer.run_directory(trainer)) if enabled else ""
        # The only collective. It also tells whether to do anything: all ranks do, or none does.
        directory = trainer.strategy.broadcast(os.fspath(found))
        self._enabled = bool(directory)
        if not self._enabled:
            return
        owners = {"module": pl_module, "datamodule": trainer.datamodule}
        self._open(
            pl_module,
            {name: owner for name, owner in owners.items() if owner is not None},
            directory,
            sinks=partial(open_sinks, trainer, self._sinks, self.notices, directory),
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            dry_run=bool(trainer.fast_dev_run),
        )
        if stage == "fit" and trainer.global_step == 0:
            self._monitor.restart()

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Publish what is pending and close the sinks, before the loggers are closed."""
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Publish what is pending, since the training ends here."""
        self._monitor.cancel()
        self._close()

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin a loop."""
        self._progress = Progress()
        self._monitor.cancel()
        if self._is_heard_at("validation", trainer):
            self._begin(trainer, final=_trainer.is_final(trainer))

    on_test_start = on_predict_start = on_validation_start

    def _begin(self, trainer: Any, *, final: bool, step: int | None = None) -> None:
        if not self._enabled or trainer.sanity_checking:
            return
        with self.notices.guard("begin", "a loop"):
            self._monitor.begin(
                epoch=trainer.current_epoch,
                step=_trainer.step_of_scalars(trainer) if step is None else step,
                final=final,
                forced=trainer.state.fn != "fit",
            )

    def on_validation_batch_end(  # noqa: PLR0917 - as Lightning calls it
        self,
        trainer: Any,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Log the wanted examples of a batch."""
        if self._demo is not None or not self._monitor.active:
            return
        with self.notices.guard("batch", "a batch"):
            name, loader = _trainer.current_loader(trainer, dataloader_idx)
            place = self._progress.come_to(batch, batch_idx, loader, dataloader_idx)
            tag = self._tag_of(_trainer.kind_of_loop(trainer), name)
            context = partial(_trainer.forward_context, trainer)
            self._hear(pl_module, tag, batch, place, outputs, context)

    on_test_batch_end = on_predict_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Publish the loop's take."""
        if self._is_heard_at("validation", trainer):
            self._end(trainer, pl_module)

    on_test_epoch_end = on_predict_epoch_end = on_validation_epoch_end

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Listen to the demo set, if it goes by steps."""
        if self._is_heard_at("batch", trainer):
            self._begin(trainer, final=_trainer.is_last_batch(trainer))
            self._end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Listen to the demo set, if there are no validations to listen at."""
        if self._is_heard_at("epoch", trainer):
            # Lightning, too, logs an epoch's scalars at its last batch.
            step = max(0, _trainer.step_of_scalars(trainer) - 1)
            self._begin(trainer, final=_trainer.is_last_batch(trainer), step=step)
            self._end(trainer, pl_module)

    def _is_heard_at(self, moment: Moment, trainer: Any) -> bool:
        if trainer.state.fn != "fit":
            return moment == "validation"
        return self._is_heard(moment, validates=_trainer.validates(trainer))

    def _end(self, trainer: Any, pl_module: Any) -> None:
        tag = self._tag_of(_trainer.kind_of_loop(trainer))
        place, context = _trainer.to_device, _trainer.forward_context
        self._play(pl_module, tag, partial(place, trainer), partial(context, trainer))
        self._monitor.end()
