"""Stems: the sounds of a mixture, on an axis of their own or in a dict, each a role of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from earmark.errors import ArgumentError, ArgumentTypeError, ShapeError, shown
from earmark.outputs.sounds import Sounds, axes, fits, shape_of
from earmark.outputs.unfold import Leaf, Path


def checked_stems(stems: Any) -> tuple[str, ...] | None:
    """Make sure that stems are names.

    Args:
        stems: A list of names, in the order of the axis that holds them; `None` for no stems.

    Raises:
        ArgumentTypeError: If it is no list of names.
        ArgumentError: If there is none, or one comes twice.
    """
    if stems is None:
        return None
    if not isinstance(stems, list | tuple) or not all(isinstance(name, str) for name in stems):
        raise ArgumentTypeError(
            f"expected stems as a list of names, such as ['speech', 'noise'], got {shown(stems)}"
        )
    if not stems or len(set(stems)) != len(stems) or not all(stems):
        raise ArgumentError(
            f"expected the name of each stem once, got {shown(stems)}: name them all, differently"
        )
    return tuple(stems)


def stem_role(role: str, name: str) -> str:
    """The role of a stem: `prediction.speech`, which is heard beside `target.speech`."""
    return f"{role}.{name}"


def has_stems(sounds: Sounds, stems: Sequence[str]) -> bool:
    """Say whether the second axis is that of the stems: `(B, S, T)` or `(B, S, C, T)`."""
    shape = axes(sounds.value)
    return len(shape) in (3, 4) and shape[1] == len(stems)


def is_mixture(value: Any) -> bool:
    """Say whether a value has an axis that can only be that of stems: `(B, S, C, T)`."""
    shape = axes(value)
    return len(shape) == 4 and fits(Sounds(value), stems=shape[1])


def split_stems(role: str, sounds: Sounds, stems: Sequence[str]) -> dict[str, Sounds]:
    """Give each stem of a batch a role of its own; they are views, nothing is copied.

    Raises:
        ShapeError: If there are not as many stems as names.
    """
    if not has_stems(sounds, stems):
        shape = shape_of(sounds.value)
        got = f"shape {shape}" if shape is not None else shown(sounds.value)
        raise ShapeError(
            f"expected the {role} as {len(stems)} stems, {', '.join(stems)}, of shape (B, "
            f"{len(stems)}, T) or (B, {len(stems)}, C, T), or a dict of them, got {got}: name "
            f"every stem of the second axis, or write AudioMonitor({role}=lambda outputs, batch: "
            "...) to move them there"
        )
    return {
        stem_role(role, name): replace(sounds, value=sounds.value[:, index])
        for index, name in enumerate(stems)
    }


def stem_dicts(found: Sequence[Leaf], stems: Sequence[str]) -> dict[Path, dict[str, Sounds]]:
    """Find the dicts that hold a sound under the name of every stem, by what leads there."""
    holders: dict[Path, dict[str, Sounds]] = {}
    for leaf in found:
        if leaf.path and leaf.path[-1] in stems and leaf.sounds and fits(leaf.sounds):
            holders.setdefault(leaf.path[:-1], {})[leaf.path[-1]] = leaf.sounds
    return {path: held for path, held in holders.items() if set(stems) == held.keys()}
