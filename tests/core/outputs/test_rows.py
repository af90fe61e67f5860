from __future__ import annotations

import numpy as np

from earmark.outputs.rows import own_rows, rows


def test_rows_of_anything_that_has_them() -> None:
    """An array, a list and a tuple give the same examples, in the order that is asked for."""
    array = np.arange(10.0).reshape(5, 2)

    np.testing.assert_array_equal(rows(array, [3, 1]), [[6, 7], [2, 3]])
    assert rows(["a", "b", "c"], [2, 0]) == ["c", "a"]
    assert rows(("a", "b", "c"), []) == []
    assert rows(array, []).shape == (0, 2)


def test_neighbours_are_not_copied() -> None:
    """The first few examples of a batch are a view of it."""
    array = np.arange(10.0).reshape(5, 2)

    assert np.shares_memory(rows(array, [1, 2, 3]), array)
    np.testing.assert_array_equal(rows(array, [1, 2, 3]), array[1:4])


def test_rows_of_ones_own_may_be_changed() -> None:
    """They are copies, also of the arrays in a list; what cannot be copied is as it is."""
    array = np.arange(10.0).reshape(5, 2)
    for value in (array, list(array)):
        for row in own_rows(value, [1, 2]):
            row[:] = 0
    assert own_rows(["a", "b"], [1]) == ["b"]

    np.testing.assert_array_equal(array, np.arange(10.0).reshape(5, 2))
