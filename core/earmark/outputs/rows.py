"""Rows: some of the examples of a batch, of whatever it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def decode_rows(decode: Callable[[Any], Any], value: Any, picked: Sequence[int]) -> Any:
    """Decode some examples of a batch, and no others.

    Args:
        decode: A vocoder, a codec's decoder, an inverse STFT: from a batch to a batch of sounds.
        value: What it decodes; see `rows`.
        picked: The positions of the examples.

    Returns:
        What `decode` returned: a batch of as many sounds as are picked.
    """
    return decode(rows(value, picked))
