"""Demo sets: loaders, data sets, prompts and noise, the same in every epoch."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from earmark.errors import ArgumentError, ArgumentTypeError
from earmark.ranks import Drawn
from earmark_integrations.demo import Noise, check_demo, demo_batches, drawn_demo


def test_noise_is_the_same_everywhere() -> None:
    """Each item has values of its own, standard normal, whatever was drawn before."""
    torch.manual_seed(7)
    first = [*demo_batches(Noise(3, (2, 5000)))]
    torch.manual_seed(8)
    again = [*demo_batches(Noise(3, (2, 5000)))]

    assert [item.shape for item in first] == [(1, 2, 5000)] * 3
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], Noise(3, (2, 5000), seed=1)[0][None])
    together = torch.cat(first)
    assert together.mean().item() == pytest.approx(0, abs=0.03)
    assert together.std().item() == pytest.approx(1, abs=0.03)


def test_noise_has_an_end() -> None:
    """Going through it as through a list ends, and says where."""
    assert len(list(Noise(3, (2,)))) == 3  # type: ignore[call-overload]  # by its indices
    with pytest.raises(IndexError, match=r"^expected an index below 3, got 3$"):
        _ = Noise(3, (2,))[3]


def test_prompts_are_batches_of_one_text() -> None:
    """A list of texts is what a model is asked for, one by one."""
    assert [*demo_batches(["hello", "there"])] == [{"text": ["hello"]}, {"text": ["there"]}]


def test_items_are_collated() -> None:
    """A list of dictionaries, with arrays or numbers, becomes batches of one as PyTorch's are."""
    items = [{"f0": np.ones(3, np.float32), "speaker": 4, "id": "a"}]
    (batch,) = demo_batches(items)
    assert torch.equal(batch["f0"], torch.ones(1, 3))
    assert batch["speaker"].tolist() == [4]
    assert batch["id"] == ["a"]


def test_a_loader_is_taken_as_it_is() -> None:
    """Its batches have the size that they have."""
    loader = DataLoader(TensorDataset(torch.arange(5.0)), batch_size=2)
    check_demo(loader)
    for _ in range(2):
        assert [batch[0].tolist() for batch in demo_batches(loader)] == [[0, 1], [2, 3], [4]]


def test_items_are_named_by_their_place() -> None:
    """All ranks have the same ones, unless a loader shuffles them or shares them out."""
    assert drawn_demo(["a", "b"], 1, 1) == Drawn(range(1, 2), in_order=True, is_alike=True)
    data = TensorDataset(torch.arange(5.0))
    plain, shuffled = DataLoader(data), DataLoader(data, shuffle=True)
    assert drawn_demo(plain, 2, 3) == Drawn(range(2, 5), in_order=True, is_alike=True)
    assert not drawn_demo(shuffled, 0, 5).in_order
    shared = DataLoader(data, sampler=DistributedSampler(data, 2, 1, shuffle=False))
    assert list(drawn_demo(shared, 0, 2).places) == [1, 3]
    assert not drawn_demo(shared, 0, 2).is_alike


@pytest.mark.parametrize("demo", [None, 3, "hello", {"a": 1}, iter([1]), torch.zeros(2, 3)])
def test_what_cannot_be_gone_through_again_is_refused(demo: Any) -> None:
    """A generator would be used up after the first epoch."""
    way_out = re.escape("pass a list such as ['hello there'], or Noise(4, (2, 65536))")
    expected = "expected demo as a loader, a data set, or a list of items or prompts, got "
    with pytest.raises(ArgumentTypeError, match=f"^(?s:{expected}.*: {way_out})$"):
        check_demo(demo)


def test_an_empty_demo_set_is_refused() -> None:
    """It would never log anything."""
    with pytest.raises(ArgumentError, match="a demo set of one item or more, got an empty one"):
        check_demo([])
