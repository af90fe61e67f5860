"""What a data loader says of its items: their places in the data set, and its own name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch.utils.data import BatchSampler, DistributedSampler, SequentialSampler

from earmark.ranks import Drawn
from earmark.selection import batch_size

_LIGHTNING = ("lightning.", "lightning_fabric.", "pytorch_lightning.")


def named_loaders(loaders: Any) -> dict[str, Any]:
    """Name each of a trainer's loaders: one alone has no name, those in a list are numbered."""
    if isinstance(loaders, Mapping):
        return {str(name): loader for name, loader in loaders.items()}
    if isinstance(loaders, list | tuple):
        if len(loaders) == 1:
            return {"": loaders[0]}
        return {f"dataloader_idx_{index}": loader for index, loader in enumerate(loaders)}
    return {"": loaders}


def makes_batches(loader: Any) -> bool:
    """Whether a loader puts several items together; else each batch is one item."""
    return getattr(loader, "batch_sampler", loader) is not None


class Progress:
    """How far a process has come in each of its loaders, in one loop."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def come_to(self, batch: Any, index: int, loader: Any, loader_index: int = 0) -> Place:
        """Say which items a batch is of.

        Args:
            batch: The next batch of this loader.
            index: How many came before it.
            loader: Its loader.
            loader_index: Which loader it is.
        """
        before, size = num_before(loader, index), _size_of(loader)
        start = self._seen.get(loader_index, 0) if size is None else before
        self._seen[loader_index] = start + (batch_size(batch) if makes_batches(loader) else 1)

        def drawn(count: int) -> Drawn:
            """Say which items so many examples are."""
            self._seen[loader_index] = max(self._seen[loader_index], start + count)
            share = _share(loader)
            if share is not None and size is not None and count > size:
                return _gathered(share, range(start, start + size), count)
            return drawn_items(loader, start, count)

        return Place(drawn, before, is_shared(loader))


@dataclass(frozen=True)
class Place:
    """Which items of a data set a batch is of.

    Args:
        drawn: Says it of so many examples, which only their sounds tell for certain.
        before: How many items came before it, by what is alike on all ranks.
        is_shared: Whether the ranks share the loader's items.
    """

    drawn: Callable[[int], Drawn]
    before: int
    is_shared: bool = False


def num_before(loader: Any, batch_index: int) -> int:
    """How many items came before a batch, by what is alike on all ranks: at least this many.

    Args:
        loader: A `DataLoader`.
        batch_index: How many batches came before it.
    """
    size = _size_of(loader)
    return batch_index * (1 if size is None else size)


def _size_of(loader: Any) -> int | None:
    """How large a loader says that its batches are, all but the last one."""
    size = getattr(loader, "batch_size", None)
    if size is None:
        batches: Any = getattr(loader, "batch_sampler", None)
        shard = _shard(batches)
        if shard is not None:
            size = shard.run
        elif type(batches) is BatchSampler:
            size = batches.batch_size
    return size if isinstance(size, int) else None


def is_shared(loader: Any) -> bool:
    """Whether the ranks share a loader's items, so that no two of them draw one place."""
    return _share(loader) is not None


def drawn_items(loader: Any, start: int, count: int) -> Drawn:
    """Say which items of its data set a loader has drawn.

    Args:
        loader: A `DataLoader`.
        start: How many items this process had drawn before.
        count: How many it has drawn since.
    """
    drawn, share = range(start, start + count), _share(loader)
    if share is None:
        return Drawn(drawn, in_order=type(_sampler(loader)) is SequentialSampler)
    # The last places repeat the first ones, so that every rank draws equally many.
    places = [place if place < share.size else None for place in map(share.place, drawn)]
    return Drawn(places, in_order=share.in_order, is_shared=True)


def _gathered(share: _Share, drawn: range, count: int) -> Drawn:
    """Say which items a batch is of that was gathered: each rank's, one after the other."""
    ranks = (replace(share, rank=rank) for rank in range(share.num_ranks))
    places = [each.place(index) for each in ranks for index in drawn][:count]
    known = [place if place < share.size else None for place in places]
    return Drawn(known, in_order=share.in_order, is_alike=True)


@dataclass(frozen=True)
class _Share:
    """What one of several ranks draws: in turn with the others, so many in a run."""

    size: int
    num_ranks: int
    rank: int
    in_order: bool
    run: int = 1

    def place(self, index: int) -> int:
        """The place in the data set of what the rank draws at this place."""
        turn, within = divmod(index, self.run)
        return (turn * self.num_ranks + self.rank) * self.run + within


def _share(loader: Any) -> _Share | None:
    sampler = _sampler(loader)
    known = type(sampler).__module__.startswith(("torch.", *_LIGHTNING))
    if not (isinstance(sampler, DistributedSampler) and known):
        return _shard(getattr(loader, "batch_sampler", None))
    size = len(sampler.dataset)  # type: ignore[arg-type]  # a sampler needs a sized data set
    return _Share(size, sampler.num_replicas, sampler.rank, _is_in_order(sampler))


def _shard(batches: Any) -> _Share | None:
    """What accelerate has a rank draw: every so many batches, or a part of each."""
    kind, inner = type(batches), getattr(batches, "batch_sampler", None)
    if not (kind.__module__.startswith("accelerate.") and kind.__name__ == "BatchSamplerShard"):
        return None
    if type(inner) is not BatchSampler:
        return None
    count = batches.num_processes
    run = inner.batch_size // count if batches.split_batches else inner.batch_size
    in_order = type(inner.sampler) is SequentialSampler
    size = len(inner.sampler)  # type: ignore[arg-type]  # accelerate needs to know it
    return _Share(size, count, batches.process_index, in_order, run)


def _is_in_order(sampler: DistributedSampler[Any]) -> bool:
    # Lightning's own ones share out what another sampler draws.
    inner = type(getattr(sampler.dataset, "_sampler", None))
    return not sampler.shuffle and inner in (type(None), SequentialSampler)


def _sampler(loader: Any) -> Any:
    if type(loader).__name__ == "DataLoaderDispatcher":  # accelerate's: rank zero draws for all
        return None
    batches = getattr(loader, "batch_sampler", None)
    if batches is None:
        return getattr(loader, "sampler", None)
    # Lightning wraps the batches of a prediction loop, to know their indices.
    batches = getattr(batches, "_batch_sampler", batches)
    return batches.sampler if type(batches) is BatchSampler else None
