"""What the two Lightning files share: hooks that translate, and hold no policy.

setup ................ sample rate, run directory, sinks: configuration errors are raised here
on_*_start ........... Monitor.begin   (sanity checking is skipped)
on_*_batch_end ....... Monitor.add
on_*_epoch_end ....... Monitor.end     (before Lightning logs the scalars of the same step)
teardown ............. the run is closed, before the loggers are
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from earmark.captions import Fields
from earmark.errors import ArgumentError, ArgumentTypeError, EarmarkError, shown
from earmark.mode import is_enabled
from earmark.monitor import Monitor, Selector
from earmark.notices import Notices
from earmark.ranks import Drawn, Policy
from earmark.rate_search import find_rate
from earmark.run import Run
from earmark.schedule import Schedule, every_n_epochs, every_n_steps
from earmark.selection import batch_size
from earmark.sink import Sink, open_sink, sink_names
from earmark_integrations._inference import inference
from earmark_integrations._loaders import (
    drawn_items,
    has_batch_size,
    is_shared,
    makes_batches,
    num_before,
)
from earmark_integrations._trainer import (
    current_loader,
    forward_context,
    is_final,
    kind_of_loop,
    named_loggers,
    run_directory,
    step_of_scalars,
)

_SILENT = {"csv", "dummy"}
_FAILED = object()
_EXPECTED = {
    "predict": "the name of a method of the module, or a function of (module, batch)",
    "run_dir": "a path",
    "sinks": "a list of names, such as ['wandb'], or of sinks",
    "tag": "text, such as 'val'",
}


class Hooks:
    """Logs the same few validation clips every few epochs, with captions.

    Takes what `validation_step` (`test_step`, `predict_step`) returns under the keys `input`,
    `prediction` and `target`: tensors `(B, T)` or `(B, C, T)`, arrays, lists of sounds. Writes a
    run under the trainer's log directory, and passes every take on to those loggers of the
    trainer that hold sound. Sanity checks are skipped; with `fast_dev_run` everything is
    converted and nothing written. After `setup` nothing here raises into the training, unless
    `strict`.

    Args:
        every_n_epochs: Log the first validation, the first at or after every so many epochs, and
            the last; each validation's epoch, if nothing else is said. A training that stops
            early has its last one only where it was due anyway: it is not known before.
        every_n_steps: The same by batches that stepped, instead.
        schedule: Any other schedule, instead.
        max_examples: How many examples of each validation loader; the same ones every time.
        input: Where the input is: a key of the outputs or of the batch, or a function of
            `(outputs, batch)`; under `"input"`, where there is one, if not given.
        target: Where the target is, likewise.
        prediction: Where the prediction is, likewise; it has to be there.
        predict: Run this on the batch instead of taking what the step returned: a method's name,
            or a function of `(module, batch)`; it returns a prediction or a dictionary. It runs
            in eval mode, without gradients, under the precision of the trainer, with random
            numbers of its own, the same in every epoch. With several ranks, it runs on the same
            batches of each, as many as their loaders' batch size asks for.
        lengths: Where the lengths of padded sounds are: a key, a function, or
            `(key, hop_length)` for lengths in frames.
        sample_rate: In Hz, or by role; else it is looked for in the module, its hyperparameters
            and the data module.
        captions: A template such as `"{text} | epoch {epoch}"`, or a function of the fields;
            fields are text, example, epoch, step, tag, and the entries of the batch.
        ranks: `"zero"`: the first examples that rank zero draws, by rank zero alone. `"shard"`:
            those of the first `max_examples` items of the data set, each by the rank that draws
            it. `"all"`: the first `max_examples` that each rank draws. Sinks get those of rank
            zero. An item that a sampler repeats, to give each rank equally many, is logged once.
        run_dir: Where to write the run, if not to the directory `earmark` beside the checkpoints.
        sinks: Names of trackers, or sinks; all of the trainer's loggers, if not given.
        tag: What to call the clips; the kind of the loop (`val`, `test`, `predict`), if not given.
        enabled: Whether to do anything at all; `EARMARK_MODE=disabled` switches everything off.
        strict: Raise errors instead of warning of them.

    Raises:
        ArgumentError: If arguments contradict each other or have impossible values.
        ArgumentTypeError: If an argument is of the wrong type.
        SampleRateError: If a sample rate is no positive integer; in `setup`, if none is found: it
            lists where it was looked for.
        StorageError: In `setup`, if the run's directory cannot be written.
    """

    def __init__(
        self,
        *,
        every_n_epochs: int | None = None,
        every_n_steps: int | None = None,
        schedule: Schedule | None = None,
        max_examples: int = 8,
        input: str | Callable[[Any, Any], Any] | None = None,  # noqa: A002 - the field's word
        target: str | Callable[[Any, Any], Any] | None = None,
        prediction: str | Callable[[Any, Any], Any] | None = None,
        predict: str | Callable[[Any, Any], Any] | None = None,
        lengths: str | tuple[str, int] | Callable[[Any, Any], Any] | None = None,
        sample_rate: int | dict[str, int] | None = None,
        captions: str | Callable[[Fields], str] | None = None,
        ranks: Policy = "zero",
        run_dir: str | os.PathLike[str] | None = None,
        sinks: Sequence[str | Sink] | None = None,
        tag: str | None = None,
        enabled: bool = True,
        strict: bool = False,
    ) -> None:
        super().__init__()
        roles: dict[str, Selector | None] = {
            "input": input,
            "target": target,
            "prediction": prediction,
        }
        self._monitor = Monitor(
            schedule=_schedule(every_n_epochs, every_n_steps, schedule),
            max_examples=max_examples,
            roles={role: where for role, where in roles.items() if where is not None},
            lengths=lengths,
            captions=captions,
            notices=Notices(strict=strict),
            sample_rate=sample_rate,
            ranks=ranks,
        )
        _check("predict", predict, str, Callable)
        _check("run_dir", run_dir, str, os.PathLike)
        _check("sinks", sinks, list, tuple)
        _check("tag", tag, str)
        self._predict = predict
        self._sample_rate = self._monitor.sample_rate
        self._given_run_dir = run_dir
        self._sinks = sinks
        self._given_tag = tag
        self._enabled = enabled
        self._strict = strict
        self._seen: dict[int, int] = {}
        self.run_dir: Path | None = None
        """The run's directory, known from `setup` on."""

    @property
    def state_key(self) -> str:
        """What tells two monitors of one trainer apart in a checkpoint."""
        return f"AudioMonitor[tag={self._given_tag!r}]"

    def state_dict(self) -> dict[str, Any]:
        """The chosen examples, and where the last take was logged."""
        return self._monitor.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._monitor.restore(state_dict)

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Find the sample rate, agree on the run's directory, and open the run where one logs."""
        enabled = self._enabled and is_enabled()
        directory = os.fspath(self._given_run_dir or run_directory(trainer)) if enabled else ""
        # The only collective. It also tells whether to do anything: all ranks do, or none does.
        directory = trainer.strategy.broadcast(directory)
        self._enabled = bool(directory)
        if not self._enabled:
            return
        self.run_dir = Path(directory)
        self._monitor.join(rank=trainer.global_rank, world_size=trainer.world_size)
        self._monitor.sample_rate = self._sample_rate or find_rate(
            {"module": pl_module, "datamodule": trainer.datamodule}
            if trainer.datamodule is not None
            else {"module": pl_module}
        )
        if isinstance(self._predict, str) and not callable(getattr(pl_module, self._predict, None)):
            raise ArgumentError(
                f"expected predict to be a method of {type(pl_module).__name__}, got "
                f"{self._predict!r}: name one, or pass a function of (module, batch)"
            )
        if stage == "fit" and trainer.global_step == 0:
            self._monitor.restart()
        if self._monitor.writes:
            self._open(trainer)

    def _open(self, trainer: Any) -> None:
        dry_run = bool(trainer.fast_dev_run)
        self._close()
        has_sinks = trainer.is_global_zero and not dry_run  # where the loggers are
        sinks = self._open_sinks(trainer) if has_sinks else []
        if sinks:
            self._monitor.tell_of_sinks()
        self._monitor.run = Run(
            self.run_dir or "", sinks=sinks, strict=self._strict, dry_run=dry_run
        )

    def _open_sinks(self, trainer: Any) -> list[str | Sink]:
        known = set(sink_names())
        loggers = named_loggers(trainer, known | _SILENT)
        if self._sinks is not None:
            targets = {name: logger.experiment for name, logger in loggers if name in self._sinks}
            return [
                open_sink(sink, targets.get(sink)) if isinstance(sink, str) else sink
                for sink in self._sinks
            ]
        sinks: list[str | Sink] = []
        for name, logger in loggers:
            try:
                if name in known:
                    sinks.append(open_sink(name, logger.experiment))
                elif name not in _SILENT:
                    self._tell_of_logger(logger, "")
            except EarmarkError as error:
                self._tell_of_logger(logger, f" ({error})")
        return sinks

    def _tell_of_logger(self, logger: Any, reason: str) -> None:
        kind = type(logger).__name__
        message = f"{kind} gets no clips{reason}: they are in {self.run_dir}"
        self._monitor.notices.tell(kind, message)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Publish what is pending and close the sinks, before the loggers are closed."""
        self._close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Publish what is pending, since the training ends here."""
        self._monitor.cancel()
        self._close()

    def _close(self) -> None:
        run, self._monitor.run = self._monitor.run, None
        if run is not None:
            run.close()

    def _begin(self, trainer: Any) -> None:
        self._seen.clear()
        self._monitor.cancel()
        if not self._enabled or trainer.sanity_checking:
            return
        with self._guard("begin", "a loop"):
            self._monitor.begin(
                epoch=trainer.current_epoch,
                step=step_of_scalars(trainer),
                final=is_final(trainer),
                forced=trainer.state.fn != "fit",
            )

    def _batch_end(  # noqa: PLR0917 - what Lightning tells of a batch
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, index: int, loader_index: int
    ) -> None:
        if not self._monitor.active:
            return
        with self._guard("batch", "a batch"):
            name, loader = current_loader(trainer, loader_index)
            before = num_before(loader, index)
            start = before if has_batch_size(loader) else self._seen.get(loader_index, 0)
            self._seen[loader_index] = start + (batch_size(batch) if makes_batches(loader) else 1)
            tag = "/".join(filter(None, (self._tag(trainer), name)))
            if self._predict is not None:
                shared = is_shared(loader)
                if not self._monitor.predicts(tag, batch, num_before=before, is_shared=shared):
                    return
                outputs = self._predicted(trainer, pl_module, batch)
            if outputs is not _FAILED and self._monitor.wants(tag):
                drawn = partial(self._drawn, loader, loader_index, start)
                self._monitor.add(tag, outputs, batch, drawn)

    def _predicted(self, trainer: Any, pl_module: Any, batch: Any) -> Any:
        predict = self._predict
        with (
            self._guard("predict", "what predict makes of a batch"),
            inference(pl_module, forward_context(trainer)),
        ):
            if isinstance(predict, str):
                return getattr(pl_module, predict)(batch)
            return predict(pl_module, batch) if predict is not None else _FAILED
        return _FAILED

    def _drawn(self, loader: Any, loader_index: int, start: int, count: int) -> Drawn:
        self._seen[loader_index] = max(self._seen[loader_index], start + count)
        return drawn_items(loader, start, count)

    def _tag(self, trainer: Any) -> str:
        kind = kind_of_loop(trainer)
        if self._given_tag is None:
            return kind
        return self._given_tag if kind == "val" else f"{self._given_tag}/{kind}"

    def _guard(self, cause: str, lost: str) -> AbstractContextManager[None]:
        return self._monitor.notices.guard(cause, lost)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin a loop."""
        self._begin(trainer)

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
        self._batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Publish the loop's take."""
        self._monitor.end()

    on_test_start = on_predict_start = on_validation_start
    on_test_batch_end = on_predict_batch_end = on_validation_batch_end
    on_test_epoch_end = on_predict_epoch_end = on_validation_epoch_end


def _schedule(
    every_epochs: int | None, every_steps: int | None, schedule: Schedule | None
) -> Schedule:
    given = {
        "every_n_epochs": every_epochs,
        "every_n_steps": every_steps,
        "schedule": schedule,
    }
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ArgumentError(
            f"expected one of every_n_epochs, every_n_steps and schedule, got "
            f"{' and '.join(names)}: leave out all but one"
        )
    if schedule is not None:
        if not hasattr(schedule, "due"):
            raise ArgumentTypeError(
                "expected schedule as one such as earmark.at_epochs([0, 1, 5, 50]), got "
                f"{shown(schedule)}"
            )
        return schedule
    if every_steps is not None:
        return every_n_steps(every_steps)
    return every_n_epochs(1 if every_epochs is None else every_epochs)


def _check(name: str, value: object, *kinds: Any) -> None:
    if value is not None and not isinstance(value, kinds):
        raise ArgumentTypeError(f"expected {name} as {_EXPECTED[name]}, got {shown(value)}")
