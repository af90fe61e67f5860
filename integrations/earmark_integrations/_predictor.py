"""Predictor: what is made for listening: by `predict`, in variants, with whose weights."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from torch import nn
from torch.optim.swa_utils import AveragedModel

from earmark.errors import ArgumentError, ArgumentTypeError, shown
from earmark_integrations._inference import attribute, eval_mode, inference

Predict: TypeAlias = str | Callable[..., Any]
"""The name of a method of the module, or a function of `(module, batch)`."""

Weights: TypeAlias = str | Callable[[Any], AbstractContextManager[Any]]
"""The name of a submodule or method, or a function of the module that returns a context manager."""


@dataclass(frozen=True)
class Predictor:
    """Runs a model on a batch, as inference, in each of its variants.

    Args:
        predict: What to run.
        variants: Keyword arguments for it, by the variant's name; it runs once without any, if
            there are none.
        weights: Whose weights to use: the name of a submodule to run in the place of the module
            (an `AveragedModel` counts as what it averages), or of a method that returns a context
            manager, such as `ema_scope`; or a function of the module that does.

    Raises:
        ArgumentTypeError: If an argument is of the wrong type.
    """

    predict: Predict
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    weights: Weights | None = None

    def __post_init__(self) -> None:
        _check_kind("predict", self.predict, "(module, batch)")
        if self.weights is not None:
            _check_kind("weights", self.weights, "the module that returns a context manager")
        if not isinstance(self.variants, Mapping) or not all(
            isinstance(name, str) and name and isinstance(given, Mapping)
            for name, given in self.variants.items()
        ):
            raise ArgumentTypeError(
                "expected variants as keyword arguments of predict by name, such as "
                f"{{'cfg3': {{'cfg_scale': 3}}}}, got {shown(self.variants)}"
            )

    def check(self, module: nn.Module) -> None:
        """Look up the names.

        Raises:
            ArgumentError: If the module, or the submodule that runs in its place, has nothing of
                that name.
        """
        _check_name("weights", self.weights, module, "the module")
        named = attribute(module, self.weights) if isinstance(self.weights, str) else None
        model = _averaged(named) if isinstance(named, nn.Module) else module
        _check_name("predict", self.predict, model, "(module, batch)")

    @property
    def names(self) -> Sequence[str]:
        """The names of the variants; `""` alone, if there are none."""
        return [*self.variants] or [""]

    def __call__(
        self, module: nn.Module, batch: Any, forward_context: Any, variant: str = ""
    ) -> Any:
        """Predict; all variants are drawn from the same random numbers.

        Args:
            module: The model that trains; nothing of it is changed.
            batch: What it is given, on its device.
            forward_context: A context of the trainer's precision.
            variant: One of `names`.
        """
        with (
            inference(module, forward_context),
            _weighted(module, self.weights) as model,
            eval_mode(model),
        ):
            keywords = self.variants.get(variant, {})
            if isinstance(self.predict, str):
                return attribute(model, self.predict)(batch, **keywords)
            return self.predict(model, batch, **keywords)


def _check_name(keyword: str, name: object, module: nn.Module, of: str) -> None:
    if isinstance(name, str) and not callable(attribute(module, name)):
        raise ArgumentError(
            f"expected {keyword} to be a method of {type(module).__name__}, got {name!r}: "
            f"name one, or pass a function of {of}"
        )


def _check_kind(name: str, value: object, of: str) -> None:
    if not (isinstance(value, str) and value) and not callable(value):
        raise ArgumentTypeError(
            f"expected {name} as the name of a method of the module, or a function of {of}, got "
            f"{shown(value)}"
        )


@contextmanager
def _weighted(module: nn.Module, weights: Weights | None) -> Generator[nn.Module]:
    """The module to run, with the weights that are asked for."""
    if weights is None:
        yield module
        return
    named = attribute(module, weights) if isinstance(weights, str) else partial(weights, module)
    if isinstance(named, nn.Module):
        yield _averaged(named)
        return
    with named() as entered:
        yield entered if isinstance(entered, nn.Module) else module


def _averaged(module: nn.Module) -> nn.Module:
    return module.module if isinstance(module, AveragedModel) else module
