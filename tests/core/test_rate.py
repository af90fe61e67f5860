from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from earmark.errors import SampleRateError
from earmark.rate import agreed_rate, checked_rate, is_rate, missing_rate

RATES = [
    pytest.param(16_000, id="int"),
    pytest.param(16_000.0, id="integral float"),
    pytest.param(np.int64(16_000), id="numpy int64"),
    pytest.param(np.uint16(16_000), id="numpy uint16"),
    pytest.param(np.float32(16_000), id="numpy float32"),
    pytest.param(np.longdouble(16_000), id="numpy longdouble"),
    pytest.param(np.array(16_000), id="0-d array"),
    pytest.param(np.array(16_000, dtype=">i4"), id="big-endian 0-d array"),
    pytest.param(Fraction(32_000, 2), id="Fraction"),
]

# What a message shows of them: the values.
NO_RATES: dict[str, object] = {
    "0 (int)": 0,
    "-1 (int)": -1,
    "22050.5 (float)": 22_050.5,
    "nan (float)": float("nan"),
    "inf (float)": float("inf"),
    "2147483648 (int)": 2**31,
    "a very long number (int)": 10**5000,
    "'16000' (str)": "16000",
    "b'16000' (bytes)": b"16000",
    "True (bool)": True,
    "True_ (bool": np.True_,
    "(16000+0j) (complex)": 16_000 + 0j,
    "(complex64)": np.complex64(16_000),
    "[16000] (list)": [16_000],
    "(16000,) (tuple)": (16_000,),
    "{} (dict)": {},
    "array([16000]) (ndarray)": np.array([16_000]),
    "array('16000', dtype='<U5') (ndarray)": np.array("16000"),
    "array(None, dtype=object) (ndarray)": np.array(None),
    "masked (MaskedConstant)": np.ma.masked,
    "(timedelta64)": np.timedelta64(16_000, "s"),
    "Decimal('16000') (Decimal)": Decimal(16_000),
}


@pytest.mark.parametrize("rate", RATES)
def test_any_single_integral_number_is_a_rate(rate: object) -> None:
    """Integers, integral floats, numpy scalars and 0-d arrays become a plain int."""
    checked = checked_rate(rate)
    assert type(checked) is int
    assert checked == 16_000


@pytest.mark.parametrize("rate", [1, 2**31 - 1])
def test_rates_may_be_all_that_a_header_holds(rate: int) -> None:
    """The extremes of a WAV header are rates like any other."""
    assert checked_rate(rate) == rate


@pytest.mark.parametrize(("got", "rate"), NO_RATES.items(), ids=NO_RATES)
def test_anything_else_is_an_error_that_says_what_came(got: str, rate: object) -> None:
    """What is no positive integer is refused with expectation, finding and the way out."""
    with pytest.raises(SampleRateError) as caught:
        checked_rate(rate)
    message = str(caught.value)
    assert message.startswith("expected a sample rate in Hz, a positive integer such as 16000, got")
    assert got in message
    assert message.endswith(": pass the rate at which the samples were made (22.05 kHz is 22050)")


def test_something_shaped_like_a_number_that_is_none_is_refused() -> None:
    """An object that only claims to be 0-d is refused, not passed on with its own exception."""

    class Meta:
        shape = ()

        def item(self) -> float:
            raise RuntimeError("no data")

    class Hollow:
        shape = ()

    for value in (Meta(), Hollow()):
        assert is_rate(value)
        with pytest.raises(SampleRateError, match=r"expected a sample rate .* got <"):
            checked_rate(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (16_000, True),
        (0.5, True),
        (np.int64(1), True),
        (np.array(1), True),
        (True, False),
        ("16000", False),
        (None, False),
        ([1], False),
        (np.zeros(1), False),
    ],
)
def test_a_rate_is_told_from_samples_by_being_a_single_number(
    value: object,
    expected: bool,
) -> None:
    """The second item of a pair is a rate if it is one number, whatever its type."""
    assert is_rate(value) is expected


def test_a_sound_and_its_owner_agree_on_a_rate() -> None:
    """What one of them says holds; what both say has to be the same."""
    assert [agreed_rate(*pair) for pair in ((None, None), (8000, None), (None, 8000.0))] == [
        None,
        8000,
        8000,
    ]
    assert agreed_rate(8000, np.int64(8000)) == 8000
    message = (
        "expected the sample rate that the sound itself has, 8000 Hz, got 16000 Hz: leave "
        "sample_rate out, or resample the sound first"
    )
    with pytest.raises(SampleRateError, match=f"^{re.escape(message)}$"):
        agreed_rate(8000, 16_000)


@pytest.mark.parametrize(
    ("given", "way_out"),
    [
        (None, "16000, or"),
        ({}, "{'target': ...},"),
        ({"input": 8000, "target": None}, "{'input': 8000, 'target': ...},"),
    ],
    ids=str,
)
def test_the_way_out_of_a_missing_rate_is_written_as_it_is_given(given: Any, way_out: str) -> None:
    """Where rates are given by role, the message names the role that none is given for."""
    assert str(missing_rate("target", given)) == (
        "expected a sample rate in Hz beside raw samples, got none: pass "
        f"sample_rate={way_out} whatever these samples have"
    )
