from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import earmark
from earmark.errors import ArgumentError, ArgumentTypeError
from earmark.outputs import registry
from earmark.outputs.find import find_sounds
from tests.core.outputs.arrays import array, refused


class Mine:
    def __init__(self, wav: Any) -> None:
        self.wav = wav


class MineToo(Mine):
    pass


@pytest.fixture(name="register")
def fixture_register() -> Iterator[Any]:
    """Registers a type of the user's, for as long as a test takes."""
    yield lambda unfold: earmark.register_output(Mine, unfold)
    registry._registered.pop(Mine, None)  # pyright: ignore[reportPrivateUsage] - ours to undo


def test_a_type_of_ones_own_is_registered_in_a_line(register: Any) -> None:
    """What derives from it is covered, wherever it is, and also where it is selected."""
    register(lambda output: {"prediction": output.wav, "target": None})
    sound = array(2, 500)

    for outputs in (Mine(sound), MineToo(sound), (array(), {"out": MineToo(sound)})):
        assert list(find_sounds(outputs, None).sounds) == ["prediction"]
        assert find_sounds(outputs, None).sounds["prediction"] is sound
    found = find_sounds({"a": Mine(sound), "b": 1}, None, selectors={"prediction": "a"})
    assert found.sounds["prediction"] is sound


def test_a_registered_type_may_have_any_roles(register: Any) -> None:
    """Roles of any name, dicts of stems, pairs; lengths and a rate beside them."""
    counts = np.array([8000, 4000])
    register(
        lambda mine: {
            "prediction": {"speech": mine.wav, "music": mine.wav},
            "coarse": mine.wav,
            "coarse_lengths": counts,
            "target": (mine.wav, 16_000),
            "sample_rate": 48_000,
        }
    )

    found = find_sounds({"out": Mine(array(2, 8000))}, None)

    assert list(found.sounds) == ["prediction.speech", "prediction.music", "target", "coarse"]
    assert found.sample_rates["target"] == 16_000
    assert found.sample_rates["coarse"] == 48_000
    assert found.lengths["coarse"] is counts
    assert found.faults == {}


def test_a_registered_function_returns_sounds_by_role(register: Any) -> None:
    """A sound alone has no role."""
    register(lambda output: output.wav)
    with refused(
        ArgumentTypeError,
        "expected sounds by role from the function that Mine was registered with, got 'wav' (str)",
    ):
        find_sounds(Mine("wav"), None)


def test_an_unknown_type_is_told_with_the_line_that_registers_it() -> None:
    """Nothing is known of its attributes, and none is tried."""
    with refused(
        ArgumentError,
        "expected a prediction in the outputs, found none in loss: 0.5, out: Mine: say what it "
        "holds, earmark.register_output(Mine, lambda output: {'prediction': output.audio})",
    ):
        find_sounds({"loss": 0.5, "out": Mine(array(2, 8000))}, None)


def test_only_types_and_functions_are_registered() -> None:
    """Anything else is refused at once."""
    wrong: Any = "Mine"
    with refused(
        ArgumentTypeError,
        "expected a type and a function from its values to sounds by role, got 'Mine' (str) and",
    ):
        earmark.register_output(wrong, lambda _: {})
