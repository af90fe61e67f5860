"""Sample rates: positive integers in Hz, whatever type they come in."""

from __future__ import annotations

import numbers
from typing import Any

from earmark.errors import SampleRateError, shown

_MAX_RATE = 2**31 - 1


def is_rate(value: Any) -> bool:
    """Say whether a value is a single number, and so may be a sample rate."""
    if isinstance(value, bool):
        return False
    return isinstance(value, numbers.Number) or getattr(value, "shape", None) == ()


def checked_rate(value: Any) -> int:
    """Make a plain integer of a sample rate.

    Args:
        value: An int, an integral float, a numpy scalar or a 0-d tensor.

    Returns:
        The rate in Hz.

    Raises:
        SampleRateError: If it is no positive integer, or more than a file's header holds.
    """
    try:
        number = value.item() if getattr(value, "shape", None) == () else value
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise _refused(value) from error
    if not _is_real(number) or not 0 < number <= _MAX_RATE or number != int(number):
        raise _refused(value)
    return int(number)


def _is_real(number: object) -> bool:
    return not isinstance(number, bool) and isinstance(number, numbers.Real)


def _refused(value: Any) -> SampleRateError:
    return SampleRateError(
        f"expected a sample rate in Hz, a positive integer such as 16000, got {shown(value)}: pass "
        "the rate at which the samples were made (22.05 kHz is 22050)"
    )
