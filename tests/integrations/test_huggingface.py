from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from earmark_integrations._huggingface import batches_of, name_of_scalars, run_model
from tests.integrations.transformers_models import FilterConfig, FilterModel


class Stream(IterableDataset[int]):
    """Items that nobody has numbered."""

    def __iter__(self) -> Any:
        return iter(range(5))


def test_batches_are_read_from_the_start() -> None:
    """With their places, by a loader of this process, whatever the other one is."""
    listed: DataLoader[int] = DataLoader(list(range(5)), batch_size=2, num_workers=2)  # type: ignore[arg-type]  # a list will do
    streamed = DataLoader(Stream(), batch_size=2)
    for loader in (listed, streamed):
        batches = [(batch.tolist(), place.before) for batch, place in batches_of(loader)]
        assert batches == [([0, 1], 0), ([2, 3], 2), ([4], 4)]
    assert [batch for batch, _ in batches_of([[1], [2]])] == [[1], [2]]


def test_a_model_is_given_what_it_takes() -> None:
    """The columns of its forward, all of them if it takes any, or a batch that has none."""
    model = FilterModel(FilterConfig())
    model.train(mode=False)
    noisy = torch.ones(1, 20)
    made = run_model(model, {"noisy": noisy, "text": ["hello"]}).audio_values
    assert torch.equal(made, run_model(model, noisy).audio_values)

    class Greedy(nn.Module):
        def forward(self, **columns: Any) -> list[str]:
            return list(columns)

    assert run_model(Greedy(), {"a": 1, "b": 2}, c=3) == ["a", "b", "c"]


def test_evaluations_are_called_as_their_scalars() -> None:
    """By the prefix that all of their metrics have."""
    assert name_of_scalars({"eval_loss": 1, "eval_runtime": 1}) == ["eval"]
    assert name_of_scalars({"eval_far_off_loss": 1, "eval_far_off_runtime": 1}) == [
        "eval",
        "far_off",
    ]
    assert name_of_scalars({"test_loss": 1, "test_runtime": 1}) == ["test"]
    assert name_of_scalars({"eval_accuracy": 1}) == ["eval"]
