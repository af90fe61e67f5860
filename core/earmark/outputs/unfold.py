"""Containers of any kind, taken apart: dicts, dataclasses, tuples, models' own output types.

What holds sounds of its own kind is known in `sounds`, what users registered in `registry`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeAlias

from earmark.outputs.registry import registered
from earmark.outputs.roles import RATES, means_lengths_of, read_key
from earmark.outputs.sounds import Sounds, are_counts, as_sounds, axes, is_scalar, rate_of

Path: TypeAlias = tuple[Any, ...]
"""The keys and indices that lead to a value."""

_MAX_DEPTH = 8
_MAX_LEAVES = 4096


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
    declared = registered(value)
    if declared is not None:
        yield from _declared(declared, path)
        return
    named = bool(path) and isinstance(path[-1], str)
    sounds = as_sounds(value, in_batch=in_batch, named=named)
    found = None if sounds is not None or _is_column(value, path) else children(value)
    if found is None:
        if sounds is not None and sounds.sample_rate is None:
            sounds = replace(sounds, sample_rate=rate)
        yield Leaf(path, value, sounds)
        return
    beside = dict(found)
    rate = rate_of(beside) or rate
    above |= {id(value)}
    for key, child in found:
        for leaf in _leaves(child, (*path, key), rate, above, in_batch=in_batch):
            yield _with_lengths(leaf, len(path), beside, in_batch=in_batch)


def _declared(values: Mapping[str, Any], path: Path) -> Iterator[Leaf]:
    rate = rate_of(values)
    for role, value in values.items():
        about = any(means_lengths_of(role, other, in_batch=False) for other in values)
        if about or role in RATES:
            continue
        sounds = as_sounds(value)
        if sounds is not None and sounds.sample_rate is None:
            sounds = replace(sounds, sample_rate=rate)
        leaf = Leaf((*path, role), value, sounds, declared=role)
        yield _with_lengths(leaf, len(path), values, in_batch=False)


def _is_column(value: Any, path: Path) -> bool:
    if not isinstance(value, list | tuple):
        return False
    if isinstance(value, list) and path and read_key(path[-1]).is_own:
        return True  # what is listed under a role's own name is judged one by one, later
    return len(value) > 0 and all(map(is_scalar, value))


def children(value: Any) -> list[tuple[Any, Any]] | None:
    """What is in a container, by key or index; `None` if it is none. `None`s are left out."""
    if isinstance(value, type | str | bytes):
        return None
    items: Any
    names = getattr(value, "_fields", None)
    if isinstance(value, Mapping) or (hasattr(value, "keys") and hasattr(value, "__getitem__")):
        items = [(key, value[key]) for key in value.keys()]  # noqa: SIM118 - may be no mapping
    elif dataclasses.is_dataclass(value):
        items = [(one.name, getattr(value, one.name, None)) for one in dataclasses.fields(value)]
    elif hasattr(value, "__attrs_attrs__"):
        items = [(one.name, getattr(value, one.name, None)) for one in value.__attrs_attrs__]
    elif isinstance(value, tuple) and names is not None:
        items = zip(names, value, strict=False)
    elif isinstance(value, tuple | list):
        items = enumerate(value)
    else:
        return None
    return [(key, child) for key, child in items if child is not None]


def by_name(batch: Any) -> Any:
    """A batch as a dict of its columns, if they all have names; as it is, otherwise."""
    found = children(batch) or [(None, None)]
    return dict(found) if all(isinstance(key, str) for key, _ in found) else batch


def _with_lengths(leaf: Leaf, depth: int, beside: Mapping[Any, Any], *, in_batch: bool) -> Leaf:
    """Add the lengths of the sounds, if they are beside them or what holds them."""
    sounds = leaf.sounds
    if sounds is None or sounds.lengths is not None or isinstance(sounds.value, list):
        return leaf
    count = next(iter(axes(sounds.value)), 0)
    key = leaf.path[depth]
    if isinstance(key, int):
        alone = not in_batch and len(leaf.path) == depth + 1
        found = [beside[key + 1]] if alone and _are_in_turns(beside, key, count) else []
    else:
        found = [
            value
            for other, value in beside.items()
            if means_lengths_of(other, key, in_batch=in_batch)
            and are_counts(value, count, relative=True)
        ]
    return replace(leaf, sounds=replace(sounds, lengths=found[0])) if found else leaf


def _are_in_turns(beside: Mapping[Any, Any], key: int, count: int) -> bool:
    """Whether a tuple holds sounds and integers by turns: among other things, these are indices."""
    followers = [beside.get(at) for at in range(1, max(beside) + 1, 2)]
    pairs = key % 2 == 0 and len(followers) * 2 == len(beside)
    return pairs and all(are_counts(one, count) for one in followers)


def is_never(path: Path) -> bool:
    """Whether a key on the way says that this is no sound."""
    return any(read_key(key).meaning == "never" for key in path)
