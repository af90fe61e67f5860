"""Types of outputs and batches that users say how to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from earmark.errors import ArgumentTypeError, shown

_registered: dict[type, Callable[[Any], Mapping[str, Any]]] = {}


def register_output(kind: type, unfold: Callable[[Any], Mapping[str, Any]]) -> None:
    """Say which sounds a type of outputs, or of batches, holds.

    Args:
        kind: The type; what derives from it is covered too.
        unfold: A function from such a value to its sounds by role, for example
            `lambda output: {"prediction": output.wav}`; `sample_rate` and, for example,
            `prediction_lengths` may stand beside them.

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


def registered(value: Any) -> dict[str, Any] | None:
    """Take a value apart as its type, or the nearest above it, was registered.

    Returns:
        Its sounds by role, and maybe their lengths and sample rate beside them, without `None`s;
        `None` if the type is not registered.

    Raises:
        ArgumentTypeError: If the function that was registered returned no mapping.
    """
    unfold = next((_registered[kind] for kind in type(value).__mro__ if kind in _registered), None)
    if unfold is None:
        return None
    found: object = unfold(value)
    if not isinstance(found, Mapping):
        raise ArgumentTypeError(
            f"expected sounds by role from the function that {type(value).__name__} was registered "
            f"with, got {shown(found)}: return {{'prediction': sound}}"
        )
    return {str(role): sound for role, sound in found.items() if sound is not None}
