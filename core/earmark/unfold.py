"""Containers of any kind, taken apart: dicts, dataclasses, tuples, models' own output types.

User types are registered here; what holds sounds of its own kind is known in `sounds`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeAlias

from earmark.errors import ArgumentTypeError, shown
from earmark.roles import means_lengths_of, read_key
from earmark.sounds import Sounds, are_counts, as_sounds, rate_of, shape_of

Path: TypeAlias = tuple[Any, ...]
"""The keys and indices that lead to a value."""

_MAX_DEPTH = 8
_MAX_LEAVES = 4096

_registered: dict[type, Callable[[Any], Any]] = {}


def register_output(kind: type, unfold: Callable[[Any], Mapping[str, Any]]) -> None:
    """Say which sounds a type of outputs, or of batches, holds.

    Args:
        kind: The type; what derives from it is covered too.
        unfold: A function from such a value to its sounds by role, for example
            `lambda output: {"prediction": output.wav}`.

    Raises:
        ArgumentTypeError: If the one is no type, or the other no function.

    Example:
        >>> class MyOutput:
        ...     wav = None
        >>> register_output(MyOutput, lambda output: {"prediction": output.wav})
    """
    if not isinstance(kind, type) or not callable(unfold):
        raise ArgumentTypeError(
            "expected a type and a function from its values to sounds by role, got "
            f"{shown(kind)} and {shown(unfold)}: register_output(MyOutput, lambda output: "
            "{'prediction': output.wav})"
        )
    _registered[kind] = unfold


@dataclass(frozen=True)
class Leaf:
    """What a container comes down to in one place.

    Attributes:
        path: What leads there.
        value: What is there.
        sounds: The same as the sounds of a batch; `None` if by its type it is none.
        declared: The role that a registered type gives it.
    """

    path: Path
    value: Any
    sounds: Sounds | None
    declared: str | None = None


def leaves(values: Any, *, in_batch: bool = False) -> list[Leaf]:
    """Take a container apart.

    Args:
        values: Anything.
        in_batch: Whether it was given to the model; what it returned, otherwise. Only there is a
            tensor of integers that follows a sound taken for its lengths.

    Returns:
        All that is not a container itself. A value that is one sound, or a batch of them, is one
        leaf, even if it is a tuple, list or dict.
    """
    return list(islice(_leaves(values, (), None, frozenset(), in_batch=in_batch), _MAX_LEAVES))


def _leaves(
    value: Any, path: Path, rate: int | None, above: frozenset[int], *, in_batch: bool
) -> Iterator[Leaf]:
    if id(value) in above or len(above) > _MAX_DEPTH:
        return
    unfold = registered(value)
    if unfold is not None:
        for role, sound in unfold(value).items():
            if sound is not None:
                yield Leaf((*path, role), sound, as_sounds(sound), declared=role)
        return
    named = bool(path) and isinstance(path[-1], str)
    sounds = as_sounds(value, in_batch=in_batch, named=named)
    kept = isinstance(value, list) and bool(path) and read_key(path[-1]).is_own
    found = None if kept or sounds is not None else children(value)
    if found is None:  # what is listed under a role's own name is judged one by one, later
        if sounds is not None and sounds.sample_rate is None:
            sounds = replace(sounds, sample_rate=rate)
        yield Leaf(path, value, sounds)
        return
    beside = dict(found)
    rate = rate_of(beside) or rate
    above |= {id(value)}
    for key, child in found:
        for leaf in _leaves(child, (*path, key), rate, above, in_batch=in_batch):
            if leaf.sounds is None or leaf.sounds.lengths is not None or leaf.declared is not None:
                yield leaf
            else:
                lengths = _lengths_beside(leaf, key, found, in_batch=in_batch)
                yield replace(leaf, sounds=replace(leaf.sounds, lengths=lengths))


def registered(value: Any) -> Callable[[Any], Any] | None:
    """The function that a value's type, or the nearest above it, was registered with."""
    return next((_registered[kind] for kind in type(value).__mro__ if kind in _registered), None)


def children(value: Any) -> list[tuple[Any, Any]] | None:
    """What is in a container, by key or index; `None` if it is none. `None`s are left out."""
    if isinstance(value, type | str | bytes):
        return None
    items: Any
    if isinstance(value, Mapping) or (hasattr(value, "keys") and hasattr(value, "__getitem__")):
        items = [(key, value[key]) for key in value.keys()]  # noqa: SIM118 - may be no mapping
    elif dataclasses.is_dataclass(value):
        items = [(one.name, getattr(value, one.name, None)) for one in dataclasses.fields(value)]
    elif hasattr(value, "__attrs_attrs__"):
        items = [(one.name, getattr(value, one.name, None)) for one in value.__attrs_attrs__]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        items = zip(value._fields, value, strict=False)
    elif isinstance(value, tuple | list):
        items = enumerate(value)
    else:
        return None
    return [(key, child) for key, child in items if child is not None]


def _lengths_beside(
    leaf: Leaf, key: Any, siblings: list[tuple[Any, Any]], *, in_batch: bool
) -> Any:
    if leaf.sounds is None or isinstance(leaf.sounds.value, list):
        return None
    count = (shape_of(leaf.sounds.value) or (0,))[0]
    if isinstance(key, int) and not in_batch and len(leaf.path) and leaf.path[-1] == key:
        follower = next((value for other, value in siblings if other == key + 1), None)
        return follower if are_counts(follower, count) else None
    for other, value in siblings:
        if means_lengths_of(other, key, in_batch=in_batch) and are_counts(
            value, count, relative=True
        ):
            return value
    return None


def is_never(path: Path) -> bool:
    """Whether a key on the way says that this is no sound."""
    return any(read_key(key).meaning == "never" for key in path)
