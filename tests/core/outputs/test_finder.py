"""What is heard of a batch: found, in variants and stems, decoded and transformed where chosen."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark.errors import ArgumentError, ArgumentTypeError, EarmarkError, ShapeError
from earmark.outputs.finder import Finder, Variants

SOUNDS = np.arange(4 * 2000, dtype=np.float32).reshape(4, 2000) / 8000


def test_only_chosen_examples_are_decoded_and_transformed() -> None:
    """A vocoder is given the rows that are heard, and what is done to them knows their role."""
    given: list[NDArray[Any]] = []

    def vocoder(mel: NDArray[Any]) -> NDArray[Any]:
        given.append(mel)
        return mel.repeat(100, axis=-1)[:, 0]

    def halved(sounds: NDArray[Any], role: str) -> NDArray[Any]:
        return sounds / 2 if role == "target" else sounds

    finder = Finder(
        selectors={"prediction": "mel"}, decode={"prediction": vocoder}, transform=halved
    )
    mel = np.random.default_rng(0).uniform(size=(4, 80, 20)).astype(np.float32)
    found = finder.find({"mel": mel}, {"target": SOUNDS})
    heard = {role: finder.heard(role, value, [1, 3]).value for role, value in found.sounds.items()}

    assert found.count == 4
    assert found.lengths == {}
    np.testing.assert_array_equal(given[0], mel[[1, 3]])
    np.testing.assert_array_equal(heard["prediction"], mel[[1, 3], 0].repeat(100, axis=-1))
    np.testing.assert_array_equal(heard["target"], SOUNDS[[1, 3]] / 2)


def test_a_decoder_may_return_outputs_of_its_own() -> None:
    """Codecs of Hugging Face and autoencoders of diffusers do: the sound in them is found."""
    finder = Finder(decode={"prediction": lambda codes: {"loss": 0.5, "audio_values": codes / 2}})
    found = finder.find({"prediction": SOUNDS}, None)
    heard = finder.heard("prediction", found.sounds["prediction"], [1])
    np.testing.assert_array_equal(heard.value, SOUNDS[[1]] / 2)


@pytest.mark.parametrize(
    ("made", "lengths", "sample_rate"),
    [
        ((SOUNDS[:2], np.array([500, 2000])), [500, 2000], None),
        ((SOUNDS[:2], 24_000), None, 24_000),
        ((SOUNDS[:2], SOUNDS[:2, :40]), None, None),
        (tuple(SOUNDS[:2]), None, None),
        (list(SOUNDS[:2]), None, None),
    ],
    ids=["lengths", "rate", "features", "tuple", "list"],
)
def test_what_comes_with_decoded_sounds_is_no_sound(
    made: Any, lengths: list[int] | None, sample_rate: int | None
) -> None:
    """Of `(audio, lengths)` and `(audio, rate)` the first alone is heard, by the second."""
    heard = Finder(decode={"prediction": lambda _: made}).heard("prediction", SOUNDS, [0, 1])

    np.testing.assert_array_equal(np.asarray(heard.value), SOUNDS[:2])
    assert (None if heard.lengths is None else heard.lengths.tolist()) == lengths
    assert heard.sample_rate == sample_rate


def test_a_decoder_may_forget_the_axis_of_a_batch_of_one() -> None:
    """`squeeze()` does; of two examples it would be one sound too few."""
    finder = Finder(decode={"prediction": lambda mel: mel[0]})

    (heard,) = finder.heard("prediction", SOUNDS, [2]).value
    np.testing.assert_array_equal(heard, SOUNDS[2])
    with pytest.raises(
        ShapeError,
        match=r"^expected 2 sounds of the prediction from decode, one for each example that it was "
        r"given, got 1: keep the first axis$",
    ):
        finder.heard("prediction", SOUNDS, [0, 2])


@pytest.mark.parametrize("made", [None, {"loss": 0.5}, (SOUNDS, SOUNDS / 2)], ids=str)
def test_a_decoder_that_makes_no_sounds_is_told(made: Any) -> None:
    """Nothing, no sound, or two that might be it."""
    finder = Finder(decode={"prediction": lambda _: made})
    with pytest.raises(ArgumentTypeError, match=r"^expected sounds from decode, of shape \(B, T\)"):
        finder.heard("prediction", SOUNDS, [1])


def test_what_is_to_be_decoded_has_an_axis_of_the_batch() -> None:
    """The chosen examples of a dict cannot be taken."""
    finder = Finder(selectors={"prediction": "encoded"}, decode={"prediction": lambda codes: codes})
    with pytest.raises(ShapeError, match=r"^expected what is to be decoded of the prediction as"):
        finder.find({"encoded": {"codes": SOUNDS, "scale": SOUNDS}}, None)


def test_variants_are_heard_side_by_side() -> None:
    """Each has a role of its own; input and target are there once, from the first."""
    returned = {
        name: {"pred": SOUNDS * gain, "target": SOUNDS, "sample_rate": 8000}
        for name, gain in (("cfg1", 1.0), ("cfg3", 0.5))
    }
    found = Finder().find(Variants(returned), {"noisy": SOUNDS * 0.25})
    assert set(found.sounds) == {"input", "target", "prediction.cfg1", "prediction.cfg3"}
    np.testing.assert_array_equal(found.sounds["prediction.cfg3"], SOUNDS * 0.5)
    assert found.sample_rates["prediction.cfg1"] == 8000


def test_a_variant_that_is_no_sound_costs_itself_only() -> None:
    """The others are heard, and the fault says which one it was."""
    returned = Variants(good=SOUNDS, bad=None)
    found = Finder().find(returned, {"target": SOUNDS})
    assert set(found.sounds) == {"target", "prediction.good"}
    assert set(found.faults) == {"prediction.bad"}
    assert str(found.faults["prediction.bad"]).startswith("expected a prediction in the outputs")


def test_one_variant_without_a_name_is_plain() -> None:
    """What `predict` makes alone is the prediction."""
    assert set(Finder().find(Variants({"": SOUNDS}), None).sounds) == {"prediction"}


def test_the_model_s_own_names_of_stems_are_used_where_they_fit() -> None:
    """A separator that lists its sources needs no argument, nor does what returns one sound."""
    finder = Finder(found_stems=["speech", "noise"])
    stems = np.stack([SOUNDS, -SOUNDS], axis=1)
    assert set(finder.find(stems, None).sounds) == {"prediction.speech", "prediction.noise"}
    assert set(finder.find(SOUNDS, None).sounds) == {"prediction"}


def test_stems_that_were_asked_for_have_to_be_there() -> None:
    """A wrong number of names is told."""
    with pytest.raises(ShapeError, match="expected the prediction as 2 stems, speech, noise, of"):
        Finder(stems=["speech", "noise"]).find(SOUNDS, None)


def test_roles_of_different_sizes_are_not_put_together() -> None:
    """Nobody knows which prediction belongs to which target."""
    message = (
        "expected as many of each role in one batch, got {'prediction': 3, 'target': 4}: say where "
        "the others are, AudioMonitor(target=lambda outputs, batch: ...)"
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        Finder().find({"prediction": SOUNDS[1:]}, {"target": SOUNDS})


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"selectors": {"target": 2.5}},
            ArgumentTypeError,
            (
                "expected target as a key, a path such as 'out.audio', an index, or a function of "
                "(outputs, batch), got 2.5"
            ),
        ),
        ({"selectors": {"target": ""}}, ArgumentTypeError, "expected target as a key, a path such"),
        (
            {"lengths": 2.5},
            ArgumentTypeError,
            (
                "expected lengths as a key, a path such as 'out.audio', an index, or a function of "
                "(outputs, batch), or with a hop (key, hop_length), got 2.5"
            ),
        ),
        ({"lengths": ("a", 0)}, ArgumentError, "expected hop_length as a positive integer"),
        ({"lengths": {"target": 2.5}}, ArgumentTypeError, "expected lengths['target'] as a key"),
        ({"stems": "speech"}, ArgumentTypeError, "expected stems as a list of names, such as"),
        (
            {"transform": 3},
            ArgumentTypeError,
            "expected transform as a function of (sounds, role), got 3",
        ),
    ],
    ids=str,
)
def test_impossible_arguments_are_refused_at_once(
    given: dict[str, Any], error: type[EarmarkError], message: str
) -> None:
    """Nobody finds out after the first epoch."""
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        Finder(**given)


def test_an_array_that_was_made_for_listening_is_the_prediction() -> None:
    """However short it is, while a short array that a step returned may be anything."""
    short = SOUNDS[0, :400]
    assert set(Finder().find(Variants({"": short}), None).sounds) == {"prediction"}
    with pytest.raises(ArgumentError, match="expected a prediction in the outputs, found none in"):
        Finder().find(short, None)
