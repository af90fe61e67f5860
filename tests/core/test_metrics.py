"""Metrics of clips: numbers as they come, and what is computed of prediction and target."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from earmark import Audio, EarmarkWarning
from earmark.errors import ArgumentError, ArgumentTypeError, EarmarkError
from earmark.metrics import (
    check_metrics,
    compute,
    finite_metrics,
    plain_metrics,
    target_of,
)
from earmark.notices import Notices
from earmark.testing import noise


def rms_error(prediction: Audio, target: Audio) -> float:
    """The root of the mean squared difference."""
    return float(np.sqrt(np.mean((prediction.samples - target.samples) ** 2)))


TARGET = Audio(noise(), 16_000)


def computed(prediction: Audio, **metrics: Any) -> dict[str, float]:
    """What is computed of a prediction beside `TARGET`."""
    return compute(metrics, prediction, TARGET, Notices(), "the prediction of 'utt'")


def test_metrics_are_computed_of_the_sounds() -> None:
    """Each function is given both sounds."""
    louder = Audio(TARGET.samples * 1.5, 16_000)
    expected = 0.5 * 10 ** (TARGET.level.rms_dbfs / 20)
    assert computed(louder, error=rms_error, gain=lambda made, wanted: np.float64(2)) == {
        "error": pytest.approx(expected, rel=1e-4),
        "gain": 2.0,
    }


def test_what_differs_in_length_is_compared_as_far_as_both_go() -> None:
    """A vocoder's last hop is often missing: this is said once, and nothing is shifted."""
    shorter = Audio(TARGET.samples[:-100], 16_000)
    message = (
        "earmark: prediction and target differ in length, 1500 and 1600 frames: metrics are of the "
        "frames that both have; pass lengths=, if one of them is padded"
    )
    with pytest.warns(EarmarkWarning, match=f"^{re.escape(message)}$"):
        assert computed(shorter, error=rms_error) == {"error": 0.0}


def test_sounds_of_two_rates_are_not_compared() -> None:
    """It is told what to do, and the clip is logged without the metric."""
    message = "expected prediction and target at one sample rate, got 8000 Hz and 16000 Hz: "
    with pytest.warns(EarmarkWarning, match=re.escape(message)):
        assert computed(Audio(noise(), 8000), error=rms_error) == {}


def test_a_metric_that_raises_costs_itself_alone() -> None:
    """The others are computed, and the warning names it and its clip."""

    def broken(prediction: Audio, target: Audio) -> float:
        raise RuntimeError("no utterances detected")

    message = "the metric 'pesq' of the prediction of 'utt' was not logged: RuntimeError: no utter"
    with pytest.warns(EarmarkWarning, match=message):
        assert computed(TARGET, pesq=broken, error=rms_error) == {"error": 0.0}


def test_a_metric_that_is_no_number_costs_itself_alone() -> None:
    """The warning says what came."""
    with pytest.warns(EarmarkWarning, match="expected one number as the metric 'both' of each"):
        assert computed(TARGET, both=lambda made, wanted: [1.0, 2.0]) == {}


@pytest.mark.parametrize(
    ("role", "compared"),
    [
        ("prediction", "target"),
        ("prediction.vocals", "target.vocals"),
        ("prediction.vocals.cfg3", "target.vocals"),
        ("prediction.cfg3", "target"),
        ("target", None),
        ("input", None),
        ("predictions", None),
    ],
)
def test_predictions_are_compared_with_their_targets(role: str, compared: str | None) -> None:
    """Stem by stem, and every variant with the same one; other roles are compared with nothing."""
    assert target_of(role, {"input", "target", "target.vocals"}) == compared
    assert target_of(role, {"input", "prediction"}) is None


def test_numbers_of_any_kind_become_floats() -> None:
    """Python's, numpy's, arrays of one number."""
    given = {"a": 1, "b": np.float32(0.5), "c": np.array([2.0])}
    assert plain_metrics(given) == {"a": 1.0, "b": 0.5, "c": 2.0}


def test_what_json_cannot_hold_becomes_a_note() -> None:
    """Infinities and NaNs are said in words."""
    metrics = {"a": 1.0, "b": float("inf"), "c": float("nan")}
    assert finite_metrics(metrics) == ({"a": 1.0}, "b = inf, c = nan")


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        (3, ArgumentTypeError, "expected metrics as functions of (prediction, target) by name"),
        ({"si_sdr": 3}, ArgumentTypeError, "such as {'si_sdr': si_sdr}, got {'si_sdr': 3}"),
        ({"": rms_error}, ArgumentError, "expected a name for each metric, got ['']"),
    ],
)
def test_what_is_no_function_is_refused(
    metrics: Any, error: type[EarmarkError], message: str
) -> None:
    """Before the training starts."""
    with pytest.raises(error, match=re.escape(message)):
        check_metrics(metrics)
