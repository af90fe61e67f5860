"""What the monitors of other loops than Lightning's share: rounds of listening, and the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from earmark.arguments import checked_place
from earmark.mode import is_enabled
from earmark_integrations._listener import Listener


class LoopListener(Listener):
    """Listens to loaders, each in a round of its own, and to the demo set."""

    _granted: tuple[int | None, int] | None = None
    _tags: tuple[str, ...] = ()

    def state_dict(self) -> dict[str, Any]:
        """The chosen examples, and where the last take was logged; for a checkpoint."""
        return self._monitor.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._monitor.restore(state_dict)

    @property
    def _is_on(self) -> bool:
        return self._enabled and is_enabled()

    def _restart(self) -> None:
        """Begin a training anew."""
        self._monitor.restart()
        self._granted = None

    def _begin(
        self, tag: str, *, epoch: Any, step: Any = None, final: bool = False, forced: bool = False
    ) -> None:
        """Begin a round, if it is due.

        Args:
            tag: What the clips are called.
            epoch: Counted from 0.
            step: Where the scalars logged beside it land; the epoch, if none is given.
            final: Whether this is known to be the last round of the training.
            forced: Whether to log it whatever the schedule says, unless it was logged already.
        """
        if not self._is_on:
            return
        with self.notices.guard("begin", "a loop"):
            place, passed = checked_place(step, epoch)
            # A validation that is due may go over several loaders, each in a round of its own.
            tags = self._tags if (passed, place) == self._granted else ()
            forced = (forced or bool(tags)) and tag not in tags
            self._monitor.begin(epoch=passed, step=place, final=final, forced=forced)
            if self._monitor.active:
                self._granted, self._tags = (passed, place), (*tags, tag)

    def _cancel(self) -> None:
        """Forget a round that broke off, so that it can be gone through again."""
        if self._monitor.active:
            self._tags = self._tags[:-1]
        self._monitor.cancel()

    def _end(
        self,
        module: nn.Module,
        device: torch.device,
        forward_context: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        """Publish the round, which is of the demo set if there is one."""
        if self._demo is not None and self._monitor.active:
            self._play(module, self._tag_of(), partial(moved, device=device), forward_context)
        self._monitor.end()


def moved(value: Any, device: torch.device) -> Any:
    """Move a batch to a device: tensors, all that has `to`, and these in containers."""
    if hasattr(value, "to"):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: moved(item, device) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [moved(item, device) for item in value]
        if hasattr(value, "_fields"):
            return type(value)(*items)
        return type(value)(items)
    return value


def device_of(module: nn.Module) -> torch.device:
    """Where a module is."""
    tensors = (tensor for held in (module.parameters(), module.buffers()) for tensor in held)
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def unwrapped(module: nn.Module) -> nn.Module:
    """The user's own module, which has the methods, and whose forward waits for nobody."""
    while isinstance(module, DataParallel | DistributedDataParallel):
        module = module.module
    return module
