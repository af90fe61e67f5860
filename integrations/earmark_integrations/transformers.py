"""AudioMonitor for the `Trainer` of Hugging Face `transformers`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from earmark.sink import Sink, name_of
from earmark_integrations._huggingface import (
    autocast,
    batches_of,
    commit_row,
    name_of_scalars,
    owners_of,
    run_model,
    trackers_of,
)
from earmark_integrations._inference import own_random_numbers
from earmark_integrations._loops import LoopListener, moved
from earmark_integrations._trackers import open_trackers

__all__ = ["AudioMonitor"]


class AudioMonitor(LoopListener, TrainerCallback):
    """Logs the same few clips of each evaluation that is due, with captions.

    The `Trainer` shows no callback what an evaluation puts out. So after it, the model runs again:
    `predict`, or without it the model itself, on the first batches of the evaluation's data, or on
    `demo`. The keywords are those of `earmark_integrations.lightning.AudioMonitor`; besides:

    - With `demo`, evaluations are not needed: `every_n_steps` listens at those steps, and without
      any evaluation each epoch ends with it. Columns that the model does not take, such as a
      text, are for the captions. (Of the evaluation's data the `Trainer` removes them, unless
      `remove_unused_columns=False`.)
    - The step is the global step, as that of the scalars; the epoch is how many are done.
    - The run is in `earmark` under `output_dir`, and takes go to those trackers of `report_to` that
      hold sound. Clips are called as the scalars: `eval`, or `eval/<name>` where there are several
      data sets. Checkpoints keep what is needed to go on.

    Example:
        trainer = Trainer(model, args, train_dataset=train, eval_dataset=val,
                          callbacks=[AudioMonitor(every_n_epochs=5)])
    """

    _predict_by_default = staticmethod(run_model)
    _usual_kind = "eval"
    _trains = False
    _writers = ExitStack()

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Find the sample rate, and open the run where one logs."""
        if not self._is_on:
            return
        kept = state.stateful_callbacks.get(self._state_key)
        if state.global_step == 0:
            self._restart()
        elif kept is not None:
            self._monitor.restore(kept)
        self._start(args, given)
        self._trains = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Listen, if it is due; to an evaluation outside of training, in any case."""
        if not self._is_on or (self._trains and self._moment(args) != "evaluation"):
            return
        if self._trains:
            self._listen(args, state, control, given)
            return
        with self.notices.guard("evaluation", "an evaluation"):
            self._start(args, given)
            self._listen(args, state, control, given, forced=True)
            self._close()

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Listen to the demo set, if it goes by steps."""
        if self._trains and self._moment(args) == "step":
            self._listen(args, state, control, given)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Listen to the demo set, if there are no evaluations."""
        if self._trains and self._moment(args) == "epoch":
            self._listen(args, state, control, given)

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Publish what is pending, and close the sinks."""
        self._trains = False
        self._close()

    def _moment(self, args: Any) -> str:
        if self._demo is None:
            return "evaluation"
        if self._counts_steps:
            return "step"
        return "epoch" if args.eval_strategy == "no" else "evaluation"

    def _start(self, args: Any, given: Mapping[str, Any]) -> None:
        directory = Path(self._given_run_dir or Path(args.output_dir, "earmark"))
        self._open(
            given["model"],
            owners_of(given),
            directory,
            sinks=partial(self._open_sinks, args, directory),
            rank=args.process_index,
            world_size=args.world_size,
        )

    def _open_sinks(self, args: Any, directory: Path) -> list[str | Sink]:
        self._writers = ExitStack()
        trackers = trackers_of(args, self._writers)
        return open_trackers(trackers, self._sinks, self.notices, directory)

    def _close(self) -> None:
        super()._close()
        self._writers.close()

    def _listen(
        self, args: Any, state: Any, control: Any, given: Mapping[str, Any], *, forced: bool = False
    ) -> None:
        step, tag = state.global_step, self._tag_of(*name_of_scalars(given.get("metrics")))
        final = control.should_training_stop or 0 < state.max_steps <= step
        self._begin(tag, epoch=int(state.epoch or 0), step=step, final=final, forced=forced)
        if not self._monitor.active:
            return
        with self.notices.guard("evaluation", f"the evaluation at step {step}"):
            context = partial(autocast, args)
            if self._demo is None:
                self._hear_evaluation(tag, args, given, context)
            self._end(given["model"], args.device, context)
            if "wandb" in map(name_of, args.report_to if self._sinks is None else self._sinks):
                commit_row(step)
        state.stateful_callbacks[self._state_key] = self.state_dict()

    def _hear_evaluation(self, tag: str, args: Any, given: Mapping[str, Any], context: Any) -> None:
        with self.notices.guard("batch", "a batch"), own_random_numbers():
            for value, place in batches_of(given["eval_dataloader"]):
                if not self._monitor.goes_on(tag, place.before, is_shared=place.is_shared):
                    break
                self._hear(given["model"], tag, moved(value, args.device), place, None, context)

    @property
    def _state_key(self) -> str:
        # No ExportableState: a callback made anew of JSON would have none of its functions.
        return f"earmark.AudioMonitor[tag={self._key!r}]"
