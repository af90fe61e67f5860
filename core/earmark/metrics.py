"""Metrics of clips: numbers that were logged with them, or that are computed from their sounds.

What is computed is computed behind the training thread, when the sounds have been read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from earmark.audio import Audio
from earmark.errors import ArgumentError, ArgumentTypeError, SampleRateError, shown
from earmark.notices import Notices

Metric: TypeAlias = Callable[[Audio, Audio], Any]
"""A function of a prediction and its target, which have one sample rate and as many frames."""


def plain_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Make floats of metrics that are numbers, tensors of one number among them.

    Raises:
        ArgumentTypeError: If one is no number.
    """
    return {str(name): _number(name, value) for name, value in metrics.items()}


def finite_metrics(metrics: Mapping[str, float]) -> tuple[dict[str, float], str]:
    """Part the metrics that JSON can hold from a note on those that it cannot."""
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    others = [f"{name} = {value}" for name, value in metrics.items() if name not in finite]
    return finite, ", ".join(others)


def target_of(role: str, roles: Collection[str]) -> str | None:
    """The role that a prediction is compared with, of those that there are.

    For `prediction.vocals.cfg3` it is the first there is of `target.vocals.cfg3`,
    `target.vocals` and `target`.
    """
    kind, *parts = role.split(".")
    if kind != "prediction":
        return None
    targets = (".".join(["target", *parts[:n]]) for n in range(len(parts), -1, -1))
    return next((target for target in targets if target in roles), None)


def compute(
    metrics: Mapping[str, Metric], prediction: Audio, target: Audio, notices: Notices, place: str
) -> dict[str, float]:
    """Compute metrics of a prediction; one that fails is told and left out.

    Args:
        metrics: Functions by name.
        prediction: What the model made.
        target: What it should have made.
        notices: Who is told.
        place: What to call the prediction there.
    """
    values: dict[str, float] = {}
    for name, metric in metrics.items():
        with notices.guard(("metric", name), f"the metric {name!r} of {place}"):
            values[name] = _number(name, metric(*_comparable(prediction, target, notices)))
    return values


def _comparable(prediction: Audio, target: Audio, notices: Notices) -> tuple[Audio, Audio]:
    rates = prediction.sample_rate, target.sample_rate
    if rates[0] != rates[1]:
        raise SampleRateError(
            f"expected prediction and target at one sample rate, got {rates[0]} Hz and "
            f"{rates[1]} Hz: resample one of them, AudioMonitor(transform=...)"
        )
    counts = prediction.num_frames, target.num_frames
    if counts[0] == counts[1]:
        return prediction, target
    notices.tell(
        ("metric", "length"),
        f"prediction and target differ in length, {counts[0]} and {counts[1]} frames: metrics are "
        "of the frames that both have; pass lengths=, if one of them is padded",
    )
    both = slice(min(counts))
    return (
        Audio(prediction.samples[both], rates[0], layout="channels_last"),
        Audio(target.samples[both], rates[1], layout="channels_last"),
    )


def _number(name: object, value: Any) -> float:
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ArgumentTypeError(
            f"expected one number as the metric {name!r} of each clip, got "
            f"{shown(value)}: pass a number, or to log_batch one for each example"
        ) from error


def check_metrics(metrics: object) -> dict[str, Callable[[Any, Any], Any]]:
    """Refuse metrics that are no functions.

    Raises:
        ArgumentTypeError: If they are not functions by name.
        ArgumentError: If a name is empty.
    """
    if not isinstance(metrics, Mapping) or not all(map(callable, metrics.values())):
        raise ArgumentTypeError(
            "expected metrics as functions of (prediction, target) by name, such as "
            f"{{'si_sdr': si_sdr}}, got {shown(metrics)}"
        )
    if not all(isinstance(name, str) and name for name in metrics):
        raise ArgumentError(f"expected a name for each metric, got {list(metrics)!r}")
    return dict(metrics)
