"""Captions: the text of the batch, a template, or a function of what is known of an example."""

from __future__ import annotations

import re
from typing import Any

import pytest

from earmark.captions import TEXT_KEYS, Captions, fill, item_fields
from earmark.errors import ArgumentError, ArgumentTypeError


def test_the_caption_is_the_text_unless_told_otherwise() -> None:
    """Without a template the words themselves are the caption."""
    assert Captions()({"text": "hello there", "epoch": 3}) == "hello there"


def test_without_a_text_there_is_no_caption() -> None:
    """Nothing is made up."""
    assert Captions()({"epoch": 3}) == ""


@pytest.mark.parametrize(
    ("template", "caption"),
    [
        ("{text} | epoch {epoch}", "hello | epoch 3"),
        ("{example} at {step:05d}", "utt-7 at 00012"),
        ("{{{text}}}", "{hello}"),
        ("{text!r}", "'hello'"),
    ],
)
def test_a_template_is_filled_in(template: str, caption: str) -> None:
    """Templates are Python's format strings, formats and conversions included."""
    fields = {"text": "hello", "epoch": 3, "step": 12, "example": "utt-7"}
    assert Captions(template)(fields) == caption


@pytest.mark.parametrize(
    ("template", "caption"),
    [
        ("{text} | epoch {epoch}", "epoch 3"),
        ("epoch {epoch} | {text}", "epoch 3"),
        ("[{speaker}] {epoch}", "[] 3"),
        ("{meta.name}{meta[0]}{loss:.2f}{name!r}{epoch}", "3"),
    ],
)
def test_unknown_fields_are_empty(template: str, caption: str) -> None:
    """What is not known leaves no trace, and no separator at either end."""
    assert Captions(template)({"epoch": 3}) == caption


def test_an_epoch_that_nobody_counts_is_empty() -> None:
    """Loops that go by steps alone have none, and a template for all loops serves them too."""
    make = Captions("{text} | epoch {epoch:03d}")
    assert make({"text": "words", "epoch": None}) == "words | epoch"
    assert make({"text": "words", "epoch": 7}) == "words | epoch 007"


@pytest.mark.parametrize("template", ["{text", "text}", "{text!z}", "{text.}"])
def test_a_malformed_template_is_refused_at_once(template: str) -> None:
    """The constructor says what is wrong with a template, in Python's words, and the way out."""
    expected = re.escape("expected captions as a template such as '{text} | epoch {epoch}', got ")
    way_out = re.escape("; write {{ and }} for braces")
    message = f"^{expected}{re.escape(repr(template))}: .+{way_out}$"
    with pytest.raises(ArgumentError, match=message):
        Captions(template)


@pytest.mark.parametrize("template", ["{} | {epoch}", "{0}"])
def test_fields_without_a_name_are_refused_at_once(template: str) -> None:
    """There is no order in which fields could be counted."""
    message = (
        f"expected captions with named fields such as {{text}}, got {template!r}: name the field, "
        "or write {{}} for braces"
    )
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        Captions(template)


def test_a_function_makes_the_caption() -> None:
    """It is given all fields."""
    captions = Captions(lambda fields: f"{fields['example']}: {sorted(fields)}")
    assert captions({"example": "a", "epoch": 1}) == "a: ['epoch', 'example']"


def test_a_function_has_to_return_text() -> None:
    """Anything else is an error that names it."""
    unfit: Any = lambda fields: 5  # noqa: E731 - a function with the wrong type, on purpose
    message = "expected text from the captions function, got 5 (int): return str(caption), or '' "
    with pytest.raises(ArgumentTypeError, match=re.escape(message)):
        Captions(unfit)({})


def test_other_captions_are_refused_at_once() -> None:
    """A list of captions cannot follow the examples."""
    unfit: Any = ["a", "b"]
    message = "epoch {epoch}', a function of the fields, or None, got ['a', 'b']"
    with pytest.raises(ArgumentTypeError, match=re.escape(message)):
        Captions(unfit)


@pytest.mark.parametrize("key", TEXT_KEYS)
def test_the_text_is_found_under_each_key(key: str) -> None:
    """A batch has its words under any of the usual names."""
    assert item_fields({key: ["one", "two"]}, 1, 2)["text"] == "two"


def test_text_comes_before_the_other_keys() -> None:
    """`text` itself wins over `caption`, in whatever order they are."""
    assert item_fields({"caption": ["c"], "text": ["t"]}, 0, 1)["text"] == "t"


def test_columns_of_words_and_numbers_are_fields() -> None:
    """Each example brings its own entry of every such column."""
    batch = {"speaker": ["ann", "bob"], "snr": (5, 10), "wet": [0.1, 0.5], "audio": object()}
    assert item_fields(batch, 1, 2) == {"speaker": "bob", "snr": 10, "wet": 0.5}


def test_columns_of_another_length_are_no_fields() -> None:
    """They do not say which entry belongs to which example."""
    assert item_fields({"names": ["a", "b", "c"], 5: ["x", "y"]}, 0, 2) == {}


def test_the_texts_of_a_tuple_are_found() -> None:
    """A batch without keys has words where there is a list of texts."""
    assert item_fields((object(), ["one", "two"]), 0, 2) == {"text": "one"}


METRICS = ["si_sdr", "PESQ (wide band)"]


@pytest.mark.parametrize(
    ("template", "known", "caption"),
    [
        (
            None,
            {"si_sdr": 12.345, "PESQ (wide band)": 3.2},
            "hi | si_sdr 12.3 | PESQ (wide band) 3.2",
        ),
        (None, {"PESQ (wide band)": 3.2}, "hi | PESQ (wide band) 3.2"),
        (None, {}, "hi"),
        ("{si_sdr:.1f} dB | {text}", {"si_sdr": 12.345}, "12.3 dB | hi"),
        ("{text} | {si_sdr} | {epoch}", {}, "hi | 3"),
        ("{si_sdr:=.0f} | {text}", {"si_sdr": -7.0}, "si_sdr -7 | hi"),
        (lambda fields: f"{fields['text']} {fields['si_sdr']:+.2f}", {"si_sdr": 1.0}, "hi +1.00"),
    ],
)
def test_numbers_that_are_known_later_find_their_place(
    template: Any, known: dict[str, float], caption: str
) -> None:
    """A caption is made at once; what the sounds were worth is filled in when it is known."""
    made = Captions(template, METRICS)({"text": "hi", "epoch": 3})
    assert fill(made, known) == caption


def test_a_caption_without_metrics_is_left_as_it_is() -> None:
    """Separators of one's own stay."""
    assert fill("| a || b |", {"si_sdr": 1.0}) == "| a || b |"


@pytest.mark.parametrize("template", ["{text} | {si_sdr[0]}", "{si_sdr.real}"])
def test_a_part_of_a_metric_is_refused_at_once(template: str) -> None:
    """Nothing is known of it but that it will be a number."""
    message = re.escape(f"expected metrics in captions as plain numbers, got {template!r}: 'Later'")
    with pytest.raises(ArgumentError, match=f"^{message} .+; write {{si_sdr:.1f}}$"):
        Captions(template, ["si_sdr"])


def test_a_format_that_suits_no_number_is_refused_at_once() -> None:
    """Before the training, not when the first number is there."""
    message = re.escape(
        "expected a format for the number 'si_sdr' in captions, got 'x' (Unknown format code 'x' "
        "for object of type 'float'): write {si_sdr:.1f}"
    )
    with pytest.raises(ArgumentError, match=f"^{message}$"):
        Captions("{si_sdr:x}", METRICS)
