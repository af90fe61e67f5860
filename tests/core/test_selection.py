"""Which examples are logged: the first ones, by their identity, and the same ones every time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark.selection import ID_KEYS, Selection, batch_ids, batch_size, ids_on_device


def test_the_first_examples_are_picked_over_several_batches() -> None:
    """Three of four are taken, in their order, whichever batches they come in."""
    selection = Selection(3)
    assert selection.pick(["a", "b"]) == [0, 1]
    assert selection.pick(["c", "d"]) == [0]
    assert selection.chosen == ["a", "b", "c"]


def test_the_same_examples_are_picked_in_any_later_order() -> None:
    """In the next loop the chosen ones are found wherever they are."""
    selection = Selection(2)
    selection.pick(["a", "b", "c"])
    selection.restart()
    assert selection.pick(["c", "b"]) == [1]
    assert selection.pick(["d", "a"]) == [1]


def test_an_example_is_picked_once_in_a_loop() -> None:
    """A sampler that repeats an item does not repeat its clips."""
    selection = Selection(4)
    assert selection.pick(["a", "a", "b"]) == [0, 2]
    assert selection.pick(["b", "a", "c"]) == [2]


def test_missing_examples_are_not_replaced() -> None:
    """A loop that comes without a chosen example is not filled up with another one."""
    selection = Selection(2)
    selection.pick(["a", "b"])
    selection.restart()
    assert selection.pick(["b", "c", "d"]) == [0]


def test_a_later_loop_fills_up_the_choice() -> None:
    """A first loop with few examples leaves room for those of the next one."""
    selection = Selection(2)
    selection.pick(["a"])
    selection.restart()
    assert selection.pick(["b", "a", "c"]) == [0, 1]


def test_a_choice_is_lost_with_all_of_its_examples() -> None:
    """It is then made anew; it is not while one of them is there, or before anything is."""
    selection = Selection(2)
    selection.pick(["a", "b"])
    for names, is_lost in (([], False), (["b", "c"], False), (["c", "d"], True)):
        selection.restart()
        assert selection.wants(names) == ("b" in names)
        assert selection.is_lost == is_lost
        selection.restart()
        selection.pick(names)
        assert selection.is_lost == is_lost
    selection.forget()
    selection.restart()
    assert selection.pick(["c", "d"]) == [0, 1]
    assert not selection.is_lost


def test_nothing_is_wanted_once_all_have_come() -> None:
    """A loop ends early for the monitor, and begins again with the next one."""
    selection = Selection(1)
    assert selection.wants()
    selection.pick(["a"])
    assert not selection.wants()
    selection.restart()
    assert selection.wants()


def test_a_batch_is_wanted_for_the_chosen_examples_in_it() -> None:
    """Once the choice is made, batches without any of it are of no interest."""
    selection = Selection(1)
    assert selection.wants(["b"])
    selection.pick(["a"])
    selection.restart()
    assert not selection.wants(["b", "c"])
    assert selection.wants(["c", "a"])


def test_a_selection_goes_on_with_what_was_chosen() -> None:
    """What an earlier part of the training chose is chosen still."""
    assert Selection(2, ["x", "y"]).pick(["a", "y", "x", "b"]) == [1, 2]


@pytest.mark.parametrize("key", ID_KEYS)
def test_identities_are_found_under_each_key(key: str) -> None:
    """A batch says under any of the usual names who its examples are."""
    assert batch_ids({"audio": [0.0, 0.0], key: ["a", "b"]}) == ["a", "b"]


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ([7, 8], ["7", "8"]),
        (("a", "b"), ["a", "b"]),
        (np.array([7, 8]), ["7", "8"]),
        ([Path("x/a.wav"), Path("x/b.wav")], ["x/a.wav", "x/b.wav"]),
    ],
    ids=["integers", "tuple", "array", "paths"],
)
def test_identities_are_texts_whatever_they_were(column: Any, names: list[str]) -> None:
    """Numbers and paths name an example as well as texts do."""
    assert batch_ids({"id": column}) == names


@pytest.mark.parametrize(
    "batch",
    [
        {"id": [1.5, 2.5]},
        {"id": []},
        {"id": "one text for all"},
        {"id": np.zeros((2, 2), int)},
        {"text": ["a", "b"]},
        (["a", "b"],),
        None,
    ],
    ids=["floats", "empty", "one text", "matrix", "no key", "tuple", "nothing"],
)
def test_other_columns_are_no_identities(batch: Any) -> None:
    """What is not one name for each example is left alone."""
    assert batch_ids(batch) is None


def test_identities_on_a_device_are_not_waited_for() -> None:
    """A column that is not on this machine is not read."""

    class Column:
        device = type("Device", (), {"type": "cuda"})
        ndim = 1

        def tolist(self) -> list[int]:
            raise AssertionError("this would wait for the device")

    assert batch_ids({"id": Column()}) is None


def test_numbers_on_a_device_are_recognised() -> None:
    """By their shape and dtype alone; floats, matrices and what is here are something else."""

    class Column:
        def __init__(self, dtype: str, ndim: int, device: str) -> None:
            self.dtype, self.ndim = dtype, ndim
            self.device = type("Device", (), {"type": device})

    assert ids_on_device({"path": [1], "id": Column("torch.int64", 1, "cuda")}) == "id"
    for column in (
        Column("torch.float32", 1, "cuda"),
        Column("torch.int64", 2, "cuda"),
        Column("torch.int64", 1, "cpu"),
        ["a"],
    ):
        assert ids_on_device({"id": column}) is None
    assert ids_on_device(None) is None


def test_what_is_left_to_others_is_not_chosen() -> None:
    """Nor what may not be chosen, or has no identity; what was chosen before still is."""
    selection = Selection(3, ["a"], taken=["b"])
    assert selection.pick(["b", None, "c", "a", "d"], [True, True, False, False, True]) == [3, 4]
    assert selection.chosen == ["a", "d"]


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        pytest.param(np.zeros((4, 800)), 4, id="array"),
        pytest.param({"audio": np.zeros((4, 800)), "text": ["a"] * 4}, 4, id="mapping"),
        pytest.param({"step": 5, "text": ["a"] * 4}, 4, id="with a number"),
        pytest.param((np.zeros((4, 1, 800)), np.zeros((4, 1, 800))), 4, id="tuple"),
        pytest.param([["a", "b"], np.zeros((2, 800))], 2, id="list"),
        pytest.param(["a", "b", "c"], 3, id="texts"),
        pytest.param([np.zeros(800), np.zeros(700), np.zeros(800)], 3, id="list of sounds"),
        pytest.param({"rate": np.array(16_000), "audio": np.zeros((3, 800))}, 3, id="with a rate"),
        pytest.param(np.float32(1.0), 1, id="one number"),
        pytest.param({}, 1, id="empty"),
        pytest.param(object(), 1, id="unknown"),
    ],
)
def test_a_batch_is_as_large_as_its_first_column(batch: Any, size: int) -> None:
    """Single values and texts are no columns, nor are sounds; the unknown is one example."""
    assert batch_size(batch) == size
