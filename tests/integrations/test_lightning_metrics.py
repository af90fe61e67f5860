"""`metrics=` and `spectrogram=` in real trainings: in records, captions and trackers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio as si_sdr

from earmark.errors import ArgumentError, ArgumentTypeError
from tests.integrations.lightning_models import (
    GOES_ON,
    clips_in,
    fit,
    heard,
    monitor,
)


def test_metrics_are_computed_of_what_was_heard(tmp_path: Path) -> None:
    """Those of torchmetrics as they are: in the record, and in the caption's place for them."""
    listener = monitor(
        target="clean", metrics={"si_sdr": si_sdr}, captions="{text} | {si_sdr:.2f} dB"
    )
    assert fit(tmp_path, listener, max_epochs=2) == []
    for epoch in range(2):
        for example in ("0", "1"):
            prediction, target = (
                clips_in(listener.run_dir, role=role, example=example, epoch=epoch)[0]
                for role in ("prediction", "target")
            )
            made, wanted = torch.tensor(heard(prediction)), torch.tensor(heard(target))
            expected = si_sdr(made, wanted)
            assert prediction.metrics["si_sdr"] == pytest.approx(expected.item(), abs=0.01)
            found = f"{prediction.metrics['si_sdr']:.2f} dB"
            assert prediction.caption == f"words {example} | {found}"
            assert target.metrics == {}


def test_captions_show_metrics_by_themselves(tmp_path: Path) -> None:
    """Behind the text, if nothing else was asked for."""
    listener = monitor(target="clean", metrics={"error": torch.nn.functional.l1_loss})
    assert fit(tmp_path, listener) == []
    for clip in clips_in(listener.run_dir, role="prediction"):
        assert clip.caption == f"words {clip.example} | error {clip.metrics['error']:.3g}"


def test_a_metric_that_raises_costs_itself_alone(tmp_path: Path) -> None:
    """Training goes on, and every clip is there."""

    def pesq(prediction: Tensor, target: Tensor) -> Tensor:
        raise RuntimeError("no utterances detected")

    listener = monitor(target="clean", metrics={"pesq": pesq})
    (message,) = fit(tmp_path, listener, max_epochs=2)
    assert message == (
        "earmark: the metric 'pesq' of the prediction of example '0' at step 2 was not logged: "
        f"RuntimeError: no utterances detected{GOES_ON}"
    )
    assert len(clips_in(listener.run_dir)) == 2 * 2 * 2


def test_trackers_show_a_picture_of_each_sound(tmp_path: Path) -> None:
    """Beside it, at its step."""
    logger = TensorBoardLogger(tmp_path, name="", version="")
    listener = monitor(spectrogram=True)
    assert fit(tmp_path, listener, logger=logger, max_epochs=2) == []
    events = EventAccumulator(str(tmp_path)).Reload()
    for example in "01":
        pictures = events.Images(f"val/prediction/{example}/spectrogram")
        clips = clips_in(listener.run_dir, example=example)
        assert [event.step for event in pictures] == [clip.step for clip in clips] == [2, 5]
        assert {event.height for event in pictures} == {513}


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        (si_sdr, ArgumentTypeError, "expected metrics as functions of .prediction, target. by"),
        ({"si_sdr": 12.5}, ArgumentTypeError, "got {'si_sdr': 12.5}"),
        ({"": si_sdr}, ArgumentError, "expected a name for each metric"),
    ],
)
def test_what_is_no_metric_is_refused_at_once(metrics: Any, error: Any, message: str) -> None:
    """In the constructor."""
    with pytest.raises(error, match=message):
        monitor(metrics=metrics)


def test_a_format_that_suits_no_number_is_refused_at_once() -> None:
    """Not when the first clip has been judged."""
    with pytest.raises(ArgumentError, match="expected a format for the number 'si_sdr'"):
        monitor(metrics={"si_sdr": si_sdr}, captions="{si_sdr:x}")
