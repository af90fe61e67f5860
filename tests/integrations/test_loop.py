"""AudioMonitor in a plain PyTorch loop."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import pytest
import soundfile
import torch
from torch import nn
from torch.nn.parallel import DataParallel
from torch.utils.data import DataLoader

from earmark import EarmarkWarning, convert
from earmark.errors import ArgumentError, SampleRateError
from earmark.testing import MemorySink
from earmark_integrations._keywords import Keywords
from earmark_integrations._listener import Listener
from earmark_integrations._loops import moved, unwrapped
from earmark_integrations.loop import AudioMonitor
from tests.integrations.loop_models import (
    GOES_ON,
    RATE,
    STEP_24,
    Filter,
    Voices,
    clips_in,
    each,
    heard_of,
    loader,
    samples,
)


def train(
    monitor: AudioMonitor | None, model: Filter, *, epochs: int = 2, first: int = 0, **place: Any
) -> None:
    """A loop as people write it, with a validation after each epoch."""
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    data = loader(shuffle=True)
    for epoch in range(first, epochs):
        model.train()
        for batch in data:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(batch["noisy"]), batch["clean"]).backward()
            optimizer.step()
        if monitor is not None:
            validate(monitor, model, epoch=epoch, step=3 * (epoch + 1), **place)


def validate(monitor: AudioMonitor, model: Filter, **place: Any) -> None:
    """A validation with what the model returned."""
    val = loader()
    model.eval()
    with torch.no_grad(), monitor.validation(loader=val, **place):
        for batch in val:
            monitor.batch(model(batch["noisy"]), batch)


def test_the_keywords_are_those_of_every_monitor() -> None:
    """What type checkers are told is what the listener takes."""
    taken = inspect.signature(Listener).parameters
    assert list(get_type_hints(Keywords)) == list(taken)
    for name, hint in Keywords.__annotations__.items():
        assert str(hint.__forward_arg__) == str(taken[name].annotation)


def test_clips_are_what_the_loop_hands_over(tmp_path: Path) -> None:
    """Each role is on disk, sample by sample, with its words, where the loop said."""
    model = Filter()
    with AudioMonitor(model, run_dir=tmp_path, max_examples=3) as monitor:
        train(monitor, model)
    assert monitor.run_dir == tmp_path
    assert each(clips_in(tmp_path), "tag", "epoch", "step") == [("val", 0, 3), ("val", 1, 6)]
    predictions = clips_in(tmp_path, role="prediction", epoch=1)
    assert each(predictions, "example", "caption") == [(str(n), f"words {n}") for n in range(3)]
    for clip in predictions:
        made = heard_of(model.eval(), int(clip.example))
        assert np.abs(samples(clip) - made).max() <= STEP_24
    for role, column in (("input", "noisy"), ("target", "clean")):
        for clip in clips_in(tmp_path, role=role):
            expected = Voices()[int(clip.example)][column].numpy()
            np.testing.assert_array_equal(samples(clip), expected)
            assert clip.audio.sample_rate == RATE


def test_only_what_is_due_is_logged(tmp_path: Path) -> None:
    """The first validation, every third epoch, and the last."""
    model = Filter()
    with AudioMonitor(model, run_dir=tmp_path, every_n_epochs=3) as monitor:
        for epoch in range(6):
            validate(monitor, model, epoch=epoch, final=epoch == 5)
    assert each(clips_in(tmp_path), "epoch") == [0, 3, 5]


def test_a_validation_of_several_loaders(tmp_path: Path) -> None:
    """Each has its tag, and all of them are due at once."""
    model = Filter()
    with AudioMonitor(model, run_dir=tmp_path, every_n_epochs=2, max_examples=1) as monitor:
        for epoch in range(3):
            for tag in ("val", "far"):
                validate(monitor, model, epoch=epoch, tag=tag)
    logged = each(clips_in(tmp_path), "tag", "epoch")
    assert sorted(logged) == [("far", 0), ("far", 2), ("val", 0), ("val", 2)]


def test_an_exception_leaves_no_half_take(tmp_path: Path) -> None:
    """It is the loop's own, and the next validation is logged as if nothing was."""
    model = Filter()
    with AudioMonitor(model, run_dir=tmp_path, every_n_epochs=2) as monitor:
        with (  # noqa: PT012 - the exception is in the middle of a loop
            pytest.raises(ZeroDivisionError),
            monitor.validation(epoch=0, loader=loader()),
        ):
            monitor.batch(torch.zeros(2, 1200), next(iter(loader())))
            _ = 1 / 0
        validate(monitor, model, epoch=1)
    assert each(clips_in(tmp_path), "epoch") == [1]


def test_a_loader_that_broke_off_is_gone_through_again(tmp_path: Path) -> None:
    """At the same step as the others, which are not repeated."""
    model = Filter()
    with AudioMonitor(model, run_dir=tmp_path, max_examples=1) as monitor:
        validate(monitor, model, epoch=0)
        with pytest.raises(ZeroDivisionError), monitor.validation(epoch=0, tag="far"):
            _ = 1 / 0
        for tag in ("val", "far"):
            validate(monitor, model, epoch=0, tag=tag)
    assert each(clips_in(tmp_path, role="prediction"), "tag") == ["val", "far"]
    assert len(clips_in(tmp_path, role="prediction")) == 2


def test_batches_belong_into_a_validation(tmp_path: Path) -> None:
    """One that is handed over elsewhere is not logged, which is told once."""
    batch = next(iter(loader()))
    with AudioMonitor(Filter(), run_dir=tmp_path) as monitor:
        with pytest.warns(EarmarkWarning, match=r"within a validation: write `with monitor\.valid"):
            monitor.batch(batch["noisy"], batch)
        monitor.batch(batch["noisy"], batch)
    assert clips_in(tmp_path) == []


def test_a_validation_without_a_batch_is_told(tmp_path: Path) -> None:
    """Once: the loader is empty, or nothing was handed over."""
    model = Filter()
    with AudioMonitor(model, run_dir=tmp_path) as monitor:
        with pytest.warns(EarmarkWarning, match="a batch or more in the loop at step 0, got none"):
            validate_nothing(monitor, epoch=0)
        validate_nothing(monitor, epoch=1)
        validate(monitor, model, epoch=2)
    assert each(clips_in(tmp_path), "epoch") == [2]


def validate_nothing(monitor: AudioMonitor, epoch: int) -> None:
    """A validation over an empty loader."""
    val = loader(0)
    with monitor.validation(epoch=epoch, loader=val):
        for batch in val:
            monitor.batch(batch["noisy"], batch)


def test_a_prediction_of_its_own(tmp_path: Path) -> None:
    """`predict` runs on the batch, and leaves the mode and the random numbers as they were."""
    model = Filter()
    with AudioMonitor(DataParallel(model), run_dir=tmp_path, predict="halve") as monitor:
        noisy = torch.stack([Voices()[index]["noisy"] for index in range(2)])
        random = torch.get_rng_state()
        with monitor.validation(epoch=0, loader=loader()):
            monitor.batch(None, {"noisy": noisy})
        assert model.training
        assert torch.equal(torch.get_rng_state(), random)
    for clip in clips_in(tmp_path, role="prediction"):
        half = Voices()[int(clip.example)]["noisy"].numpy() / 2
        np.testing.assert_array_equal(samples(clip), half)


def test_a_demo_set_is_played_between_validations(tmp_path: Path) -> None:
    """`step` plays it where it is due, with its own words; validation batches are not heard."""
    model = Filter()
    given = {"demo": Voices(2, first=5), "predict": "halve", "every_n_steps": 4}
    with AudioMonitor(model, run_dir=tmp_path, **given) as monitor:  # type: ignore[arg-type]  # a plain dict
        for step in range(1, 10):
            monitor.step(epoch=0, step=step)
            if step == 4:
                validate(monitor, model, epoch=0, step=step)
    clips = clips_in(tmp_path, role="prediction")
    assert each(clips, "tag", "step") == [("demo", 1), ("demo", 4), ("demo", 8)]
    assert each(clips, "caption") == ["words 5", "words 6"]
    assert len(clips) == 6


def test_a_demo_set_is_played_after_validations(tmp_path: Path) -> None:
    """By epochs, at the end of `validation`."""
    model = Filter()
    with AudioMonitor(model, run_dir=tmp_path, demo=Voices(1), predict="halve") as monitor:
        validate(monitor, model, epoch=0)
        validate(monitor, model, epoch=1)
    assert each(clips_in(tmp_path), "tag", "epoch", "example") == [
        *(("demo", 0, "0"), ("demo", 1, "0")),
    ]


def test_step_needs_a_demo_set(tmp_path: Path) -> None:
    """Without one it does nothing, and says so once."""
    with AudioMonitor(Filter(), run_dir=tmp_path) as monitor:
        with pytest.warns(EarmarkWarning, match=r"there is none: pass AudioMonitor\(demo=\)"):
            monitor.step(step=1)
        monitor.step(step=2)
    assert clips_in(tmp_path) == []


def test_training_is_the_same_with_and_without(tmp_path: Path) -> None:
    """Weights and random numbers are equal to the last bit."""
    alone, watched = Filter(), Filter()
    torch.manual_seed(1)
    train(None, alone)
    after = torch.get_rng_state()
    torch.manual_seed(1)
    demo = DataLoader(Voices())
    with AudioMonitor(watched, run_dir=tmp_path, demo=demo, predict="draw") as monitor:
        optimizer = torch.optim.SGD(watched.parameters(), 0.5)
        data = loader(shuffle=True)
        for epoch in range(2):
            for batch in data:
                optimizer.zero_grad()
                nn.functional.mse_loss(watched(batch["noisy"]), batch["clean"]).backward()
                optimizer.step()
            monitor.step(epoch=epoch)
    assert torch.equal(after, torch.get_rng_state())
    for ours, theirs in zip(watched.parameters(), alone.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert len(clips_in(tmp_path, role="prediction")) == 12


def test_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    """Schedule and examples are those of before."""
    model = Filter()
    with AudioMonitor(model, run_dir=tmp_path, every_n_epochs=3) as first:
        train(first, model, epochs=2)
    with AudioMonitor(model, run_dir=tmp_path, every_n_epochs=3) as second:
        second.load_state_dict(first.state_dict())
        train(second, model, first=2, epochs=5)
    clips = clips_in(tmp_path, role="prediction")
    assert each(clips, "epoch") == [0, 3]
    assert len(clips) == 12


def test_bad_outputs_cost_one_warning(tmp_path: Path) -> None:
    """Training goes on; the cause is told once."""
    monitor = AudioMonitor(Filter(), run_dir=tmp_path)

    def run() -> None:
        for epoch in range(3):
            with monitor.validation(epoch=epoch, loader=loader()):
                monitor.batch({"loss": torch.zeros(())}, {"text": ["a", "b"]})

    with pytest.warns(EarmarkWarning) as told:
        run()
    monitor.close()
    (message,) = [str(warning.message) for warning in told]
    assert message.startswith("earmark: a batch at step 0 was not logged: expected a prediction")
    assert message.endswith(GOES_ON)


def test_a_place_is_needed(tmp_path: Path) -> None:
    """Without epoch and step the round is not logged, and the warning says what to pass."""
    with (
        AudioMonitor(Filter(), run_dir=tmp_path) as monitor,
        pytest.warns(EarmarkWarning, match=r"a loop was not logged: expected a step, or an epoch"),
        monitor.validation(),
    ):
        monitor.batch(torch.zeros(1, 1200), {})
    assert clips_in(tmp_path) == []


def test_steps_alone_will_do(tmp_path: Path) -> None:
    """With a schedule of steps no epoch is needed."""
    model = Filter()
    with AudioMonitor(model, run_dir=tmp_path, every_n_steps=10) as monitor:
        for step in (5, 9, 12):
            validate(monitor, model, step=step)
    assert each(clips_in(tmp_path), "step", "epoch") == [(5, None), (12, None)]


def test_sinks_get_every_take(tmp_path: Path) -> None:
    """Those that are given, and no others."""
    sink, model = MemorySink(), Filter()
    with AudioMonitor(model, run_dir=tmp_path, sinks=[sink]) as monitor:
        train(monitor, model)
    assert [take.step for take in sink.takes] == [3, 6]


def test_arguments_are_checked_at_once(tmp_path: Path) -> None:
    """Before the first step: a directory, a sample rate, a method that there is."""
    with pytest.raises(ArgumentError, match="expected run_dir as the directory to write, got none"):
        AudioMonitor(Filter())
    with pytest.raises(SampleRateError, match=r"found none: looked for .* in model;"):
        AudioMonitor(nn.Conv1d(1, 1, 9), run_dir=tmp_path)
    with pytest.raises(ArgumentError, match="expected predict to be a method of Filter, got 'hal'"):
        AudioMonitor(Filter(), run_dir=tmp_path, predict="hal")


def stored_rates(run: Path) -> dict[str, int]:
    """The sample rate of each role, in the headers of the stored files."""
    files = {clip.role: clip.audio.path for clip in clips_in(run)}
    return {role: soundfile.info(str(path)).samplerate for role, path in files.items()}


def test_a_rate_by_role_says_no_more_than_it_names(tmp_path: Path) -> None:
    """The other roles have the model's rate, and the stems those of the role they are stems of."""

    class Separator(Filter):
        sources = ("voice", "rest")

        def forward(self, noisy: torch.Tensor) -> torch.Tensor:
            voice = super().forward(noisy)
            return torch.stack([voice, noisy - voice], 1)

    given = {"input": 2 * RATE, "prediction": 3 * RATE, "prediction.rest": 4 * RATE}
    for name, model, expected in (
        ("whole", Filter(), {"input": 2 * RATE, "prediction": 3 * RATE, "target": RATE}),
        (
            "stems",
            Separator(),
            {
                "input": 2 * RATE,
                "prediction.voice": 3 * RATE,
                "prediction.rest": 4 * RATE,
                "target": RATE,
            },
        ),
    ):
        with AudioMonitor(model, run_dir=tmp_path / name, sample_rate=given) as monitor:
            validate(monitor, model, epoch=0)
        assert stored_rates(tmp_path / name) == expected


def test_stems_that_are_not_named_have_the_rate_that_is_found(tmp_path: Path) -> None:
    """A rate of the input alone says nothing of variants."""
    variants: dict[str, dict[str, Any]] = {"a": {}, "b": {}}
    with AudioMonitor(
        Filter(),
        run_dir=tmp_path,
        sample_rate={"input": 2 * RATE},
        predict=lambda module, batch: module(batch["noisy"]),
        variants=variants,
    ) as monitor:
        validate(monitor, Filter(), epoch=0)
    assert stored_rates(tmp_path) == {
        "input": 2 * RATE,
        "target": RATE,
        "prediction.a": RATE,
        "prediction.b": RATE,
    }


def test_a_role_without_a_rate_is_told_by_its_name(tmp_path: Path) -> None:
    """Where the model has none, what is named is logged, and the rest once a role told of."""
    model = Filter()
    model.sample_rate = None  # type: ignore[assignment]  # what the test is about
    with AudioMonitor(model, run_dir=tmp_path, sample_rate={"input": RATE}) as monitor:
        with pytest.warns(EarmarkWarning) as warned:
            validate(monitor, model, epoch=0)
        validate(monitor, model, epoch=1)
    assert [str(one.message) for one in warned] == [
        f"earmark: the {role} of example '0' at step 0 was not logged: expected a sample rate in "
        "Hz beside raw samples, got none: pass sample_rate={'input': 8000, "
        f"{role!r}: ...}}, whatever these samples have{GOES_ON}"
        for role in ("prediction", "target")
    ]
    assert stored_rates(tmp_path) == {"input": RATE}


def test_it_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By argument or from outside, and then nothing is needed and nothing written."""
    for off in (False, True):
        if off:
            monkeypatch.setenv("EARMARK_MODE", "disabled")
        with AudioMonitor(nn.Linear(1, 1), run_dir=tmp_path / "run", enabled=off) as monitor:
            validate(monitor, Filter(), epoch=0)
            monitor.batch(None, None)
            monitor.step(step=1)
    assert not (tmp_path / "run").exists()


class Pair(NamedTuple):
    """A batch as a collate function may make it."""

    sound: torch.Tensor
    text: str


def test_a_batch_is_moved_whole() -> None:
    """Tensors in any container, and what else knows how to move; the rest stays."""
    meta = torch.device("meta")
    batch = {"pair": Pair(torch.zeros(2), "hello"), "list": [torch.zeros(1), 3], "none": None}
    there = moved(batch, meta)
    assert there["pair"].sound.device == there["list"][0].device == meta
    assert isinstance(there["pair"], Pair)
    assert (there["pair"].text, there["list"][1], there["none"]) == ("hello", 3, None)


def test_the_users_own_module_is_found() -> None:
    """Within what runs it in parallel."""
    model = Filter()
    assert unwrapped(DataParallel(model)) is model
    assert unwrapped(model) is model


def test_the_files_name_is_no_converters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a package that is called as one of our files, the converter is still found."""
    (tmp_path / "loop.py").write_text("class Tape: pass\ndef source(value, *, layout=None): ...\n")
    info = tmp_path / "loop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loop\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[earmark.converters]\nloop = loop\n")
    monkeypatch.syspath_prepend(tmp_path)
    tape = importlib.import_module("loop").Tape()
    try:
        assert convert.source(tape) is None
    finally:
        convert._find.cache_clear()  # pyright: ignore[reportPrivateUsage] - or it stays known
        del sys.modules["loop"]
