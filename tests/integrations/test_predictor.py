"""What is made for listening: which method, with which arguments, with whose weights."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from earmark.errors import ArgumentError, ArgumentTypeError
from earmark_integrations._predictor import Predictor


class Gain(nn.Module):
    """Scales what it is given; keeps another scale as its average."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))
        self.dropout = nn.Dropout(0.5)

    def forward(self, batch: Tensor, times: int = 1) -> Tensor:
        """Scale it so many times."""
        scaled: Tensor = self.dropout(batch * self.gain**times)
        return scaled

    @contextmanager
    def ema_scope(self) -> Generator[None]:
        """Use a gain of 3 for a while."""
        kept = self.gain.data
        self.gain.data = torch.tensor(3.0)
        try:
            yield
        finally:
            self.gain.data = kept


def averaged() -> Gain:
    """A model with its average as a submodule, whose gain is 5."""
    model = Gain()
    average = AveragedModel(Gain())
    average.module.gain.data = torch.tensor(5.0)
    model.average = average
    return model


BATCH = torch.ones(4)


def test_a_method_is_given_the_batch() -> None:
    """As inference: without dropout and gradients; afterwards the model trains as before."""
    model = Gain()
    made = Predictor("forward")(model, BATCH, nullcontext())
    assert made.tolist() == [2.0] * 4
    assert not made.requires_grad
    assert model.training
    assert model.dropout.training


def test_a_function_is_given_the_module_and_the_batch() -> None:
    """Any function of both."""
    made = Predictor(lambda module, batch: module(batch) + 1)(Gain(), BATCH, nullcontext())
    assert made.tolist() == [3.0] * 4


def test_each_variant_has_its_arguments() -> None:
    """The same batch, once for each variant, by its name."""
    predictor = Predictor("forward", {"once": {}, "thrice": {"times": 3}})
    made = {name: predictor(Gain(), BATCH, nullcontext(), name) for name in predictor.names}
    assert {name: value[0].item() for name, value in made.items()} == {"once": 2, "thrice": 8}


def test_all_variants_are_drawn_from_the_same_noise() -> None:
    """They differ by their arguments, and by nothing else."""
    predictor = Predictor(
        lambda _, batch, gain: gain * torch.rand(3), {"1": {"gain": 1}, "2": {"gain": 2}}
    )
    one, two = (predictor(Gain(), BATCH, nullcontext(), name) for name in predictor.names)
    assert torch.equal(2 * one, two)


def test_names_may_be_paths() -> None:
    """A method of a part of the model, with the weights of another part."""
    model = nn.Module()
    model.generator = averaged()
    assert Predictor("generator.forward")(model, BATCH, nullcontext())[0].item() == 2
    predictor = Predictor("forward", weights="generator.average")
    predictor.check(model)
    assert predictor(model, BATCH, nullcontext())[0].item() == 5


def test_another_model_s_weights_run_as_inference_too() -> None:
    """A model that is no part of the one that trains is put into eval mode, and back."""
    other = Gain()
    predictor = Predictor("forward", weights=lambda _: nullcontext(other))
    assert predictor(Gain(), torch.ones(1000), nullcontext()).tolist() == [2.0] * 1000
    assert other.training


def test_predict_is_looked_up_where_it_runs() -> None:
    """An average of a part of the model has the methods of that part."""
    model = nn.Module()
    model.average = AveragedModel(Gain())
    message = "^expected predict to be a method of Gain, got 'generate': name one, or pass"
    with pytest.raises(ArgumentError, match=message):
        Predictor("generate", weights="average").check(model)


@pytest.mark.parametrize(
    ("weights", "gain"),
    [
        (None, 2),
        ("ema_scope", 3),
        (lambda module: module.ema_scope(), 3),
        ("average", 5),
        (lambda module: nullcontext(module.average.module), 5),
    ],
)
@pytest.mark.parametrize("predict", ["forward", lambda module, batch: module(batch)])
def test_other_weights_are_used_and_put_back(weights: Any, gain: float, predict: Any) -> None:
    """A submodule that runs instead, or a context in which the module has them."""
    model = averaged()
    made = Predictor(predict, weights=weights)(model, BATCH, nullcontext())
    assert made[0].item() == gain
    assert model.gain.item() == 2


@pytest.mark.parametrize(
    ("keyword", "of"), [("predict", r"\(module, batch\)"), ("weights", "the module")]
)
def test_an_unknown_name_is_refused(keyword: str, of: str) -> None:
    """Before the training starts, with the module's class and the way out."""
    given: Any = {"predict": "forward"} | {keyword: "generat"}
    message = f"expected {keyword} to be a method of Gain, got 'generat': name one, or pass a "
    with pytest.raises(ArgumentError, match=f"^{message}function of {of}$"):
        Predictor(**given).check(Gain())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"predict": 3},
            (
                "expected predict as the name of a method of the module, or a function of (module, "
                "batch), got 3"
            ),
        ),
        (
            {"weights": 0.999},
            (
                "expected weights as the name of a method of the module, or a function of the "
                "module that returns a context manager, got 0.999"
            ),
        ),
        (
            {"variants": {"cfg3": 3}},
            (
                "expected variants as keyword arguments of predict by name, such as {'cfg3': "
                "{'cfg_scale': 3}}, got {'cfg3': 3}"
            ),
        ),
    ],
)
def test_arguments_of_another_kind_are_refused(given: Any, message: str) -> None:
    """At once, in the constructor."""
    with pytest.raises(ArgumentTypeError, match=re.escape(message)):
        Predictor(**({"predict": "forward"} | given))
