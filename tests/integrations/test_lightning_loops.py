"""The loops of a trainer: which are logged, under which tag, and when none of them is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earmark
from earmark import at_epochs
from earmark.errors import ArgumentError
from tests.integrations.lightning_models import (
    STEP_24,
    Denoiser,
    clips_in,
    fit,
    heard,
    loader,
    make_trainer,
    monitor,
    numbers,
    told,
)


def epochs(listener: Any) -> list[Any]:
    """The epochs that were logged."""
    return numbers(clips_in(listener.run_dir, role="prediction"), "epoch")


@pytest.mark.parametrize(
    ("arguments", "settings", "logged"),
    [
        ({}, {}, [0, 1, 2, 3, 4, 5, 6]),
        ({"every_n_epochs": 3}, {}, [0, 3, 6]),
        ({"every_n_epochs": 4}, {}, [0, 4, 6]),
        ({"every_n_epochs": 2}, {"check_val_every_n_epoch": 3}, [2, 5]),
        ({"every_n_epochs": 3}, {"val_check_interval": 0.5}, [0, 3, 6]),
        ({"schedule": at_epochs([1, 4])}, {}, [1, 4]),
        ({"schedule": at_epochs([1, 4])}, {"check_val_every_n_epoch": 2}, [1, 5]),
        ({"every_n_steps": 6}, {}, [0, 3, 6]),
    ],
    ids=str,
)
def test_validations_that_are_due_are_logged(
    tmp_path: Path, arguments: dict[str, Any], settings: dict[str, Any], logged: list[int]
) -> None:
    """The first one, the first at or after each multiple, and the last, of two steps an epoch."""
    listener = monitor(max_examples=1, **arguments)
    messages = fit(tmp_path, listener, max_epochs=7, train=loader(8), val=loader(1), **settings)
    assert messages == []
    assert epochs(listener) == logged


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"every_n_epochs": 2, "every_n_steps": 100}, "every_n_epochs and every_n_steps"),
        ({"every_n_epochs": 2, "schedule": at_epochs([1])}, "every_n_epochs and schedule"),
        ({"every_n_steps": 2, "schedule": at_epochs([1])}, "every_n_steps and schedule"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_contradicting_schedules_are_refused_at_once(arguments: Any, names: str) -> None:
    """The constructor names the arguments of which one has to go."""
    message = (
        f"^expected one of every_n_epochs, every_n_steps and schedule, got {names}: leave out all "
        "but one$"
    )
    with pytest.raises(ArgumentError, match=message):
        monitor(**arguments)


@pytest.mark.parametrize("loop", ["validate", "test", "predict"])
def test_every_loop_is_logged_under_its_tag(tmp_path: Path, loop: str) -> None:
    """Outside of a training every loop is due, and a tag of one's own stays distinct."""
    kind = {"validate": "val"}.get(loop, loop)
    for tag, expected in ((None, kind), ("mine", "mine" if kind == "val" else f"mine/{kind}")):
        listener, module = monitor(tag=tag, every_n_epochs=100), Denoiser()
        trainer = make_trainer(tmp_path / str(tag), listener)
        with told() as messages:
            getattr(trainer, loop)(module, loader())
        assert messages == []
        clips = clips_in(listener.run_dir)
        assert [clip.tag for clip in clips] == [expected, expected]
        made = module(next(iter(loader()))["noisy"]).detach().numpy()
        for clip in clips:
            assert np.abs(heard(clip) - made[int(clip.example)]).max() <= STEP_24


def test_one_monitor_serves_several_loops(tmp_path: Path) -> None:
    """Training, testing and predicting one after another go to one run, with nothing to tell."""
    listener, module = monitor(max_examples=1), Denoiser()
    trainer = make_trainer(tmp_path, listener)
    with told() as messages:
        trainer.validate(module, loader(), verbose=False)
        trainer.fit(module, loader(), loader())
        trainer.validate(module, loader(), verbose=False)
        trainer.test(module, loader(), verbose=False)
        trainer.predict(module, loader())
    assert messages == []
    places = [(clip.tag, clip.step, clip.epoch) for clip in clips_in(listener.run_dir)]
    assert sorted(places) == [
        ("predict", 3, 1),
        ("test", 3, 1),
        ("val", 0, 0),
        ("val", 2, 0),
        ("val", 3, 1),
    ]


def test_a_limited_validation_is_logged_as_far_as_it_goes(tmp_path: Path) -> None:
    """Two batches of four make no more than eight examples, and none is missed."""
    listener = monitor(max_examples=9)
    assert fit(tmp_path, listener, limit_val_batches=2) == []
    assert len(clips_in(listener.run_dir)) == 8


def test_no_validation_leaves_an_empty_run(tmp_path: Path) -> None:
    """There is nothing to log, and nothing wrong."""
    listener = monitor()
    assert fit(tmp_path, listener, limit_val_batches=0) == []
    assert clips_in(listener.run_dir) == []


@pytest.mark.parametrize("how", ["mode", "argument"])
def test_it_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Then nothing is asked of the module, nothing runs, and nothing is written."""

    class Module(Denoiser):
        sample_rate = None  # type: ignore[assignment]  # nobody is to look for it

        def fail(self, batch: Any) -> None:
            raise AssertionError("it is switched off")

    if how == "mode":
        monkeypatch.setenv("EARMARK_MODE", "disabled")
    listener = monitor(predict="fail", enabled=how == "mode")
    assert fit(tmp_path, listener, module=Module()) == []
    assert earmark.list_runs(tmp_path) == []
    assert listener.run_dir is None


def test_an_unknown_mode_is_refused_in_setup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt switch neither logs nor keeps silent."""
    monkeypatch.setenv("EARMARK_MODE", "off")
    message = "^expected EARMARK_MODE to be one of enabled, disabled, got 'off': unset it$"
    with pytest.raises(ArgumentError, match=message):
        fit(tmp_path, monitor())
