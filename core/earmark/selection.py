"""Which examples: the same few in every epoch, by their identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from earmark.errors import ArgumentError, ArgumentTypeError, shown
from earmark.outputs.unfold import by_name

ID_KEYS = ("id", "utt_id", "key", "path")
"""Keys of a batch under which its examples' identities are looked for, in this order."""


class Selection:
    """Picks the first examples it meets, and then the same ones in every loop.

    Args:
        max_examples: How many.
        chosen: The identities chosen so far, from an earlier part of the training.
        taken: Identities that are left to somebody else.

    Attributes:
        chosen: The identities chosen so far.
        seen: Those of them that this loop over the data has come to.
    """

    def __init__(
        self, max_examples: int, chosen: Sequence[str] = (), taken: Sequence[str] = ()
    ) -> None:
        self._max = max_examples
        self.chosen = list(chosen[:max_examples])
        self._taken = frozenset(taken)
        self.seen: set[str] = set()
        self._met_others = self._met_chosen = False

    @property
    def is_lost(self) -> bool:
        """Whether this loop came to examples, and to none of those chosen before."""
        return self._met_others and not self._met_chosen and not self.seen

    def restart(self) -> None:
        """Begin another loop over the data."""
        self.seen.clear()
        self._met_others = self._met_chosen = False

    def forget(self) -> None:
        """Choose anew, from the next loop on."""
        self.chosen.clear()

    def wants(self, identities: Sequence[str] | None = None) -> bool:
        """Say whether examples of this loop are still to come, and maybe among these."""
        if len(self.seen) >= self._max:
            return False
        if identities is None or len(self.chosen) < self._max:
            return True
        self._meet(identities)
        return any(name in self.chosen and name not in self.seen for name in identities)

    def pick(
        self, identities: Sequence[str | None], may_choose: Sequence[bool] | None = None
    ) -> list[int]:
        """Say which positions of a batch to log; each example once in a loop.

        Args:
            identities: Of each example; `None` for one that is not to be logged.
            may_choose: Of each, whether it may be chosen, if it was not before.
        """
        self._meet([name for name in identities if name is not None])
        return [
            position
            for position, name in enumerate(identities)
            if name is not None and self._take(name, may_choose is None or may_choose[position])
        ]

    def _meet(self, names: Sequence[str]) -> None:
        chosen = [name in self.chosen for name in names]
        self._met_chosen = self._met_chosen or any(chosen)
        self._met_others = self._met_others or not all(chosen)

    def _take(self, name: str, may_choose: bool) -> bool:  # noqa: FBT001 - private, and one call
        if name in self.seen:
            return False
        if name not in self.chosen:
            if not may_choose or name in self._taken or len(self.chosen) >= self._max:
                return False
            self.chosen.append(name)
        self.seen.add(name)
        return True


def checked_examples(examples: Any) -> list[str] | None:
    """Make identities of the examples that are asked for.

    Raises:
        ArgumentTypeError: If it is no list of texts or integers.
        ArgumentError: If it is empty.
    """
    if examples is None:
        return None
    if (
        isinstance(examples, str)
        or not isinstance(examples, Sequence)
        or not all(isinstance(name, str | int) and not isinstance(name, bool) for name in examples)
    ):
        raise ArgumentTypeError(
            "expected examples as a list of identities or indices in the data set, such as "
            f"['utt-7', 'utt-8'] or [0, 12], got {shown(examples)}: for how many, pass "
            "max_examples=8"
        )
    if not examples:
        raise ArgumentError(
            "expected one example or more, got none: to switch logging off pass enabled=False"
        )
    return [str(name) for name in dict.fromkeys(examples)]


def batch_ids(batch: Any) -> list[str] | None:
    """Find the identities that a batch gives its examples; `None` if it gives none.

    Args:
        batch: Columns by name, in whatever has names: under one of `ID_KEYS` a list of texts or
            integers, or a tensor of integers on this machine.
    """
    named = by_name(batch)
    if not isinstance(named, Mapping):
        return None
    for key in ID_KEYS:
        names = _names(named.get(key))
        if names is not None:
            return names
    return None


def ids_on_device(batch: Any) -> str | None:
    """The key of identities that are in a batch, but not on this machine; `None` if there is none.

    Reading them would wait for the device.
    """
    named = by_name(batch)
    if not isinstance(named, Mapping):
        return None
    columns = ((key, named.get(key)) for key in ID_KEYS)
    return next((key for key, column in columns if _are_numbers_on_device(column)), None)


def _are_numbers_on_device(column: Any) -> bool:
    is_column = getattr(column, "ndim", 0) == 1 and "int" in str(getattr(column, "dtype", ""))
    return is_column and _is_on_device(column)


def _is_on_device(column: Any) -> bool:
    return getattr(getattr(column, "device", None), "type", "cpu") != "cpu"


def _names(column: Any) -> list[str] | None:
    if _is_on_device(column):
        return None
    listed = column.tolist() if getattr(column, "ndim", 0) == 1 else column
    if not isinstance(listed, list | tuple) or not listed:
        return None
    return [str(name) for name in listed] if all(map(_is_name, listed)) else None


def _is_name(value: Any) -> bool:
    return isinstance(value, str | int) or hasattr(value, "__fspath__")


def batch_size(batch: Any) -> int:
    """Say how many examples a batch holds: the length of the first column in it, else 1.

    A list of sounds of different lengths has no columns, but one example in each of its places.
    """
    shape = getattr(batch, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) > 0 else 1
    columns: list[Any] = []
    if isinstance(batch, Mapping):
        columns = list(batch.values())
    elif isinstance(batch, list | tuple):
        if all(isinstance(item, str | int | float) for item in batch) or _is_ragged(batch):
            return len(batch)
        columns = list(batch)
    sized = (column for column in columns if hasattr(column, "__len__") and not _is_text(column))
    first = next((column for column in sized if getattr(column, "shape", True) != ()), None)
    return 1 if first is None else batch_size(first)


def _is_ragged(batch: Sequence[Any]) -> bool:
    shapes = {getattr(item, "shape", ()) for item in batch}
    return len(shapes) > 1 and all(len(shape) == 1 for shape in shapes)


def _is_text(value: Any) -> bool:
    return isinstance(value, str | bytes)
