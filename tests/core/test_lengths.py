from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from earmark.errors import ArgumentError, ArgumentTypeError, ShapeError
from earmark.lengths import checked_hop, num_frames


@pytest.mark.parametrize(
    ("length", "hop_length", "frames"),
    [
        (300, None, 300),
        (1, None, 1),
        (np.int32(300), None, 300),
        (3, 100, 300),
        (np.int64(3), 100, 300),
        (0.3, None, 300),
        (np.float32(0.3), None, 300),
        (np.float64(0.3), 100, 300),
        (1.0, None, 1000),
        (Fraction(3, 10), None, 300),
    ],
)
def test_lengths_count_samples_hops_or_parts_of_the_longest(
    length: object, hop_length: int | None, frames: int
) -> None:
    """Integers count samples, or hops where a hop is given; floats are parts of the whole."""
    assert num_frames(length, 1000, hop_length) == frames


def test_a_length_is_never_more_than_there_is() -> None:
    """A model that returns less than it was given is shown whole."""
    assert num_frames(2000, 1000) == 1000
    assert num_frames(11, 1000, 100) == 1000


def test_a_tiny_part_is_still_one_frame() -> None:
    """A relative length above 0 never rounds a sound away."""
    assert num_frames(1e-9, 1000) == 1


@pytest.mark.parametrize("length", [0, -1, np.int64(0)])
def test_lengths_without_frames_are_refused(length: object) -> None:
    """A length of nothing says to skip the sound."""
    with pytest.raises(
        ShapeError, match=r"expected a positive length in samples, got (0|-1): skip empty sounds"
    ):
        num_frames(length, 1000)


@pytest.mark.parametrize("length", [0.0, -0.5, 1.5, float("nan"), float("inf"), np.float32(2)])
def test_relative_lengths_are_parts_of_one(length: object) -> None:
    """A float outside (0, 1] is refused, and integers are named as the way to count samples."""
    with pytest.raises(
        ShapeError,
        match=r"expected a relative length in \(0, 1\], got .*: pass integers to count samples, "
        "and skip empty sounds",
    ):
        num_frames(length, 1000)


@pytest.mark.parametrize("length", [True, np.True_, None, "3", [3], 3j, np.zeros(3)])
def test_what_is_no_number_is_no_length(length: object) -> None:
    """Masks, texts and nested lists are refused; a mask is to be summed."""
    with pytest.raises(
        ArgumentTypeError,
        match=r"expected each length as an integer .* or a float in \(0, 1\] .*, got .*: "
        "sum a mask to get lengths",
    ):
        num_frames(length, 1000)


def test_a_hop_is_a_positive_integer_or_absent() -> None:
    """Without a hop lengths count samples; numpy's integers are hops too."""
    assert checked_hop(None) is None
    assert checked_hop(np.int64(256)) == 256
    assert checked_hop(1) == 1


@pytest.mark.parametrize("hop", [0, -1, 2.5, "256", True, np.zeros(2)])
def test_other_hops_are_refused(hop: object) -> None:
    """A hop of 0, of half a sample, or of text is refused before it cuts anything."""
    with pytest.raises(
        ArgumentError,
        match=r"expected hop_length as a positive integer, .*, got .*: leave it out where",
    ):
        checked_hop(hop)
