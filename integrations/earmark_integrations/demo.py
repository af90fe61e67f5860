"""Demo sets: what a model is listened to with, apart from its validation data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from earmark.errors import ArgumentError, ArgumentTypeError, shown
from earmark.ranks import Drawn
from earmark_integrations._loaders import drawn_items


class Noise(Dataset[Tensor]):
    """Seeded Gaussian noise for models that generate from it: the same in every epoch, everywhere.

    Args:
        count: How many items.
        shape: The shape of each, without a batch axis.
        seed: Which noise.

    Example:
        >>> demo = Noise(4, (2, 1024))
        >>> demo[3].shape, torch.equal(demo[3], Noise(4, (2, 1024))[3])
        (torch.Size([2, 1024]), True)
    """

    def __init__(self, count: int, shape: Sequence[int], *, seed: int = 0) -> None:
        self._count = count
        self._shape = tuple(shape)
        self._seed = seed

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Tensor:
        if not 0 <= index < self._count:
            raise IndexError(f"expected an index below {self._count}, got {index}")
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + index)
        return torch.randn(self._shape, generator=generator)


def demo_batches(demo: Any) -> Iterator[Any]:
    """The batches of a demo set, in the same order each time.

    Args:
        demo: A loader, whose batches are taken as they are; or a data set or list of items, each
            of which becomes a batch of one: of a text, the batch is `{"text": [text]}`.
    """
    if _is_map(demo):
        for index in range(len(demo)):
            item = demo[index]
            yield {"text": [item]} if isinstance(item, str) else default_collate([item])
    else:
        yield from demo


def drawn_demo(demo: Any, start: int, count: int) -> Drawn:
    """Say which items of a demo set were drawn; all ranks draw the same, if nothing else is said.

    Args:
        demo: The demo set.
        start: How many items came before.
        count: How many have come since.
    """
    if isinstance(demo, DataLoader):
        drawn = drawn_items(demo, start, count)
        return replace(drawn, is_alike=drawn.in_order and not drawn.is_shared)
    return Drawn(range(start, start + count), in_order=True, is_alike=True)


def check_demo(demo: Any) -> None:
    """Refuse what cannot be gone through again in each epoch.

    Raises:
        ArgumentTypeError: If it is no loader, data set or list.
        ArgumentError: If it is empty.
    """
    again = isinstance(demo, Iterable) and not isinstance(demo, Iterator)
    if isinstance(demo, str | bytes | dict | Tensor) or not (_is_map(demo) or again):
        raise ArgumentTypeError(
            "expected demo as a loader, a data set, or a list of items or prompts, got "
            f"{shown(demo)}: pass a list such as ['hello there'], or Noise(4, (2, 65536))"
        )
    if isinstance(demo, Sized) and _is_map(demo) and len(demo) == 0:
        raise ArgumentError("expected a demo set of one item or more, got an empty one")


def _is_map(demo: Any) -> bool:
    return hasattr(demo, "__len__") and hasattr(demo, "__getitem__")
