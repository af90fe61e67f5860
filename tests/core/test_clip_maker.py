"""Clips of a draft, made behind: metrics computed of their sounds, in records and captions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from earmark import Audio, Clip, Run, open_run
from earmark.captions import Captions
from earmark.testing import noise
from tests.core.faults import flushing, told

SOUNDS = [noise(seed=1), noise(seed=2)]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run to log to."""
    with Run(tmp_path / "run") as run:
        yield run


def gain(prediction: Audio, target: Audio) -> float:
    """By how many decibels the prediction is louder."""
    return prediction.level.rms_dbfs - target.level.rms_dbfs


def clips(run: Run, **wanted: Any) -> list[Clip]:
    """What was published."""
    run.flush()
    return list(open_run(run.path).clips(**wanted))


def test_metrics_are_computed_of_each_prediction(run: Run) -> None:
    """Of its own target, beside numbers that were given; input and target have none of them."""
    targets = np.stack([sound[:, 0] for sound in SOUNDS])
    run.log_batch(
        {"input": targets, "target": targets, "prediction": targets * [[0.5], [0.25]]},
        step=0,
        sample_rate=16_000,
        examples=["a", "b"],
        metrics={"gain": gain, "given": [1.0, 2.0]},
    )
    for clip, decibels in zip(clips(run, role="prediction"), (-6.02, -12.04), strict=True):
        assert clip.metrics["gain"] == pytest.approx(decibels, abs=0.01)
    assert [clip.metrics["given"] for clip in clips(run, role="prediction")] == [1.0, 2.0]
    for role in ("input", "target"):
        assert [clip.metrics for clip in clips(run, role=role)] == [{"given": 1.0}, {"given": 2.0}]


def test_each_stem_and_variant_has_its_own(run: Run) -> None:
    """Compared with the target of its stem, or with the one target there is."""
    run.log(
        {
            "prediction.speech": SOUNDS[0] / 2,
            "prediction.noise": SOUNDS[1] / 4,
            "target.speech": SOUNDS[0],
            "target.noise": SOUNDS[1],
        },
        step=0,
        sample_rate=16_000,
        metrics={"gain": gain},
    )
    found = {clip.role: clip.metrics.get("gain") for clip in clips(run)}
    assert found["prediction.speech"] == pytest.approx(-6.02, abs=0.01)
    assert found["prediction.noise"] == pytest.approx(-12.04, abs=0.01)
    assert found["target.speech"] is None


def test_captions_show_what_was_computed(run: Run) -> None:
    """Where the template has its place; nothing where there is nothing to compare."""
    caption = Captions("{text} | {gain:.1f} dB", ["gain"])({"text": "hello"})
    sounds = {"prediction": SOUNDS[0] / 2, "target": SOUNDS[0]}
    run.log(sounds, step=0, sample_rate=16_000, caption=caption, metrics={"gain": gain})
    assert {clip.role: clip.caption for clip in clips(run)} == {
        "prediction": "hello | -6.0 dB",
        "target": "hello |  dB".strip(" |"),
    }


def test_metrics_that_are_not_finite_are_noted(run: Run) -> None:
    """Silence against silence, for example."""
    sounds = {"prediction": SOUNDS[0], "target": SOUNDS[0]}
    metrics = {"ratio": lambda prediction, target: float("nan")}
    run.log(sounds, step=0, sample_rate=16_000, caption="hi", metrics=metrics)
    (clip,) = clips(run, role="prediction")
    assert (clip.caption, clip.note, clip.metrics) == ("hi [ratio = nan]", "ratio = nan", {})


def test_a_metric_that_raises_costs_no_clip(run: Run) -> None:
    """The warning names the metric and the clip, once."""

    def pesq(prediction: Audio, target: Audio) -> float:
        raise RuntimeError("no utterances detected")

    with told() as messages, flushing(run):
        for step in range(2):
            sounds = {"prediction": SOUNDS[0], "target": SOUNDS[1]}
            run.log(sounds, step=step, sample_rate=16_000, example="utt", metrics={"pesq": pesq})
    assert len(messages) == 1
    assert messages[0].startswith(
        "earmark: the metric 'pesq' of the prediction of example 'utt' at step 0 was not logged: "
        "RuntimeError: no utterances detected. Training goes on"
    )
    assert len(clips(run)) == 4


def test_without_a_target_there_is_nothing_to_compute(run: Run) -> None:
    """It is said once what is missing."""
    message = (
        "earmark: expected a prediction and its target to compute gain of, got prediction, input "
        "of example 'utt': log the target beside the prediction, AudioMonitor(target=...)"
    )
    with told() as messages, flushing(run):
        for step in range(2):
            sounds = {"prediction": SOUNDS[0], "input": SOUNDS[1]}
            run.log(sounds, step=step, sample_rate=16_000, example="utt", metrics={"gain": gain})
    assert messages == [message]
    assert len(clips(run)) == 4


def test_a_sound_that_cannot_be_read_costs_its_metrics_as_well(run: Run, tmp_path: Path) -> None:
    """A target whose file is damaged: the prediction is heard, without a number."""
    broken = tmp_path / "broken.flac"
    soundfile.write(broken, SOUNDS[1], 16_000)
    broken.write_bytes(broken.read_bytes()[:1000])
    with told() as messages, flushing(run):
        sounds = {"prediction": SOUNDS[0], "target": str(broken)}
        run.log(sounds, step=0, sample_rate=16_000, example="utt", metrics={"gain": gain})
    assert len(messages) == 2
    assert messages[0].startswith("earmark: the metric 'gain' of the prediction of example 'utt'")
    assert messages[1].startswith("earmark: the target of example 'utt' at step 0 was not logged")
    assert [(clip.role, dict(clip.metrics)) for clip in clips(run)] == [("prediction", {})]


def test_memory_is_given_back(run: Run) -> None:
    """Computing metrics holds on to nothing."""
    sounds = {"prediction": SOUNDS[0], "target": SOUNDS[1]}
    run.log(sounds, step=0, sample_rate=16_000, metrics={"gain": gain})
    run.flush()
    assert run.draft(step=1).memory.in_use == 0
