"""How a codebase's outputs are written down, and how what is found in them is checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from earmark.errors import ArgumentError
from earmark.outputs.find import find_sounds


class Make(Protocol):
    """Makes an array of a shape and a dtype."""

    def __call__(self, *shape: int, dtype: str = "float32") -> Any: ...


@dataclass(frozen=True)
class Family:
    """A codebase, or several alike.

    Attributes:
        name: Whose outputs these are.
        outputs: What its step or model returns.
        batch: What its loader gives.
        sounds: The roles that are found, and where: `"outputs/audio"`, `"batch/0"`.
        lengths: The roles whose lengths are found, and where.
        rates: The sample rates that are found, by role.
        error: How the message ends that says what to write, if nothing is found.
        fault: The same for an input or target that is unclear.
        arguments: What the user has to say.
    """

    name: str
    outputs: Callable[[Make], Any]
    batch: Callable[[Make], Any] = lambda _: None
    sounds: Mapping[str, str] = field(default_factory=dict)
    lengths: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    fault: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


NOWHERE = (
    "say where it is, such as AudioMonitor(prediction={}), with decode= if that is no sound yet; "
    "or pass predict= to make one"
)


def check(family: Family, make: Make) -> None:
    """Find a family's sounds, and see that they are those values, and no others."""
    outputs, batch = family.outputs(make), family.batch(make)
    if family.error:
        with pytest.raises(ArgumentError, match=f"{re.escape(family.error)}$"):
            find_sounds(outputs, batch, **family.arguments)
        return
    found = find_sounds(outputs, batch, **family.arguments)
    places = {"outputs": outputs, "batch": batch}
    assert list(found.sounds) == list(family.sounds)
    for role, where in family.sounds.items():
        _assert_same(found.sounds[role], _located(places, where))
    assert found.sample_rates == family.rates
    assert found.lengths.keys() == family.lengths.keys()
    for role, where in family.lengths.items():
        assert found.lengths[role] is _located(places, where)
    faults = "".join(map(str, found.faults.values()))
    assert bool(faults) == bool(family.fault)
    assert family.fault in faults


def _located(values: Any, where: str) -> Any:
    path, _, stem = where.removesuffix("]").partition("[")
    for key in path.split("/"):
        if isinstance(values, Mapping):
            values = values[key]
        else:
            values = values[int(key)] if key.isdigit() else getattr(values, key)
    return values[:, int(stem)] if stem else values


def _assert_same(found: Any, expected: Any) -> None:
    """The very same value, alone in a list if it is one sound; of stems, a view of the same."""
    if isinstance(found, list) and isinstance(expected, list):
        assert len(found) == len(expected)
        assert all(one is other for one, other in zip(found, expected, strict=True))
    elif isinstance(found, list):
        (one,) = found
        assert len(expected.shape) == 1
        assert (one[0] if isinstance(one, tuple) else one) is expected
    elif found is not expected:  # a stem: a view of the same memory, and of the same place in it
        assert found.shape == expected.shape
        assert found.data_ptr() == expected.data_ptr() != 0
