"""The keywords of `Listener`, for the monitors that take a model before them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from earmark.captions import Fields
from earmark.outputs.selector import LengthsSelector, Selector
from earmark.ranks import Policy
from earmark.schedule import Schedule
from earmark.sink import Sink
from earmark_integrations._arguments import Decode
from earmark_integrations._predictor import Predict, Weights


class Keywords(TypedDict, total=False):
    """What each of them is, `Listener` says."""

    every_n_epochs: int | None
    every_n_steps: int | None
    schedule: Schedule | None
    max_examples: int
    examples: Sequence[str | int] | None
    input: Selector | None
    target: Selector | None
    prediction: Selector | None
    roles: Mapping[str, Selector] | None
    predict: Predict | None
    demo: Any
    decode: Mapping[str, Decode] | Decode | None
    lengths: Mapping[str, LengthsSelector] | LengthsSelector | None
    sample_rate: int | Mapping[str, int] | None
    captions: str | Callable[[Fields], str] | None
    stems: Sequence[str] | None
    variants: Mapping[str, Mapping[str, Any]] | None
    weights: Weights | None
    metrics: Mapping[str, Callable[[Any, Any], Any]] | None
    spectrogram: bool
    ranks: Policy
    run_dir: str | os.PathLike[str] | None
    sinks: Sequence[str | Sink] | None
    tag: str | None
    transform: Callable[[Any, str], Any] | None
    enabled: bool
    strict: bool
