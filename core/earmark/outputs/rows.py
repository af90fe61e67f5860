"""Rows: some of the examples of a batch, of whatever it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def rows(value: Any, picked: Sequence[int]) -> Any:
    """Pick some examples of a batch.

    Args:
        value: A tensor or an array, the first axis that of the batch; or a list or tuple with an
            entry for each example.
        picked: Their positions.

    Returns:
        The same with as many rows as are picked. A run of neighbours is a view of a tensor or an
        array, without a copy.
    """
    if isinstance(value, list | tuple):
        return [value[position] for position in picked]
    first = picked[0] if picked else 0
    if list(picked) == list(range(first, first + len(picked))):
        return value[first : first + len(picked)]
    return value[list(picked)]


def own_rows(value: Any, picked: Sequence[int]) -> Any:
    """Pick some examples of a batch for somebody who may change them in place.

    Args:
        value: A batch; see `rows`.
        picked: The positions of the examples.

    Returns:
        The same as of `rows`, but a copy of each tensor and array.
    """
    part = rows(value, picked)
    return [_copied(item) for item in part] if isinstance(part, list) else _copied(part)


def _copied(value: Any) -> Any:
    copy = getattr(value, "clone", None) or getattr(value, "copy", None)
    return value if copy is None else copy()
