"""The rate of each role: given for all or for some, else the sound's own, else the one found."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from earmark import Audio
from earmark.errors import SampleRateError
from earmark.role_rates import RoleRates, checked_rates

SOUNDS = np.zeros((2, 64), np.float32)


def test_a_role_that_is_named_is_given_its_rate() -> None:
    """Its stems too, unless they are named themselves; nobody else is."""
    rates = RoleRates({"input": 8000, "prediction": 16_000, "prediction.rest": 48_000})
    roles = ["input", "target", "prediction.voice", "prediction.rest", "inputs"]
    assert rates.given_to(roles) == {
        "input": 8000,
        "prediction.voice": 16_000,
        "prediction.rest": 48_000,
    }
    assert RoleRates(8000, found=16_000).given_to(["input", "other"]) == {
        "input": 8000,
        "other": 8000,
    }
    assert RoleRates(found=16_000).given_to(["input"]) == {}


@pytest.mark.parametrize(
    ("rates", "came", "rate"),
    [
        (RoleRates(found=16_000), 24_000, 24_000),
        (RoleRates({"input": 8000}), 24_000, 24_000),
        (RoleRates({"target": 8000}, 16_000), None, 16_000),
    ],
    ids=["came, and found", "came, and given", "found"],
)
def test_sounds_have_their_own_rate_or_the_one_found(
    rates: RoleRates, came: int | None, rate: int
) -> None:
    """The rate found is for those alone that say none, and that none is given to."""
    sounds, paired = rates.paired("input", SOUNDS, came)
    assert sounds is SOUNDS
    assert paired == rate


@pytest.mark.parametrize(
    "rates",
    [RoleRates({"input": 8000}, 16_000), RoleRates(8000), RoleRates({"target": 8000})],
    ids=["given to the role", "given to all", "given to another"],
)
def test_what_no_rate_is_found_for_stays_as_it_is(rates: RoleRates) -> None:
    """A rate that is given goes its own way, to be compared with what the sounds say."""
    assert rates.paired("input", SOUNDS, None) is SOUNDS


def test_each_sound_of_a_list_may_have_its_own_rate() -> None:
    """Pairs and sounds of known types keep theirs beside arrays, which say none."""
    one, audio = SOUNDS[0], Audio(SOUNDS[0], 24_000)
    pair = (one, 48_000)
    raw, kept, known = RoleRates(found=16_000).paired("input", [one, pair, audio], None)
    assert raw[0] is one
    assert raw[1] == 16_000
    assert (kept, known) == (pair, audio)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        (np.int64(8000), 8000),
        ({"input": 8000.0, "target": np.array(16_000)}, {"input": 8000, "target": 16_000}),
    ],
    ids=["none", "one", "by role"],
)
def test_rates_become_plain_integers(given: Any, expected: Any) -> None:
    """Whatever kind of number they were."""
    assert checked_rates(given) == expected


@pytest.mark.parametrize("given", [0, {"input": "16k"}], ids=["one", "by role"])
def test_an_impossible_rate_is_refused(given: Any) -> None:
    """For all roles, and for one."""
    message = "expected a sample rate in Hz, a positive integer such as 16000, got"
    with pytest.raises(SampleRateError, match=f"^{re.escape(message)}"):
        checked_rates(given)
