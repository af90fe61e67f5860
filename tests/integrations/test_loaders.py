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

from earmark.ranks import Drawn
from earmark_integrations._loaders import (
    drawn_items,
    is_shared,
    makes_batches,
    named_loaders,
    num_before,
)


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
    said = drawn_items(loader, 0, len(items))
    assert said.in_order
    places = list(said.places)
    assert all(place in (item, None) for item, place in zip(items, places, strict=True))
    assert list(drawn_items(loader, 2, 1).places) == places[2:3]


@pytest.mark.parametrize("shuffle", [False, True])
def test_what_a_sampler_repeats_has_no_place(shuffle: bool) -> None:
    """Of ten items for four ranks each item has one place, and the two that come again none."""
    loaders = [shared(DistributedSampler(Items(), 4, rank, shuffle=shuffle)) for rank in range(4)]
    said = [drawn_items(loader, 0, 3) for loader in loaders]
    assert {(one.is_shared, one.in_order) for one in said} == {(True, not shuffle)}
    held = [
        (place, item)
        for one, loader in zip(said, loaders, strict=True)
        for place, item in zip(one.places, drawn(loader), strict=True)
    ]
    assert len(held) == 12
    assert sorted(place for place, _ in held if place is not None) == list(range(10))
    assert sorted(item for place, item in held if place is not None) == list(range(10))


def test_only_ranks_that_share_a_sampler_share_items() -> None:
    """A loader of torch's own sampler is shared; one that every rank draws by itself is not."""
    assert is_shared(shared(DistributedSampler(Items(), 2, 0)))
    assert not is_shared(shared(Reversed(Items(), 2, 0)))
    assert not is_shared(DataLoader(Items(), batch_size=3))
    assert not is_shared([[1, 2], [3, 4]])


def test_how_many_items_came_before_is_alike_on_all_ranks() -> None:
    """It goes by the batch size of the loader; where that has none, by the batches."""
    assert num_before(DataLoader(Items(), batch_size=3), 2) == 6
    assert num_before(DataLoader(Items(), batch_size=None), 2) == 2
    lengths = ByLength(SequentialSampler(Items()), 3, drop_last=False)
    assert num_before(DataLoader(Items(), batch_sampler=lengths), 2) == 2
    assert num_before([[1, 2], [3, 4]], 1) == 1


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
    """Where only the loader knows what it draws, there are places in its order, and no more."""
    said = drawn_items(loader, 4, 3)
    assert not said.in_order
    assert said.is_shared or list(said.places) == [4, 5, 6]


def test_lightning_wraps_the_batches_of_a_prediction() -> None:
    """The sampler is found within."""
    batches = BatchSampler(SequentialSampler(Items()), 3, drop_last=False)
    wrapped = lightning_samplers._IndexBatchSamplerWrapper(batches)  # pyright: ignore[reportPrivateUsage] - what Lightning does
    loader = DataLoader(Items(), batch_sampler=wrapped)
    assert drawn_items(loader, 3, 3) == Drawn(range(3, 6), in_order=True)
    random = BatchSampler(RandomSampler(Items()), 3, drop_last=False)
    wrapped = lightning_samplers._IndexBatchSamplerWrapper(random)  # pyright: ignore[reportPrivateUsage] - what Lightning does
    assert not drawn_items(DataLoader(Items(), batch_sampler=wrapped), 3, 3).in_order


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
