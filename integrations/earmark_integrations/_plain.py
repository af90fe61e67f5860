"""The verbs of a plain loop: validation, batch, step, close; for `loop` and `accelerate`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from torch import nn

from earmark.errors import ArgumentError
from earmark.sink import Sink
from earmark_integrations._keywords import Keywords
from earmark_integrations._loaders import Progress
from earmark_integrations._loops import LoopListener, device_of

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack


class PlainLoop(LoopListener, ABC):
    """Listens where the loop says so; open from the start, so that errors raise there."""

    def __init__(self, model: nn.Module, **keywords: Unpack[Keywords]) -> None:
        super().__init__(**keywords)
        self._model = model
        self._round: str | None = None
        self._loader, self._seen = None, 0
        self._progress = Progress()
        if self._is_on:
            rank, world_size = self._place()
            self._open(
                model,
                {"model": model},
                self._given_run_dir or self._directory(),
                sinks=self._open_sinks,
                rank=rank,
                world_size=world_size,
            )

    @abstractmethod
    def _place(self) -> tuple[int, int]:
        """The rank of this process, and how many there are."""

    def _directory(self) -> Path:
        raise ArgumentError(
            "expected run_dir as the directory to write, got none: pass run_dir='runs/vocoder'"
        )

    def _open_sinks(self) -> Sequence[str | Sink]:
        return self._sinks or []

    def _context(self) -> AbstractContextManager[Any]:
        """The precision of the training: what the loop has entered around the call, if no more."""
        return nullcontext()

    @contextmanager
    def validation(
        self,
        *,
        epoch: int | None = None,
        step: int | None = None,
        loader: Any = None,
        tag: str = "val",
        final: bool = False,
    ) -> Generator[None]:
        """Go over a validation loader; what is logged is published at the end, unless it raises.

        With a demo set, that is listened to instead, at the end.

        Args:
            epoch: Counted from 0.
            step: The one at which the scalars are logged; the epoch, if none is given.
            loader: The loader; then examples without an id have their index in its data set.
            tag: What to call the clips, if there are several loaders.
            final: Whether this is known to be the last validation, which is logged in any case.
        """
        self._progress, self._loader, self._seen = Progress(), loader, 0
        self._round = self._tag_of(tag)
        self._begin(self._round, epoch=epoch, step=step, final=final)
        try:
            yield
        except BaseException:
            self._cancel()
            raise
        finally:
            self._round = None
        self._end(self._model, device_of(self._model), self._context)

    def batch(self, outputs: Any, batch: Any) -> None:
        """Log the wanted examples of a batch, within `validation`; call it for each of them.

        Args:
            outputs: What the model returned; with `predict`, nothing of it is used.
            batch: What it was given, on its device.
        """
        if self._round is None and self._is_on:
            self.notices.tell(
                "batch",
                "batch() logs within a validation: write `with monitor.validation(epoch=epoch)`",
            )
        if self._round is None or self._demo is not None or not self._monitor.active:
            return
        with self.notices.guard("batch", "a batch"):
            place = self._progress.come_to(batch, self._seen, self._loader)
            self._seen += 1
            self._hear(self._model, self._round, batch, place, outputs, self._context)

    def step(
        self, *, epoch: int | None = None, step: int | None = None, final: bool = False
    ) -> None:
        """Listen to the demo set between validations, if it is due; call it after each step.

        Args:
            epoch: Counted from 0.
            step: The one at which the scalars are logged; the epoch, if none is given.
            final: Whether this is known to be the last step.
        """
        if self._demo is None:
            if self._is_on:
                self.notices.tell(
                    "step",
                    "step() listens to a demo set, and there is none: pass AudioMonitor(demo=)",
                )
            return
        self._begin(self._tag_of(), epoch=epoch, step=step, final=final)
        self._end(self._model, device_of(self._model), self._context)

    def close(self) -> None:
        """Publish what is pending and close the sinks; logging afterwards does nothing."""
        self._cancel()
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
