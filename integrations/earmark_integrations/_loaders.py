"""What a data loader says of its examples: their indices in the data set, and its own name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.utils.data import BatchSampler, DistributedSampler, SequentialSampler

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


def dataset_indices(loader: Any, start: int, count: int) -> list[int] | None:
    """Say which items of its data set a loader has drawn.

    Args:
        loader: A `DataLoader`.
        start: How many items this process had drawn before.
        count: How many it has drawn since.

    Returns:
        Their indices; `None` if the loader shuffles, or only knows itself what it draws.
    """
    sampler = _sampler(loader)
    drawn = range(start, start + count)
    if isinstance(sampler, DistributedSampler) and _shares_in_order(sampler):
        # The last indices repeat the first ones, so that every rank draws equally many.
        size = len(sampler.dataset)  # type: ignore[arg-type]  # a sampler needs a sized data set
        return [(index * sampler.num_replicas + sampler.rank) % size for index in drawn]
    return list(drawn) if type(sampler) is SequentialSampler else None


def _shares_in_order(sampler: DistributedSampler[Any]) -> bool:
    if sampler.shuffle or not type(sampler).__module__.startswith(("torch.", *_LIGHTNING)):
        return False
    # Lightning's own ones share out what another sampler draws.
    return type(getattr(sampler.dataset, "_sampler", None)) in (type(None), SequentialSampler)


def _sampler(loader: Any) -> Any:
    batches = getattr(loader, "batch_sampler", None)
    if batches is None:
        return getattr(loader, "sampler", None)
    # Lightning wraps the batches of a prediction loop, to know their indices.
    batches = getattr(batches, "_batch_sampler", batches)
    return batches.sampler if type(batches) is BatchSampler else None
