"""A model that runs beside its training leaves no trace in it."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from earmark_integrations._inference import inference


class Model(nn.Module):
    """A part that trains, a part that is frozen in eval mode, a part that is one of a kind."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
        self.frozen = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5)).eval()
        self.custom = OneOfAKind()


class OneOfAKind(nn.Module):
    """Refuses to be set to training: `train` is a method that users override."""

    def train(self, mode: bool = True) -> OneOfAKind:
        """Change to eval mode, and to that only."""
        assert not mode
        return super().train(mode)


def modes(model: nn.Module) -> dict[str, bool]:
    """Which parts are in training mode."""
    return {name: part.training for name, part in model.named_modules()}


def states() -> list[Any]:
    """The states of all generators of random numbers, comparable."""
    numpy_state: Any = np.random.get_state()  # noqa: NPY002 - the state that models use
    return [
        torch.get_rng_state().tolist(),
        random.getstate(),
        [part.tolist() if isinstance(part, np.ndarray) else part for part in numpy_state],
    ]


def drawn() -> list[float]:
    """A random number of each generator."""
    return [torch.rand(1).item(), random.random(), float(np.random.rand())]  # noqa: NPY002 - as above


def fail() -> None:
    """Draw random numbers, and raise."""
    drawn()
    raise RuntimeError("within")


def run(model: nn.Module, context: Any = None) -> Any:
    """The context under test."""
    return inference(model, context or contextlib.nullcontext())


def test_inside_all_parts_are_in_eval_mode() -> None:
    """Batch norm and dropout do what they do after the training."""
    model = Model()
    with run(model):
        assert not any(modes(model).values())


@pytest.mark.parametrize("training", [True, False])
def test_every_part_gets_its_mode_back(*, training: bool) -> None:
    """A frozen part stays frozen, whatever mode the model is in."""
    model = Model()
    model.training = training
    before = modes(model)
    with run(model):
        pass
    assert modes(model) == before
    assert modes(model)["body.1"]
    assert not modes(model)["frozen.0"]


def test_inside_there_are_no_gradients() -> None:
    """Nothing that is kept from inside holds a graph."""
    model = nn.Linear(4, 4)
    with run(model):
        made = model(torch.zeros(1, 4))
    assert not made.requires_grad
    assert torch.is_grad_enabled()


def test_random_numbers_go_on_as_if_nothing_had_happened() -> None:
    """The states of torch, numpy and python are the same before and after."""
    model = Model()
    before = states()
    with run(model):
        drawn()
    assert states() == before


def test_random_numbers_inside_are_the_same_each_time() -> None:
    """What a model makes of noise differs from epoch to epoch only by the model."""
    model, found = Model(), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - as above
        with run(model):
            found.append(drawn())
    assert found[0] == found[1]


def test_an_error_inside_leaves_no_trace_either() -> None:
    """Modes, gradients and random numbers are as they were, and the error is the caller's."""
    model = Model()
    before = modes(model), states()
    with pytest.raises(RuntimeError, match=r"^within$"), run(model):
        fail()
    assert (modes(model), states()) == before
    assert torch.is_grad_enabled()


def test_the_precision_of_the_trainer_holds_inside() -> None:
    """A forward context such as autocast is entered, and left."""
    model = nn.Linear(4, 4)
    with run(model, torch.autocast("cpu", torch.bfloat16)):
        assert model(torch.zeros(1, 4)).dtype == torch.bfloat16
    assert model(torch.zeros(1, 4)).dtype == torch.float32
