"""Sample rates: positive integers in Hz, whatever type they come in."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
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


def agreed_rate(known: int | None, given: Any) -> int | None:
    """Bring the rate that a sound itself has and the one that is given together.

    Args:
        known: What the sound says, in Hz, if it does.
        given: What its owner says, if they do.

    Returns:
        The rate in Hz; `None` if nobody says one.

    Raises:
        SampleRateError: If the two differ, or the given one is impossible.
    """
    if given is None:
        return known
    rate = checked_rate(given)
    if known is not None and known != rate:
        raise SampleRateError(
            f"expected the sample rate that the sound itself has, {known} Hz, got {rate} Hz: "
            "leave sample_rate out, or resample the sound first"
        )
    return rate


def missing_rate(role: str = "prediction", given: Any = None) -> SampleRateError:
    """Make the error of raw samples that have no rate.

    Args:
        role: What they are, for example `"prediction"`.
        given: The rates that are given by role, if they are.
    """
    way_out = "16000, or"
    if isinstance(given, Mapping):
        named = "".join(f"{name!r}: {rate}, " for name, rate in given.items() if rate is not None)
        way_out = f"{{{named}{role!r}: ...}},"
    return SampleRateError(
        "expected a sample rate in Hz beside raw samples, got none: pass "
        f"sample_rate={way_out} whatever these samples have"
    )


def _is_real(number: object) -> bool:
    return not isinstance(number, bool) and isinstance(number, numbers.Real)


def _refused(value: Any) -> SampleRateError:
    return SampleRateError(
        f"expected a sample rate in Hz, a positive integer such as 16000, got {shown(value)}: pass "
        "the rate at which the samples were made (22.05 kHz is 22050)"
    )
