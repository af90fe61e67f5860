from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from earmark.errors import ArgumentError, ArgumentTypeError
from earmark.outputs.selector import (
    argument,
    check_lengths,
    check_selector,
    in_samples,
    select,
    split_lengths,
)


@pytest.mark.parametrize("wrong", [None, "", True, 1.5, ["wav"], ("wav", 256)])
def test_what_selects_nothing_is_refused(wrong: Any) -> None:
    """A selector is a key, a path, an index or a function."""
    message = (
        "expected target as a key, a path such as 'out.audio', an index, or a function of "
        f"(outputs, batch), got {wrong!r}"
    )
    with pytest.raises(ArgumentTypeError, match=f"^{re.escape(message)}$"):
        check_selector("target", wrong)


def test_what_leads_to_no_lengths_is_refused() -> None:
    """For all roles or for one; nothing at all is no mistake."""
    check_lengths(None)
    check_lengths(("n", 256))
    check_lengths({"prediction": ("n", 256), "target": "m"})
    with pytest.raises(ArgumentTypeError, match=r"^expected lengths of 'target' as a key"):
        check_lengths({"prediction": "n", "target": None})
    with pytest.raises(ArgumentTypeError, match=r"^expected lengths as a key"):
        check_lengths(0.5)


def test_lengths_may_count_frames_of_a_hop() -> None:
    """A pair of a selector and a hop; a hop is a positive integer."""
    assert split_lengths("lengths", "n") == ("n", None)
    assert split_lengths("lengths", ("n", 256)) == ("n", 256)
    with pytest.raises(ArgumentTypeError, match=r"or with a hop \(key, hop_length\), got None$"):
        split_lengths("lengths", None)
    with pytest.raises(ArgumentError, match=r"^expected hop_length as a positive integer"):
        split_lengths("lengths", ("n", 0))


def test_frames_become_samples_and_parts_stay() -> None:
    """Of a list of any numbers and of an array, however few bits; floats are relative."""
    assert in_samples([10, 300], 256) == [2560, 76_800]
    assert in_samples([0.5, 1.0], 256) == [0.5, 1.0]
    np.testing.assert_array_equal(in_samples(np.array([200, 255], "uint8"), 256), [51_200, 65_280])
    assert in_samples([np.int16(200), np.float32(0.5)], 256) == [51_200, 0.5]
    relative = np.array([0.5, 1.0])
    assert in_samples(relative, 256) is relative


def test_keys_come_before_paths_and_paths_before_attributes() -> None:
    """A key with a dot in it is a key; an array's own attributes are out of reach."""
    array = np.zeros(3)
    values = {"a.b": 1, "a": {"b": 2, "c": OrderedDict(d=3)}, "array": array, "0": 4}

    assert select("a.b", values, None) == [1]
    assert select("a.c.d", values, None) == [3]
    assert select("0", values, None) == [4]
    for nowhere in ("array.data", "array.0", "keys", "a.items", "a.", ".a", "a..b", "b"):
        assert select(nowhere, values, None) == []


def test_both_places_are_looked_into() -> None:
    """The outputs first, and one alone where the path says so."""
    assert select("a", {"a": 1}, {"a": 2}) == [1, 2]
    assert select("batch.a", {"a": 1}, {"a": 2}) == [2]
    assert select("outputs", 1, 2) == [1]
    assert select(-1, (1, 2), (3, 4), index_of="batch") == [4]
    assert select(2, (1, 2), (3, 4)) == []


def test_an_argument_is_written_as_it_is_read() -> None:
    """What a message tells the user to write selects what it speaks of."""
    outputs, batch = ({"wav": 1}, 2), {"x": (3, 4)}
    for name, path, place, expected in (
        ("prediction", (0, "wav"), "outputs", 'prediction="outputs.0.wav"'),
        ("prediction", (1,), "outputs", "prediction=1"),
        ("target", (1,), "outputs", 'target="outputs.1"'),
        ("target", ("x", 1), "batch", 'target="x.1"'),
        ("echo", (1,), "outputs", "roles={'echo': 1}"),
    ):
        index_of = "batch" if name == "target" else "outputs"
        written = argument(name, path, place, index_of=index_of)
        assert written == expected
        selector = eval(written.partition("=")[2])  # noqa: S307 - our own words
        selector = selector[name] if isinstance(selector, dict) else selector
        (value,) = select(selector, outputs, batch, index_of=index_of)
        holder: Any = outputs if place == "outputs" else batch
        for key in path:
            holder = holder[key]
        assert value == holder
