"""Whatever a step returns and whatever goes wrong: one warning, and training ends normally."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import earmark
from earmark.errors import ArgumentError, ArgumentTypeError, EarmarkError, StorageError
from earmark_integrations.lightning import AudioMonitor
from tests.integrations.lightning_models import (
    FRAMES,
    GOES_ON,
    Denoiser,
    clips_in,
    fit,
    monitor,
    numbers,
    speech,
)

TENSOR = f"float32 (4, {FRAMES})"
BATCH = f"noisy: {TENSOR}, clean: {TENSOR}, text: list of 4"
RETURN = ": return {'prediction': sound}, or pass predict= to make one of the batch"
LOST = "earmark: a batch at step 2 was not logged: "
LOST_PREDICTION = "earmark: the prediction of a batch at step 2 was not logged: "
A_BATCH = "expected a batch of shape (B, T) or (B, C, T)"
LOST_CLIP = "earmark: the prediction of example '0' at step 2 was not logged: "


class Returns(Denoiser):
    """A module whose validation returns something else.

    Args:
        make: Makes it of the prediction, `(4, 400)` and in the last batch `(2, 400)`.
    """

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make = make

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
        """What the step of the other modules returns, changed."""
        return self.make(super().validation_step(batch, index)["prediction"])


def returned(root: Path, make: Any, **given: Any) -> tuple[list[str], AudioMonitor]:
    """Train for two epochs, and collect what was told."""
    listener, module = monitor(**given), Returns(make)
    messages = fit(root, listener, module=module, max_epochs=2)
    assert len(module.returned) == 2 * 3
    return messages, listener


class Odd:
    """What nobody knows."""


@pytest.mark.parametrize(
    ("make", "outputs"),
    [
        (lambda made: None, f"None{RETURN}"),
        (lambda made: made.square().mean(), f"float32 (){RETURN}"),
        (lambda made: {"loss": made.square().mean()}, f"loss: float32 (){RETURN}"),
        (lambda made: {"prediction": None}, f"{{'prediction': None}} (dict){RETURN}"),
        (lambda made: (made.mean(), made[:, :300]), "0: float32 (), 1: float32 (4, 300): say wher"),
        (lambda made: {"mel": made}, f"mel: {TENSOR}: say where it is, such as AudioMonitor(pred"),
        (lambda made: "nothing", f"str{RETURN}"),
        (lambda made: Odd(), "Odd: say what it holds, earmark.register_output(Odd, lambda output:"),
    ],
    ids=["None", "loss", "no key", "empty key", "tuple", "never", "text", "unknown type"],
)
def test_outputs_without_a_prediction(tmp_path: Path, make: Any, outputs: str) -> None:
    """The message lists what the step returned, and the way out of just that."""
    (message,), listener = returned(tmp_path, make)
    expected = "expected a prediction in the outputs, found none in "
    assert message.startswith(f"{LOST}{expected}{outputs}")
    assert message.endswith(GOES_ON)
    assert clips_in(listener.run_dir) == []


def test_outputs_with_several_predictions(tmp_path: Path) -> None:
    """None is guessed: the message lists them, and what to write."""
    (message,), listener = returned(
        tmp_path, lambda made: {"fake": made.repeat(1, 4), "enhanced": made.repeat(1, 4)}
    )
    long = "float32 (4, 1600)"
    assert message == (
        f"{LOST}expected one prediction, found 2 that may be it, fake: {long}, enhanced: {long}: "
        'say which, AudioMonitor(prediction="fake") or AudioMonitor(prediction="enhanced")'
        f"{GOES_ON}"
    )
    assert clips_in(listener.run_dir) == []


@pytest.mark.parametrize("role", ["input", "target", "prediction", "lengths"])
def test_a_key_that_is_not_there(tmp_path: Path, role: str) -> None:
    """The message names the argument and the key; the prediction is heard, if it is there."""
    messages, listener = returned(tmp_path, lambda made: {"prediction": made}, **{role: "sound"})
    lost = LOST if role == "prediction" else LOST_PREDICTION.replace("prediction", role)
    assert messages == [
        (
            f"{lost}expected the {role} under 'sound', found none in outputs with prediction: "
            f"{TENSOR} and a batch with {BATCH}: write AudioMonitor({role}=...) with a key, a path "
            "such as "
            f"'out.audio', an index, or a function of (outputs, batch){GOES_ON}"
        )
    ]
    assert len(clips_in(listener.run_dir)) == (0 if role == "prediction" else 2 * 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda made: made[:, None, None], f"{A_BATCH}, got shape (2, 1, 1, {FRAMES}): "),
        (lambda made: made.reshape(len(made), 80, 5), f"{A_BATCH}, got shape (2, 80, 5), "),
        (lambda made: made[..., None].repeat(1, 1, 2), f"{A_BATCH}, got shape (2, {FRAMES}, 2), "),
        (lambda made: made[:, :0], "expected one sound of shape (T,) or (C, T), got shape (0,)"),
        (torch.fft.rfft, "expected float samples, or PCM of int8, uint8, int16, int32, got "),
        (
            lambda made: (made * 100).long(),
            "expected float samples, or PCM of int8, uint8, int16, int32, got ",
        ),
    ],
    ids=["4-d", "mel", "channels last", "no frames", "complex", "codes"],
)
def test_shapes_and_dtypes_that_hold_no_sound(tmp_path: Path, make: Any, message: str) -> None:
    """Each is told once, by role, and costs nothing but its own clips."""
    (told,), listener = returned(tmp_path, lambda made: {"prediction": make(made)})
    assert told.startswith(f"{LOST_PREDICTION}{message}")
    assert told.endswith(GOES_ON)
    assert clips_in(listener.run_dir) == []


def test_a_number_is_no_batch_of_sounds(tmp_path: Path) -> None:
    """A loss under the key of the prediction is told from one."""
    (told,), _ = returned(tmp_path, lambda made: {"prediction": made.mean()})
    assert told == (
        f"{LOST}expected 'prediction' as a batch of sounds, (B, T), (B, C, T) or a list, got "
        f"float32 (): AudioMonitor(prediction='key') says where else it is{GOES_ON}"
    )


def test_one_bad_role_costs_that_role_only(tmp_path: Path) -> None:
    """Input and target are logged though the prediction is a spectrogram."""
    messages, listener = returned(
        tmp_path, lambda made: {"prediction": torch.fft.rfft(made)}, input="noisy", target="clean"
    )
    assert len(messages) == 1
    assert numbers(clips_in(listener.run_dir), "role") == ["input", "target"]


def test_one_bad_item_costs_that_item_only(tmp_path: Path) -> None:
    """The other sounds of a list are logged."""
    messages, listener = returned(
        tmp_path,
        lambda made: {"prediction": [made[0] * 1j, *made[1:]]},
        target="clean",
        max_examples=3,
    )
    assert len(messages) == 1
    assert messages[0].startswith(f"{LOST_CLIP}expected")
    assert "complex64" in messages[0]
    assert numbers(clips_in(listener.run_dir, role="prediction"), "example") == ["1", "2"]
    assert numbers(clips_in(listener.run_dir, role="target"), "example") == ["0", "1", "2"]


def test_roles_of_different_sizes(tmp_path: Path) -> None:
    """Nobody knows which prediction belongs to which target."""
    messages, listener = returned(tmp_path, lambda made: made[1:], target="clean")
    assert len(messages) == 1
    assert "prediction" in messages[0]
    assert "4" in messages[0]
    assert "3" in messages[0]
    assert clips_in(listener.run_dir) == []


def test_sounds_that_are_not_numbers_are_stored_and_told(tmp_path: Path) -> None:
    """A model that diverges is heard, and its caption says what is wrong; nothing is warned of."""

    def diverge(made: Tensor) -> Tensor:
        made[:, :5] = torch.tensor([torch.nan, torch.inf, -torch.inf, 2.0, -3.0])
        return made

    messages, listener = returned(tmp_path, diverge)
    assert messages == []
    for clip in clips_in(listener.run_dir):
        assert (clip.level.num_nonfinite, clip.level.num_over) == (3, 2)
        assert clip.caption.startswith(f"words {clip.example} [peak +9.5 dBFS, 2 samples over")
        assert clip.audio.samples[:5, 0].tolist() == [0, 0, 0, 2, -3]


def test_a_prediction_of_nothing_but_nan_is_stored_and_told(tmp_path: Path) -> None:
    """It is silence, whose caption says why; its target is heard beside it."""
    messages, listener = returned(tmp_path, lambda made: made * torch.nan, target="clean")
    assert messages == []
    clips = clips_in(listener.run_dir, role="prediction")
    assert [clip.level.num_nonfinite for clip in clips] == [FRAMES] * 4
    assert all("400 non-finite samples stored as 0" in clip.caption for clip in clips)
    assert len(clips_in(listener.run_dir, role="target")) == 4


def test_no_example_at_all(tmp_path: Path) -> None:
    """Batches of no items leave an empty run, whatever is done to them."""
    messages, listener = returned(tmp_path, lambda made: made[:0])
    assert clips_in(listener.run_dir) == []
    assert len(messages) <= 1


def test_a_selector_that_raises(tmp_path: Path) -> None:
    """A function of the user is no part of the training, and costs its own clips alone."""
    messages, listener = returned(
        tmp_path, lambda made: made, target=lambda outputs, batch: batch["missing"]
    )
    lost = LOST.replace("a batch", "the target of a batch")
    assert messages == [f"{lost}KeyError: 'missing'{GOES_ON}"]
    assert {clip.role for clip in clips_in(listener.run_dir)} == {"prediction"}


@pytest.mark.parametrize("make", [lambda made: None, lambda made: made * 1j], ids=["lost", "bad"])
def test_strict_raises_it(tmp_path: Path, make: Any) -> None:
    """Then the training stops where the fault is."""
    with pytest.raises(EarmarkError, match=r"prediction|complex64"):
        returned(tmp_path, make, strict=True)


class Breaks(Denoiser):
    """A module that breaks, in its second epoch if not told otherwise.

    Args:
        where: The step in which it does.
        error: What it raises.
        at: Epoch and batch.
    """

    def __init__(self, where: str, error: BaseException, at: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.where, self.error, self.at = where, error, at

    def break_in(self, step: str, index: int) -> None:
        """Raise, if this is the place."""
        if step == self.where and (self.current_epoch, index) == self.at:
            raise self.error

    def training_step(self, batch: Any, index: int) -> Tensor:
        """A step."""
        self.break_in("training", index)
        return super().training_step(batch, index)

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
        """A step."""
        self.break_in("validation", index)
        return super().validation_step(batch, index)


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Lightning makes the process deaf to interrupts once it has had one."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("where", ["training", "validation"])
@pytest.mark.parametrize(
    ("error", "seen"),
    [(RuntimeError("diverged"), RuntimeError), (KeyboardInterrupt(), SystemExit)],
    ids=["error", "interrupt"],
)
def test_a_training_that_breaks_leaves_whole_takes(
    tmp_path: Path, where: str, error: BaseException, seen: Any
) -> None:
    """What was published before is there; the validation that broke is not, not even half."""
    listener = monitor(max_examples=6)
    with pytest.raises(seen):
        fit(tmp_path, listener, module=Breaks(where, error), max_epochs=3)
    run = earmark.open_run(tmp_path / "earmark")
    assert [len(take.clips) for take in run.takes()] == [6]
    assert not list((tmp_path / "earmark").rglob(".tmp*"))


def test_a_monitor_serves_again_after_an_error(tmp_path: Path) -> None:
    """Who trains anew in a notebook, with the same monitor, is heard from the first epoch on."""
    listener = monitor(max_examples=6)
    with pytest.raises(RuntimeError, match=r"^diverged$"):
        fit(tmp_path / "1", listener, module=Breaks("validation", RuntimeError("diverged"), (0, 1)))
    assert fit(tmp_path / "2", listener) == []
    assert len(clips_in(tmp_path / "2" / "earmark")) == 6


def test_a_run_that_disappears_costs_its_clips_only(tmp_path: Path) -> None:
    """Somebody who tidies up while a model trains does not stop it."""

    def tidy(module: Any, batch: Any) -> Tensor:
        shutil.rmtree(tmp_path / "earmark", ignore_errors=True)
        (tmp_path / "earmark").write_text("no directory any more")
        return speech(0)[None]

    (message,) = fit(tmp_path, monitor(predict=tidy))
    assert message.startswith("earmark: a take of 1 clips at step 2 was not logged: ")
    assert message.endswith(GOES_ON)


def test_a_directory_that_cannot_be_written_is_an_error_before_the_first_step(
    tmp_path: Path,
) -> None:
    """Configuration errors are raised in `setup`."""
    (tmp_path / "file").write_text("in the way")
    message = f"expected a directory that can be written at '{tmp_path / 'file' / 'run'}', got "
    with pytest.raises(StorageError, match=f"^{re.escape(message)}"):
        fit(tmp_path, monitor(run_dir=tmp_path / "file" / "run"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sinks": "wandb"}, ArgumentTypeError, "sinks as a list of names, such as ['wandb'], or "),
        ({"tag": 3}, ArgumentTypeError, "tag as text, such as 'val', got 3 (int)"),
        ({"run_dir": 3}, ArgumentTypeError, "run_dir as a path, got 3 (int)"),
        ({"schedule": 5}, ArgumentTypeError, "schedule as one such as earmark.at_epochs([0, 1, 5"),
        ({"every_n_epochs": 0}, ArgumentError, "every_n_epochs of a positive integer, got 0"),
        ({"every_n_steps": 2.5}, ArgumentError, "every_n_steps of a positive integer, got 2.5"),
        ({"max_examples": 0}, ArgumentError, "max_examples of 1 or more, got 0"),
        ({"target": 1.5}, ArgumentTypeError, "target as a key, a path such as 'out.audio', an in"),
        ({"lengths": 1.5}, ArgumentTypeError, "lengths as a key, a path such as 'out.audio', an "),
        ({"roles": "mel"}, ArgumentTypeError, "roles as selectors by name, such as {'residual': "),
        (
            {"roles": {"target": "clean"}, "target": "clean"},
            ArgumentError,
            "each role once, got target= and roles={'target': ...}: leave out one of them",
        ),
        (
            {"decode": 3},
            ArgumentTypeError,
            (
                "decode as a function of a batch, or the name of a submodule or method, got 3 "
                "(int): pass decode=vocoder, or by role, decode={'prediction': vocoder, "
                "'target': vocoder}"
            ),
        ),
        (
            {"variants": {"cfg3": {"cfg": 3}}},
            ArgumentError,
            "predict= beside variants=, got none: variants are for what it makes, such as predict=",
        ),
        ({"weights": "ema"}, ArgumentError, "predict= beside weights=, got none: weights are for"),
        ({"demo": iter(["hello"])}, ArgumentTypeError, "demo as a loader, a data set, or a list "),
        ({"captions": "{text"}, ArgumentError, "captions as a template such as '{text} | epoch "),
        ({"stems": ["a", "a"]}, ArgumentError, "the name of each stem once, got ['a', 'a']"),
        ({"examples": []}, ArgumentError, "one example or more, got none: to switch logging off"),
        ({"ranks": "one"}, ArgumentError, "ranks to be one of 'zero', 'shard', 'all', got 'one'"),
        ({"transform": 3}, ArgumentTypeError, "transform as a function of (sounds, role), got 3"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_impossible_arguments_are_refused_by_the_constructor(
    arguments: Any, error: Any, message: str
) -> None:
    """Each with what was expected, and what came."""
    with pytest.raises(error, match=f"^expected {re.escape(message)}"):
        monitor(**arguments)
