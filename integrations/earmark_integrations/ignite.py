"""AudioMonitor for `pytorch-ignite`."""

from __future__ import annotations

from dataclasses import dataclass, field

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import nn

from earmark.errors import ArgumentError
from earmark_integrations._loaders import Progress
from earmark_integrations._loops import LoopListener, device_of, unwrapped

__all__ = ["AudioMonitor"]


class AudioMonitor(LoopListener):
    """Logs the same few clips of each evaluation that is due, with captions.

    The keywords are those of `earmark_integrations.lightning.AudioMonitor`; `run_dir` says where
    to write, and `sinks` are none unless they are given. The step of a clip is the trainer's
    iteration, and epochs count from 0. In ignite's `Checkpoint` it is one more object to save.

    Example:
        >>> import tempfile, torch
        >>> from ignite.engine import Engine, Events
        >>> folder = tempfile.TemporaryDirectory()
        >>> model = torch.nn.Conv1d(1, 1, 9, padding=4)
        >>> data = [{"noisy": torch.randn(1, 8000) / 10, "text": text} for text in ("yes", "no")]
        >>> loader = torch.utils.data.DataLoader(data, batch_size=2)
        >>> trainer = Engine(lambda engine, batch: None)
        >>> evaluator = Engine(lambda engine, batch: {"prediction": model(batch["noisy"])})
        >>> monitor = AudioMonitor(run_dir=folder.name, sample_rate=16_000)
        >>> monitor.attach(evaluator, trainer=trainer, model=model)
        >>> handler = trainer.add_event_handler(
        ...     Events.EPOCH_COMPLETED, lambda: evaluator.run(loader)
        ... )
        >>> state = trainer.run([0, 1, 2], max_epochs=2)
        >>> import earmark
        >>> for clip in earmark.open_run(folder.name).clips(role="prediction"):
        ...     print(clip.step, clip.epoch, clip.example, clip.caption)
        3 0 0 yes
        3 0 1 no
        6 1 0 yes
        6 1 1 no
        >>> folder.cleanup()
    """

    _trains = False

    def attach(
        self, evaluator: Engine, *, trainer: Engine, model: nn.Module, tag: str = "val"
    ) -> None:
        """Listen to what an evaluator puts out, or to the demo set whenever it has run.

        An evaluation that raises leaves no clips; what `Events.EXCEPTION_RAISED` does is left to
        the user, since with any handler there, ignite raises no exception of its own accord.

        Args:
            evaluator: Its output is what is listened to; attach to each, if there are several.
            trainer: Whose iterations are the steps. When it is completed the run is closed.
            model: The model; `DistributedDataParallel` and the like may be around it.
            tag: What to call the clips, if there are several evaluators.

        Raises:
            ArgumentError: If there is no `run_dir`.
        """
        if not self._is_on:
            return
        if self._given_run_dir is None:
            raise ArgumentError(
                "expected run_dir as the directory to write, got none: pass run_dir='runs/vocoder'"
            )
        one = _Round(trainer, unwrapped(model), self._tag_of(tag))
        evaluator.add_event_handler(Events.STARTED, self._on_started, one)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._on_batch, one)
        evaluator.add_event_handler(Events.COMPLETED, self._on_completed, one)
        if not trainer.has_event_handler(self._on_training, Events.STARTED):
            trainer.add_event_handler(Events.STARTED, self._on_training, one)
            trainer.add_event_handler(Events.COMPLETED, self._on_trained)
            if self._listens_by_steps:
                trainer.add_event_handler(Events.ITERATION_COMPLETED, self._on_step, one)

    @property
    def _listens_by_steps(self) -> bool:
        return self._demo is not None and self._counts_steps

    def _on_training(self, trainer: Engine, one: _Round) -> None:
        if trainer.state.iteration == 0:
            self._restart()
        self._open_for(one)
        self._trains = True

    def _on_trained(self, trainer: Engine) -> None:
        self._trains = False
        self._close()

    def _on_started(self, evaluator: Engine, one: _Round) -> None:
        one.progress = Progress()
        if not self._trains:
            self._open_for(one)
        self._cancel()
        if not (self._trains and self._listens_by_steps):
            self._begin_at(one, forced=not self._trains)

    def _on_batch(self, evaluator: Engine, one: _Round) -> None:
        if self._demo is not None or not self._monitor.active:
            return
        with self.notices.guard("batch", "a batch"):
            state = evaluator.state
            index = (state.iteration - 1) % (state.epoch_length or state.iteration)
            place = one.progress.come_to(state.batch, index, state.dataloader)
            self._hear(one.module, one.tag, state.batch, place, state.output)

    def _on_completed(self, evaluator: Engine, one: _Round) -> None:
        self._end(one.module, device_of(one.module))
        if not self._trains:
            self._close()

    def _on_step(self, trainer: Engine, one: _Round) -> None:
        self._begin_at(one)
        self._end(one.module, device_of(one.module))

    def _begin_at(self, one: _Round, *, forced: bool = False) -> None:
        at = one.trainer.state  # which has not always had max_iters
        last = getattr(at, "max_iters", None) or (at.max_epochs or 0) * (at.epoch_length or 0)
        epoch, step = max(0, at.epoch - 1), at.iteration
        self._begin(one.tag, epoch=epoch, step=step, final=0 < last <= step, forced=forced)

    def _open_for(self, one: _Round) -> None:
        self._open(
            one.module,
            {"model": one.module},
            self._given_run_dir or "",
            sinks=lambda: self._sinks or [],
            rank=idist.get_rank(),
            world_size=idist.get_world_size(),
        )


@dataclass
class _Round:
    """An evaluator's own: what it is called, and how far it has come."""

    trainer: Engine
    module: nn.Module
    tag: str
    progress: Progress = field(default_factory=Progress)
