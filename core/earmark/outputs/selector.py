"""Selectors: where a value is, as users say it: a key, a path, an index, or a function."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from earmark.errors import ArgumentTypeError
from earmark.lengths import checked_hop
from earmark.outputs.roles import ROLES
from earmark.outputs.sounds import dtype_of, is_array
from earmark.outputs.unfold import Path

Selector: TypeAlias = str | int | Callable[[Any, Any], Any]
"""Where a value is: a key, a dotted path, an index, or a function of `(outputs, batch)`."""

LengthsSelector: TypeAlias = str | int | Sequence[Any] | Callable[[Any, Any], Any]
"""Where lengths are; with `(selector, hop_length)`, integers count frames of so many samples."""

_PLACES = ("outputs", "batch")


def check_selector(name: str, selector: Any) -> None:
    """Refuse what selects nothing.

    Args:
        name: The argument's name.
        selector: Its value.

    Raises:
        ArgumentTypeError: If it is no key, path, index or function.
    """
    index = isinstance(selector, int) and not isinstance(selector, bool)
    if index or callable(selector) or (isinstance(selector, str) and selector):
        return
    more = ", or with a hop (key, hop_length)" if name.startswith("lengths") else ""
    raise ArgumentTypeError(
        f"expected {name} as a key, a path such as 'out.audio', an index, or a function of "
        f"(outputs, batch){more}, got {selector!r}"
    )


def split_lengths(name: str, lengths: Any) -> tuple[Selector, int | None]:
    """Take apart where lengths are, and the hop that they count, if any.

    Raises:
        ArgumentTypeError: If it is no selector, nor a pair of one and a hop.
        ArgumentError: If the hop is no positive integer.
    """
    pair = isinstance(lengths, tuple | list) and len(lengths) == 2
    where: Any
    where, hop = lengths if pair else (lengths, None)
    check_selector(name, where)
    return where, checked_hop(hop)


def check_lengths(lengths: Any) -> None:
    """Refuse what leads to no lengths, of all roles or of some by their names.

    Raises:
        ArgumentTypeError: If it is neither `None`, nor a selector, nor one with a hop.
        ArgumentError: If a hop is no positive integer.
    """
    if isinstance(lengths, Mapping):
        for role, one in lengths.items():
            split_lengths(f"lengths of {role!r}", one)
    elif lengths is not None:
        split_lengths("lengths", lengths)


def select(selector: Selector, outputs: Any, batch: Any, *, index_of: str = "outputs") -> list[Any]:
    """Find what a selector means in what a model returned and in what it was given.

    Args:
        selector: A key or path is looked for in the outputs, then in the batch; one that begins
            with `outputs` or `batch` in that one alone.
        outputs: What the model returned.
        batch: What it was given.
        index_of: What an index counts in: `"outputs"` or `"batch"`.

    Returns:
        What was found, in this order, at most one value in either place.
    """
    found: list[Any]
    if callable(selector):
        found = [selector(outputs, batch)]
    elif isinstance(selector, int):
        found = [_step(outputs if index_of == "outputs" else batch, selector)]
    else:
        found = [_follow(values, selector) for values in (outputs, batch)]
        place, _, rest = selector.partition(".")
        if place in _PLACES:
            values = outputs if place == "outputs" else batch
            found.append(_follow(values, rest) if rest else values)
    return [value for value in found if value is not None]


def in_samples(lengths: Any, hop_length: int | None) -> Any:
    """Make samples of lengths in frames of a hop; floats, which are relative, stay as they are."""
    if hop_length is None:
        return lengths
    if isinstance(lengths, list | tuple):
        return [in_samples(n, hop_length) for n in lengths]
    if isinstance(lengths, numbers.Integral):
        return int(lengths) * hop_length
    if not dtype_of(lengths).startswith(("int", "uint")):
        return lengths
    # a short integer would overflow
    wide = lengths.astype("int64") if hasattr(lengths, "astype") else lengths.long()
    return wide * hop_length


def argument(name: str, path: Path, place: str, *, index_of: str) -> str:
    """Write the argument that selects a value: `prediction="out.audio"`.

    Args:
        name: The argument's name.
        path: What leads to the value.
        place: `"outputs"` or `"batch"`.
        index_of: What an index of this argument counts in.
    """
    if len(path) == 1 and isinstance(path[0], int) and place == index_of:
        return keyword(name, str(path[0]))
    keys = path if path and isinstance(path[0], str) else (place, *path)
    return keyword(name, f'"{".".join(map(str, keys))}"')


def keyword(name: str, value: str) -> str:
    """Write an argument of the monitor; those of further roles are in `roles=`."""
    own = name in {*ROLES, "lengths"}
    return f"{name}={value}" if own else f"roles={{{name!r}: {value}}}"


def _follow(values: Any, path: str) -> Any:
    """Follow a path; a key may itself have dots in it."""
    found = _step(values, path)
    if found is not None:
        return found
    for head, tail in _splits(path):
        inner = _step(values, head)
        found = None if inner is None else _follow(inner, tail)
        if found is not None:
            return found
    return None


def _splits(path: str) -> Iterator[tuple[str, str]]:
    for at, char in enumerate(path):
        if char == ".":
            yield path[:at], path[at + 1 :]


def _step(values: Any, key: str | int) -> Any:
    if hasattr(values, "keys"):
        if key in values.keys():  # noqa: SIM118 - may be no mapping
            return values[key]
        # a ModelOutput of transformers is a tuple, too
        values = values.to_tuple() if hasattr(values, "to_tuple") else values
    index = _as_index(key)
    if index is not None:
        sized = isinstance(values, tuple | list) and -len(values) <= index < len(values)
        return values[index] if sized else None
    if not isinstance(key, str) or is_array(values) or isinstance(values, Mapping):
        return None  # an array's own attributes, such as `data`, are none of the user's
    found = getattr(values, key, None) if key.isidentifier() else None
    return None if callable(found) else found


def _as_index(key: str | int) -> int | None:
    if isinstance(key, numbers.Integral):
        return int(key)
    return int(key) if str(key).removeprefix("-").isdecimal() else None
