from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from earmark.outputs.sounds import Sounds, as_sounds, fits
from earmark.outputs.unfold import leaves


class Shaped:
    """A tensor without values."""

    def __init__(self, *shape: Any, dtype: str = "torch.float32") -> None:
        self.shape = shape
        self.dtype = dtype


@pytest.mark.parametrize(
    ("value", "is_sound"),
    [
        (Shaped(4, 8000), True),
        (Shaped(4, 1, 8000), True),
        (Shaped(4, 32, 8000), True),
        (Shaped(4, 33, 8000), False),
        (Shaped(4, 80, 8000), False),
        (Shaped(4, 8000, 2), False),
        (Shaped(4, 2, 1023), False),
        (Shaped(4, 0, 8000), False),
        (Shaped(0, 8000), False),
        (Shaped(4, 1, 80, 2000), False),
        (Shaped(4), False),
        (Shaped(), False),
        (Shaped(4, 8000, dtype="torch.bfloat16"), True),
        (Shaped(4, 8000, dtype="torch.int16"), True),
        (Shaped(4, 8000, dtype="torch.int64"), False),
        (Shaped(4, 8000, dtype="torch.bool"), False),
        (Shaped(4, 8000, dtype="torch.complex64"), False),
        (np.zeros((4, 8000, 2)), True),
        (np.zeros((4, 1, 8000)), True),
        (np.zeros((4, 8000, 80)), False),
    ],
    ids=lambda value: f"{value.dtype} {value.shape}" if hasattr(value, "shape") else str(value),
)
def test_shapes_and_dtypes_of_sounds(value: Any, is_sound: bool) -> None:
    """Spectrograms, masks, codes and labels are none."""
    assert fits(Sounds(value)) is is_sound


def test_stems_have_an_axis_more() -> None:
    """A fourth axis is one of stems if they are named, and as many."""
    assert fits(Sounds(Shaped(4, 3, 2, 8000)), stems=3)
    assert not fits(Sounds(Shaped(4, 3, 2, 8000)), stems=2)
    assert not fits(Sounds(Shaped(4, 3, 2, 8000)))


def test_a_list_without_a_key_may_be_a_tuple_that_a_loader_made_a_list_of() -> None:
    """Two batches of two are not two stereo sounds; under a key they are what the key says."""
    pair = [np.zeros((2, 8000)), np.zeros((2, 8000))]
    sounds = [np.zeros(8000), np.zeros(6000)]

    assert as_sounds(pair, named=False) is None
    assert as_sounds(pair) == Sounds(pair)
    assert as_sounds(sounds, named=False) == Sounds(sounds)
    assert as_sounds(sounds, named=False, in_batch=True) is None
    assert as_sounds([np.zeros((4, 8000)), np.zeros((4, 8000))]) is None


def test_a_container_that_asks_for_values_has_no_shape() -> None:
    """A shape that is not known yet, or that is symbols, is not compared."""

    class Lazy:
        dtype = "float32"

        @property
        def shape(self) -> Any:
            raise RuntimeError("not known yet")

    assert as_sounds(Lazy()) is None
    assert as_sounds(Shaped(4, "j1")) is None


def test_long_columns_are_not_opened() -> None:
    """A list of many numbers or texts is one value, and hides none of the others."""
    found = leaves({"ids": list(range(100_000)), "texts": ["a"] * 100_000, "wav": np.zeros((2, 9))})

    assert [leaf.path for leaf in found] == [("ids",), ("texts",), ("wav",)]
