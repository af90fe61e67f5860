"""Lengths of padded sounds: in samples, relative to the longest, or in frames of a hop."""

from __future__ import annotations

import numbers
import reprlib
from typing import Any

from earmark.errors import ArgumentError, ArgumentTypeError, ShapeError


def checked_hop(hop_length: Any) -> int | None:
    """Make sure that a hop is a number of samples.

    Args:
        hop_length: The samples between two frames that integer lengths count; `None` where they
            count samples.

    Raises:
        ArgumentError: If it is no positive integer.
    """
    if hop_length is None:
        return None
    whole = not isinstance(hop_length, bool) and isinstance(hop_length, numbers.Integral)
    if not whole or hop_length < 1:
        raise ArgumentError(
            f"expected hop_length as a positive integer, the samples between two frames that "
            f"lengths count, got {hop_length!r}: leave it out where lengths count samples"
        )
    return int(hop_length)


def num_frames(length: Any, total: int, hop_length: int | None = None) -> int:
    """Say how many leading frames of a padded sound are sound.

    Args:
        length: An integer counts samples, or hops where `hop_length` is given; a float in (0, 1]
            is relative to `total`.
        total: The padded sound's number of frames; the result is never more, since a model may
            well return less than it was given.
        hop_length: The samples between two frames that the integers count.

    Raises:
        ArgumentTypeError: If the length is no number.
        ShapeError: If the length leaves no frames, or is a relative one above 1.
    """
    if isinstance(length, bool) or not isinstance(length, numbers.Real):
        raise ArgumentTypeError(
            f"expected each length as an integer (samples, or frames with hop_length=) or a float "
            f"in (0, 1] (relative), got {reprlib.repr(length)}: sum a mask to get lengths"
        )
    if not isinstance(length, numbers.Integral):
        part = float(length)
        if not 0 < part <= 1:
            raise ShapeError(
                f"expected a relative length in (0, 1], got {part!r}: pass integers to count "
                "samples, and skip empty sounds"
            )
        return max(1, round(part * total))
    frames = int(length) * (hop_length or 1)
    if frames <= 0:
        raise ShapeError(f"expected a positive length in samples, got {frames}: skip empty sounds")
    return min(frames, total)
