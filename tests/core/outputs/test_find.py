from __future__ import annotations

import dataclasses
from collections import UserDict
from typing import Any

import numpy as np
import pytest

from earmark import Audio
from earmark.errors import ArgumentError
from earmark.outputs.find import find_sounds
from tests.core.families import FAMILIES
from tests.core.families.family import Family, check
from tests.core.families.generation import AudioPipelineOutput
from tests.core.outputs.arrays import Form, Inner, array, refused


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_sounds_of_each_family_are_found_by_form_alone(family: Family) -> None:
    """Keys, shapes and dtypes say which values are the sounds, or what the user has to write."""
    check(family, Form)


# --- containers


@dataclasses.dataclass
class Outer:
    out: Inner
    loss: float = 0.5
    later: Any = dataclasses.field(init=False)


def test_containers_are_opened_however_deep_they_are() -> None:
    """Dataclasses, dicts of any make, tuples and lists within each other hold the sound."""
    sound = array(2, 1, 8000)

    for outputs in (
        Outer(Inner(sound, (array(2, 8000),))),
        {"a": {"b": {"wav": sound}}},
        UserDict(out=(array(), {"wav": sound})),
        [array(), [{"wav": sound}], None],
    ):
        assert find_sounds(outputs, None).sounds["prediction"] is sound


def test_a_container_that_holds_itself_comes_to_an_end() -> None:
    """A dict within itself is opened once."""
    outputs: dict[str, Any] = {"wav": array(2, 8000)}
    outputs["again"] = [outputs]

    assert list(find_sounds(outputs, None).sounds) == ["prediction"]


def test_the_same_value_twice_is_one_candidate() -> None:
    """A sound that is returned under two keys is no reason to ask which."""
    sound = array(2, 8000)

    assert find_sounds((sound, {"extra": sound}), None).sounds["prediction"] is sound


def test_a_single_sound_is_a_batch_of_one() -> None:
    """`(T,)`, an `Audio`, an encoded file or a path are one example each."""
    for one in (array(8000), Audio(array(8000), 8000), b"RIFF", "a.wav"):
        found = find_sounds({"prediction": one}, None)

        assert found.count == 1
        assert found.sounds["prediction"][0] is one


def test_under_its_own_name_a_prediction_is_taken_as_it_is() -> None:
    """What the user calls the prediction is judged clip by clip, when it is converted."""
    short, listed = array(2, 400), [array(400), None, array(3, 3, 3)]

    assert find_sounds({"prediction": short}, None).sounds["prediction"] is short
    assert find_sounds({"prediction": listed}, None).sounds["prediction"] is listed


def test_diffusers_arrays_have_their_channels_first() -> None:
    """A stereo array of diffusers comes out with its channels last, as arrays have them here."""
    audios = np.arange(2 * 2 * 8000, dtype="float32").reshape(2, 2, 8000)

    found = find_sounds(AudioPipelineOutput(audios=audios), None).sounds["prediction"]

    assert found.shape == (2, 8000, 2)
    assert np.shares_memory(found, audios)
    np.testing.assert_array_equal(found[1, :, 1], audios[1, 1])


def test_an_output_that_is_one_array_is_the_prediction() -> None:
    """Whether it holds sounds is judged later, so that what is wrong costs the prediction alone."""
    for outputs in (array(2, 400), array(2, 80, 300), array(2, 30, dtype="complex64")):
        found = find_sounds(outputs, {"clean": array(2, 8000)})

        assert found.sounds["prediction"] is outputs
        assert "target" in found.sounds


@pytest.mark.parametrize(
    ("outputs", "seen"),
    [
        ({"prediction": None}, "{'prediction': None} (dict)"),
        ({}, "{} (dict)"),
        (0.25, "0.25"),
        ("text", "str"),
        (array(3), "float32 (3,)"),
        ({"ids": [1, 2], "loss": array()}, "ids: list of 2, loss: float32 ()"),
        ([{"text": "a", "n": (1, 2)}], "0.text: str, 0.n: tuple of 2"),
    ],
)
def test_outputs_without_a_sound_are_shown(outputs: Any, seen: str) -> None:
    """Whatever it is, the message says what was returned, and what to return instead."""
    message = f"expected a prediction in the outputs, found none in {seen}: return"
    with refused(ArgumentError, message):
        find_sounds(outputs, {"audio": array(2, 8000)})


def test_of_many_values_the_first_are_listed() -> None:
    """A message stays short."""
    with pytest.raises(ArgumentError, match=r"k11: 11, and 88 more: return") as told:
        find_sounds({f"k{number}": number for number in range(100)}, None)
    assert len(str(told.value)) < 400


# --- what is given to the model


def test_a_missing_target_or_input_is_no_fault() -> None:
    """Only a prediction has to be there."""
    found = find_sounds({"wav": array(2, 8000)}, {"text": ["a", "b"], "labels": array(2, 8)})

    assert list(found.sounds) == ["prediction"]
    assert found.faults == {}


def test_plain_keys_of_a_batch_are_the_target_or_beside_a_target_the_input() -> None:
    """`audio` in a batch is what the model should make, unless another key says so of its own."""
    audio, clean, x = array(2, 8000), array(2, 8000), array(2, 8000)
    outputs = {"enhanced": array(2, 8000)}

    assert find_sounds(outputs, {"audio": audio}).sounds["target"] is audio
    both = find_sounds(outputs, {"audio": audio, "clean": clean}).sounds
    assert both["input"] is audio
    assert both["target"] is clean
    letters = find_sounds(outputs, {"x": x, "y": clean}).sounds
    assert letters["input"] is x
    assert letters["target"] is clean


def test_plain_keys_beside_a_prediction_are_its_target() -> None:
    """The same key is the prediction where nothing else is; two letters alone are unclear."""
    audio, made, x, y = (array(2, 8000) for _ in range(4))

    assert find_sounds({"audio": audio}, None).sounds["prediction"] is audio
    assert find_sounds({"audio": audio, "y_hat": made}, None).sounds["target"] is audio
    selected = find_sounds({"audio": audio, "mine": made}, None, selectors={"prediction": "mine"})
    assert selected.sounds["target"] is audio
    three = find_sounds({"x": x, "y": y, "y_hat": made}, None).sounds
    assert (three["input"] is x, three["target"] is y) == (True, True)
    with refused(ArgumentError, "expected one prediction, found 2 that may be it, x: float32"):
        find_sounds({"x": x, "y": y}, None)


def test_an_unclear_target_costs_the_target_alone() -> None:
    """Two sounds that may be the target are told of, and the prediction is logged."""
    found = find_sounds(
        {"pred": array(2, 8000)}, {"clean": array(2, 8000), "reference": array(2, 8000)}
    )

    assert list(found.sounds) == ["prediction"]
    assert str(found.faults["target"]) == (
        "expected one target, found 2 that may be it, clean: float32 (2, 8000), reference: float32 "
        '(2, 8000): say which, AudioMonitor(target="clean") or AudioMonitor(target="reference")'
    )


def test_what_has_the_name_of_an_input_and_no_sound_is_passed_over() -> None:
    """Token ids, labels and spectrograms of a batch have such names, too."""
    batch = {"input": array(2, 300, dtype="int64"), "target": array(2, 80, 300)}

    assert list(find_sounds(array(2, 8000), batch).sounds) == ["prediction"]


# --- sample rates


def test_sample_rates_are_plain_numbers_beside_the_sound() -> None:
    """The nearest one counts; a loss beside a sound is no rate, and a tensor is not read."""
    outputs = {"out": {"wav": array(2, 8000), "sr": 24_000}, "sample_rate": 48_000}
    batch = {"clean": array(2, 8000), "sampling_rate": np.int64(16_000)}

    assert find_sounds(outputs, batch).sample_rates == {"prediction": 24_000, "target": 16_000}
    for other in (2, 0.25, True, np.array([16_000, 16_000])):
        assert find_sounds({"wav": array(2, 8000), "sr": other}, None).sample_rates == {}
    assert find_sounds((array(2, 8000), 2.0), None).sample_rates == {}
    assert find_sounds((array(2, 8000), 22_050), None).sample_rates == {"prediction": 22_050}
