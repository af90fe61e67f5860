"""Which examples of each tag are chosen, kept and missed, on one rank and on many."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch

from earmark.choice import Choice
from earmark.errors import ArgumentError, ArgumentTypeError
from earmark.ranks import Drawn, Ranks
from tests.core.monitor_loops import drawn, told


def picked(choice: Choice, batch: Any, count: int, tag: str = "val") -> list[str]:
    """The names of what is picked of a batch of the first items."""
    items = drawn(count)
    names = choice.names(tag, batch, items)
    return [names[position] for position in choice.pick(tag, names, items)]


def test_each_tag_keeps_its_own_examples() -> None:
    """The first ones, wherever the next loop has them."""
    choice = Choice(max_examples=2)
    assert picked(choice, {"id": ["a", "b", "c"]}, 3) == ["a", "b"]
    assert not choice.wants("val", None)
    assert picked(choice, {"id": ["d", "e"]}, 2, "test") == ["d", "e"]
    choice.restart()
    assert picked(choice, {"id": ["c", "b", "a"]}, 3) == ["b", "a"]


@pytest.mark.parametrize(
    ("examples", "ids", "expected"),
    [
        (["x2"], ["x0", "x1", "x2"], ["x2"]),
        ([1, 2], None, ["1", "2"]),
        ([1], ["x0", "x1", "x2"], ["1"]),
        ([11], [10, 11, 12], ["11"]),
    ],
    ids=["identity", "indices", "index beside names", "number as identity"],
)
def test_examples_are_asked_for_by_identity_or_index(
    examples: list[Any], ids: list[Any] | None, expected: list[str]
) -> None:
    """Numbers are indices, beside identities that are none; those that are, come first."""
    batch = None if ids is None else {"id": ids}
    assert picked(Choice(examples=examples), batch, 3) == expected


@pytest.mark.parametrize(
    ("given", "alone", "shared"),
    [
        ({"max_examples": 8}, 8, 8),
        ({"max_examples": 8, "ranks": Ranks("shard", 1, 3)}, 8, 3),
        ({"examples": [0, 7]}, 8, 8),
        ({"examples": [0, 7], "ranks": Ranks("zero", 0, 3)}, 8, 3),
        ({"examples": ["utt-7"]}, math.inf, math.inf),
    ],
    ids=["first", "first of a shard", "indices", "indices in shares", "identities"],
)
def test_all_that_may_be_logged_is_within_reach(
    given: dict[str, Any], alone: float, shared: float
) -> None:
    """Among so many items of a rank; where an identity is in the data, nobody knows."""
    choice = Choice(**given)
    assert choice.reach(is_shared=False) == alone
    assert choice.reach(is_shared=True) == shared


def test_examples_that_nobody_has_are_told_where_all_are_seen() -> None:
    """A rank of several knows only its own."""
    choice = Choice(examples=[0, 7])
    picked(choice, None, 2)
    with told("earmark: expected the examples '7', got none of them up to step 3: pass identities"):
        choice.tell_of_missing(3)
    spread = Choice(examples=[0, 7], ranks=Ranks("zero", 0, 2))
    picked(spread, None, 2)
    spread.tell_of_missing(4)
    assert spread.notices.total == 0


def test_other_data_are_chosen_from_anew() -> None:
    """Once a loop came to none of the chosen examples; those that were asked for stay."""
    choice, fixed = Choice(max_examples=1), Choice(examples=["a"])
    for one in (choice, fixed):
        picked(one, {"id": ["a", "b"]}, 2)
        one.restart()
        assert picked(one, {"id": ["c", "d"]}, 2) == []
    with told("earmark: none of the val examples that were chosen before, such as 'a', came up at"):
        choice.forget_lost(5)
    fixed.forget_lost(5)
    for one, expected in ((choice, ["c"]), (fixed, [])):
        one.restart()
        assert picked(one, {"id": ["c", "d"]}, 2) == expected


def test_a_state_of_plain_values_carries_the_choice_on() -> None:
    """Through JSON, on the rank that it is of; what is asked for comes before it."""
    first = Choice(max_examples=2)
    picked(first, {"id": ["a", "b", "c"]}, 3)
    state = json.loads(json.dumps(first.state()))
    assert state == {"examples": {"val": ["a", "b"]}, "world_size": 1}
    for choice, expected in ((Choice(max_examples=2), ["b"]), (Choice(examples=["c"]), ["c"])):
        choice.restore(state)
        assert picked(choice, {"id": ["c", "b"]}, 2) == expected


def test_identities_on_a_device_are_told_of_once() -> None:
    """The examples have their places in the data set for names."""
    choice = Choice(max_examples=2)
    batch = {"id": torch.zeros(2, dtype=torch.int64, device="meta")}
    message = (
        "earmark: the 'id' of the val batches is not read from its device, since that would hold "
        "the training: give each item its identity as text"
    )
    with told(message) as warned:
        for _ in range(2):
            choice.restart()
            assert picked(choice, batch, 2) == ["0", "1"]
    assert len(warned) == 1


def test_a_loader_that_says_nothing_of_its_items_is_told_of() -> None:
    """Its examples are named by their position."""
    choice = Choice()
    with told("earmark: the val loader does not say which items it draws"):
        assert choice.names("val", None, Drawn(range(4, 6))) == ["4", "5"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"max_examples": 0}, ArgumentError, r"^expected max_examples of 1 or more, got 0: to"),
        ({"max_examples": True}, ArgumentTypeError, r"^expected max_examples as an integer, got"),
        ({"examples": []}, ArgumentError, r"^expected one example or more, got none: to switch"),
    ],
    ids=str,
)
def test_an_impossible_choice_is_refused(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    """At once, by the constructor."""
    with pytest.raises(error, match=message):
        Choice(**given)
