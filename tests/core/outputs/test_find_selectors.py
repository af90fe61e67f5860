from __future__ import annotations

from typing import Any

from earmark.errors import ArgumentError, ShapeError
from earmark.outputs.find import find_sounds
from tests.core.outputs.arrays import Inner, array, refused


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
