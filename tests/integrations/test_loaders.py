"""What a loader says of its examples: which items it draws, and what it is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lightning.pytorch.overrides.distributed as lightning_samplers
import pytest
import pytorch_lightning.overrides.distributed as pytorch_lightning_samplers
import torch
from lightning.fabric.utilities.distributed import DistributedSamplerWrapper
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
)

from earmark_integrations._loaders import dataset_indices, makes_batches, named_loaders


class Items(Dataset[int]):
    """Items that are their own index."""

    def __init__(self, size: int = 10) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> int:
        return index


class Stream(IterableDataset[int]):
    """Items that nobody has numbered."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(10))


class ByLength(BatchSampler):
    """Batches in an order of its own."""

    def __iter__(self) -> Iterator[list[int]]:
        return reversed(list(super().__iter__()))


class Reversed(DistributedSampler[int]):
    """A share in an order of its own."""

    def __iter__(self) -> Iterator[int]:
        return reversed(list(super().__iter__()))


def drawn(loader: Any) -> list[int]:
    """The items that a loader really draws."""
    return [int(item) for batch in loader for item in torch.as_tensor(batch).reshape(-1)]


def shared(sampler: Any, size: int = 3) -> DataLoader[int]:
    """A loader of items that a sampler shares out."""
    return DataLoader(Items(), batch_size=size, sampler=sampler)


@pytest.mark.parametrize(
    "loader",
    [
        pytest.param(DataLoader(Items(), batch_size=3), id="batches"),
        pytest.param(DataLoader(Items(), batch_size=None), id="no batches"),
        pytest.param(
            DataLoader(Items(), batch_sampler=BatchSampler(SequentialSampler(Items()), 3, False)),
            id="batch sampler",
        ),
        *(
            pytest.param(
                shared(DistributedSampler(Items(), 4, rank, shuffle=False)), id=f"rank {rank}"
            )
            for rank in range(4)
        ),
        *(
            pytest.param(
                shared(
                    package.UnrepeatedDistributedSamplerWrapper(
                        SequentialSampler(Items()), num_replicas=4, rank=1, shuffle=False
                    )
                ),
                id=f"prediction {index}",
            )
            for index, package in enumerate((lightning_samplers, pytorch_lightning_samplers))
        ),
    ],
)
def test_the_indices_are_those_that_are_drawn(loader: Any) -> None:
    """Where the order is known, it is the loader's own, batch by batch and past the end."""
    items = drawn(loader)
    assert dataset_indices(loader, 0, len(items)) == items
    assert dataset_indices(loader, 2, 1) == items[2:3]


@pytest.mark.parametrize(
    "loader",
    [
        pytest.param(DataLoader(Items(), batch_size=3, shuffle=True), id="shuffled"),
        pytest.param(DataLoader(Stream(), batch_size=3), id="stream"),
        pytest.param(shared(SubsetRandomSampler(range(5))), id="subset"),
        pytest.param(shared(DistributedSampler(Items(), 2, 0, shuffle=True)), id="shuffled share"),
        pytest.param(shared(Reversed(Items(), 2, 0, shuffle=False)), id="reversed share"),
        pytest.param(
            DataLoader(Items(), batch_sampler=ByLength(SequentialSampler(Items()), 3, False)),
            id="by length",
        ),
        pytest.param(
            shared(
                DistributedSamplerWrapper(
                    SubsetRandomSampler(range(5)), num_replicas=2, rank=0, shuffle=False
                )
            ),
            id="share of a subset",
        ),
        pytest.param([[1, 2], [3, 4]], id="list"),
        pytest.param(None, id="nothing"),
    ],
)
def test_no_index_is_made_up(loader: Any) -> None:
    """Where only the loader knows what it draws, nothing is said."""
    assert dataset_indices(loader, 0, 3) is None


def test_lightning_wraps_the_batches_of_a_prediction() -> None:
    """The sampler is found within."""
    batches = BatchSampler(SequentialSampler(Items()), 3, drop_last=False)
    wrapped = lightning_samplers._IndexBatchSamplerWrapper(batches)  # pyright: ignore[reportPrivateUsage] - what Lightning does
    loader = DataLoader(Items(), batch_sampler=wrapped)
    assert dataset_indices(loader, 3, 3) == [3, 4, 5]
    random = BatchSampler(RandomSampler(Items()), 3, drop_last=False)
    wrapped = lightning_samplers._IndexBatchSamplerWrapper(random)  # pyright: ignore[reportPrivateUsage] - what Lightning does
    assert dataset_indices(DataLoader(Items(), batch_sampler=wrapped), 3, 3) is None


def test_a_loader_may_make_no_batches() -> None:
    """Then each item is passed on as it is; what is no loader of torch is taken to make some."""
    assert not makes_batches(DataLoader(Items(), batch_size=None))
    assert makes_batches(DataLoader(Items(), batch_size=1))
    assert makes_batches(DataLoader(Stream(), batch_size=2))
    assert makes_batches([[1, 2], [3, 4]])


def test_one_loader_needs_no_name() -> None:
    """Alone or in a list of one, it is just the loader."""
    assert named_loaders("loader") == {"": "loader"}
    assert named_loaders(["loader"]) == {"": "loader"}


def test_several_loaders_have_names() -> None:
    """Their own in a mapping; numbers in a list, as Lightning numbers their metrics."""
    assert named_loaders({"clean": 1, "noisy": 2}) == {"clean": 1, "noisy": 2}
    assert named_loaders([1, 2]) == {"dataloader_idx_0": 1, "dataloader_idx_1": 2}
