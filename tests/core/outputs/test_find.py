from __future__ import annotations

import dataclasses
import re
from collections import UserDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import earmark
from earmark import Audio
from earmark.errors import ArgumentError, ArgumentTypeError, EarmarkError, ShapeError
from earmark.outputs import registry
from earmark.outputs.find import find_sounds
from tests.core.families import FAMILIES, AudioPipelineOutput, AudioSignal, Family, check


class Form:
    """An array without values: whoever reads one fails."""

    def __init__(self, *shape: int, dtype: str = "float32", place: int | None = None) -> None:
        self.shape = shape
        self.dtype = dtype
        self.place = id(self) if place is None else place

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: tuple[slice, int]) -> Form:
        _, stem = index
        return Form(self.shape[0], *self.shape[2:], place=self.place + stem)

    def data_ptr(self) -> int:
        """Where it is, as tensors say it."""
        return self.place


def array(*shape: int, dtype: str = "float32") -> NDArray[Any]:
    """Silence of a shape."""
    return np.zeros(shape, dtype)


def refused(error: type[EarmarkError], message: str) -> pytest.RaisesExc[EarmarkError]:
    """Expect an error that begins with this message."""
    return pytest.raises(error, match=f"^{re.escape(message)}")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_sounds_of_each_family_are_found_by_form_alone(family: Family) -> None:
    """Keys, shapes and dtypes say which values are the sounds, or what the user has to write."""
    check(family, Form)


# --- containers


@dataclasses.dataclass
class Inner:
    audio: Any
    hidden_states: Any = None


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


# --- selectors


def test_a_selector_is_a_key_a_path_an_index_or_a_function() -> None:
    """Each leads to the same value; keys with dots in them are keys."""
    sound, other = array(2, 8000), array(2, 8000)
    outputs = (other, {"out": Inner(sound), "val.wav": sound})
    selectors: list[Any] = ["1.out.audio", "outputs.1.out.audio", "1.val.wav"]
    selectors += [lambda outputs, _: outputs[1]["out"].audio]

    for selector in selectors:
        found = find_sounds(outputs, None, selectors={"prediction": selector})
        assert found.sounds["prediction"] is sound
    for index in (0, -2):
        found = find_sounds(outputs, None, selectors={"prediction": index})
        assert found.sounds["prediction"] is other


def test_an_index_of_a_target_counts_in_the_batch() -> None:
    """`target=1` is `batch[1]`; `outputs.1` and `batch.0` say which is meant."""
    outputs, batch = (array(2, 8000), array(2, 4000)), (array(2, 3000), array(2, 2000))
    selectors: dict[str, Any] = {
        "prediction": 0,
        "target": 1,
        "input": "batch.0",
        "aux": 1,
        "late": "outputs.1",
    }

    sounds = find_sounds(outputs, batch, selectors=selectors).sounds

    frames = {role: value.shape[-1] for role, value in sounds.items()}
    assert frames == {"input": 3000, "prediction": 8000, "target": 2000, "aux": 4000, "late": 4000}


def test_a_key_that_both_have_means_the_batchs_where_the_other_is_the_prediction() -> None:
    """A codec that is given `audio` and returns `audio` has a target of that name."""
    made, given_ = array(2, 8000), array(2, 8000)

    found = find_sounds({"audio": made}, {"audio": given_}, selectors={"target": "audio"})

    assert found.sounds["prediction"] is made
    assert found.sounds["target"] is given_


def test_whole_outputs_and_batches_can_be_selected() -> None:
    """`input="batch"` is the batch itself, however short."""
    batch = array(2, 500)

    found = find_sounds(array(2, 8000), batch, selectors={"input": "batch"})

    assert found.sounds["input"] is batch


def test_a_selected_prediction_that_is_not_there_is_an_error() -> None:
    """The message says what there is, and how else to say it."""
    with refused(
        ArgumentError,
        "expected the prediction under 'wav', found none in outputs with out.mel: float32 "
        "(2, 80, 90), loss: 0.5 and a batch with text: str: write AudioMonitor(prediction=...) "
        "with a key, a path such as 'out.audio', an index, or a function of (outputs, batch)",
    ):
        find_sounds(
            {"out": {"mel": array(2, 80, 90)}, "loss": 0.5},
            {"text": "a"},
            selectors={"prediction": "wav"},
        )
    with refused(ArgumentError, "expected the prediction from its function, got None in outputs"):
        find_sounds({}, None, selectors={"prediction": lambda *_: None})


def test_a_column_of_texts_is_one_line_of_what_there_is() -> None:
    """However many there are, the message has room for the sounds."""
    batch = {"text": ["words"] * 64, "speaker": ["a"] * 64, "mel": array(64, 80, 90)}
    inside = "a batch with text: list of 64, speaker: list of 64, mel: float32 (64, 80, 90): write"
    expected = "expected the prediction under 'wav', found none in outputs with None and"
    with refused(ArgumentError, f"{expected} {inside}"):
        find_sounds(None, batch, selectors={"prediction": "wav"})


def test_another_selected_role_that_is_not_there_is_a_fault_of_that_role() -> None:
    """The prediction is logged, and what is missing is told."""
    found = find_sounds(array(2, 8000), None, selectors={"target": "clean", "aux": 3})

    assert list(found.sounds) == ["prediction"]
    assert list(found.faults) == ["target", "aux"]


def test_what_is_selected_has_to_be_a_batch() -> None:
    """A number is not one, whatever its key."""
    with refused(
        ShapeError,
        "expected 'prediction' as a batch of sounds, (B, T), (B, C, T) or a list, got float32 (): "
        "AudioMonitor(prediction='key') says where else it is",
    ):
        find_sounds({"loss": array()}, None, selectors={"prediction": "loss"})


def test_a_selected_dict_of_sounds_gives_each_a_role() -> None:
    """A function may gather what belongs together."""
    dry, wet = array(2, 8000), array(2, 8000)

    found = find_sounds(
        (dry, wet), None, selectors={"prediction": lambda out, _: {"dry": out[0], "wet": out[1]}}
    )

    assert found.sounds["prediction.dry"] is dry
    assert found.sounds["prediction.wet"] is wet


# --- stems


def test_stems_are_views_of_the_batch() -> None:
    """Nothing is copied, and what came with the mixture goes with every stem."""
    signal = AudioSignal(np.random.default_rng(0).standard_normal((2, 2, 8000)), 16_000)

    found = find_sounds({"pred": signal}, None, stems=["speech", "noise"])

    assert found.sample_rates == {"prediction.speech": 16_000, "prediction.noise": 16_000}
    noise = found.sounds["prediction.noise"]
    assert np.shares_memory(noise, signal.audio_data)
    np.testing.assert_array_equal(noise, signal.audio_data[:, 1])


def test_as_many_stems_as_names() -> None:
    """Four names for two stems are an error; a target without stems stays whole."""
    with refused(
        ShapeError,
        "expected the prediction as 4 stems, a, b, c, d, of shape (B, 4, T) or (B, 4, C, T), or a "
        "dict of them, got shape (2, 2, 8000): name every stem of the second axis",
    ):
        find_sounds(array(2, 2, 8000), None, stems=["a", "b", "c", "d"])
    found = find_sounds(array(2, 2, 8000), {"clean": array(2, 8000)}, stems=["a", "b"])
    assert list(found.sounds) == ["prediction.a", "prediction.b", "target"]


# --- lengths


def test_lengths_are_found_by_the_name_of_the_sound_beside_them() -> None:
    """In samples or relative; `lengths` alone, and the lengths of a mel, are of something else."""
    counts = np.array([8000, 4000])
    for key in ("wav_lengths", "wav_len", "wavs_lens", "audio_length", "sequence_lengths"):
        found = find_sounds({"wav": array(2, 8000), key: counts}, None)
        assert found.lengths["prediction"] is counts
    for key in ("lengths", "mel_lengths", "text_lengths", "input_lengths", "wav"):
        found = find_sounds({"wavs": array(2, 8000), key: counts}, None)
        assert found.lengths == {}
    batch = {"wav": array(2, 8000), "sequence_lengths": counts, "wav_lens": np.array([1.0, 0.5])}
    assert find_sounds(array(2, 8000), batch).lengths["target"] is batch["wav_lens"]


def test_labels_that_follow_a_sound_in_a_batch_are_no_lengths() -> None:
    """`(waveform, label)` is what many datasets give; one loses no sound to a label."""
    found = find_sounds(
        array(2, 8000),
        (array(2, 8000), array(2, dtype="int64")),
        selectors={"input": 0},
    )

    assert found.lengths == {}


def test_lengths_are_selected_for_all_roles_or_by_role() -> None:
    """With a hop, integers become samples; floats are relative and stay."""
    outputs = {"wav": array(2, 8000), "frames": np.array([20, 30], "int16")}
    batch = {"clean": array(2, 8000), "part": [1.0, 0.5], "frames_list": [20, 30]}

    everywhere = find_sounds(outputs, batch, lengths=("frames", 256)).lengths
    by_role = find_sounds(
        outputs, batch, lengths={"prediction": ("frames_list", 2000), "target": ("part", 256)}
    ).lengths

    np.testing.assert_array_equal(everywhere["prediction"], [5120, 7680])
    np.testing.assert_array_equal(everywhere["target"], [5120, 7680])
    assert by_role == {"prediction": [40_000, 60_000], "target": [1.0, 0.5]}
    beside = find_sounds(outputs | {"wav_len": [1, 2]}, batch, lengths={"target": "part"}).lengths
    assert beside == {"prediction": [1, 2], "target": [1.0, 0.5]}


@pytest.mark.parametrize("lengths", [[8, 8, 8], np.array([8]), np.array(8), 8])
def test_lengths_of_another_number_of_sounds_cut_none(lengths: Any) -> None:
    """Nobody knows whose they are: the sounds are whole, and it is told."""
    found = find_sounds(array(2, 8000), None, lengths=lambda *_: lengths)

    assert found.lengths == {}
    assert str(found.faults["lengths"]).startswith(
        "expected one length for each of 2 sounds of the prediction, got "
    )


def test_a_function_that_raises_costs_its_own_role() -> None:
    """The prediction is logged, and what the user's function raised is told."""
    found = find_sounds(
        array(2, 8000),
        None,
        selectors={"target": lambda _, batch: batch["clean"]},
        lengths=lambda _, batch: batch["lengths"],
    )

    assert list(found.sounds) == ["prediction"]
    assert set(found.faults) == {"target", "lengths"}
    assert all(isinstance(fault, TypeError) for fault in found.faults.values())


def test_lengths_that_are_not_there_are_a_fault() -> None:
    """The sound is whole, and what is missing is told."""
    found = find_sounds(array(2, 8000), None, lengths="num_samples")

    assert list(found.sounds) == ["prediction"]
    assert str(found.faults["lengths"]).startswith("expected the lengths under 'num_samples'")


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


# --- types of one's own


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


# --- whatever is returned


KEYS = [
    "audio",
    "pred",
    "y_hat",
    "x",
    "mel",
    "loss",
    "sources",
    "out",
    "prediction",
    "wav_len",
    "sr",
]
SHAPES = [(), (2,), (2048,), (2, 2048), (2, 1, 2048), (2, 80, 2048), (2, 3, 2048), (2, 1, 80, 2048)]
ARRAYS = st.builds(
    lambda shape, dtype: Form(*shape, dtype=dtype),
    st.sampled_from(SHAPES),
    st.sampled_from(["float32", "int64", "bool", "complex64", "int16", "bfloat16"]),
)
ATOMS = st.one_of(ARRAYS, st.none(), st.integers(), st.floats(), st.text(max_size=3), st.binary())
ANYTHING = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=400)
@given(ANYTHING, ANYTHING, st.sampled_from([None, ["a", "b"], ["a", "b", "c"]]))
def test_nothing_that_is_returned_makes_more_than_the_documented_errors(
    outputs: Any, batch: Any, stems: list[str] | None
) -> None:
    """Whatever comes, there is a prediction or an error of ours; what is looked for is a sound."""
    try:
        found = find_sounds(outputs, batch, stems=stems)
    except (ArgumentError, ShapeError):
        return
    taken_as_it_is = isinstance(outputs, Form) or "prediction" in repr(outputs)
    for role, value in found.sounds.items():
        name = role.partition(".")[0]
        assert name in {"input", "prediction", "target"}
        if isinstance(value, Form) and not (name == "prediction" and taken_as_it_is):
            assert len(value.shape) in {2, 3}
            assert value.dtype in {"float32", "int16", "bfloat16"}
            assert len(value.shape) == 2 or value.shape[1] <= 32
            assert value.shape[-1] >= 1024
