"""`variants=`, `weights=`, `decode=` and `transform=`: what is heard of a model, and how."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from earmark.errors import ArgumentError, EarmarkError
from tests.integrations.lightning_models import (
    GOES_ON,
    Denoiser,
    clips_in,
    fit,
    heard,
    loader,
    monitor,
    numbers,
    speech,
    utterance,
)

LOST = " of a batch at step 2 was not logged: "


class Vocoder(nn.Module):
    """Makes 100 samples of each frame, of the first of 80 mel bands; notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Tensor] = []
        self.modes: list[tuple[bool, bool]] = []

    def forward(self, mel: Tensor) -> Tensor:
        """From `(B, 80, T)` to `(B, 100 T)`."""
        self.given.append(mel)
        self.modes.append((self.training, torch.is_grad_enabled()))
        return mel[:, 0].repeat_interleave(100, -1)


def mel_of(index: int) -> Tensor:
    """A mel spectrogram of four frames, on the grid of 16 bits."""
    return speech(index)[:320].reshape(80, 4)


class Acoustic(Denoiser):
    """A model of mel spectrograms, with a vocoder that it does not train."""

    def __init__(self) -> None:
        super().__init__()
        self.vocoder = Vocoder()
        self.generator = nn.Module()
        self.generator.vocoder = self.vocoder

    def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
        """Twice what is in the batch."""
        return {"mel": 2 * batch["mel"], "loss": batch["mel"].mean()}


def vocoded(index: int, gain: float = 1.0) -> Any:
    """What the vocoder makes of an item."""
    return gain * mel_of(index)[0].repeat_interleave(100).numpy()


@pytest.mark.parametrize("decode", ["vocoder", "generator.vocoder", "function"])
def test_only_chosen_examples_are_decoded(tmp_path: Path, decode: str) -> None:
    """By name or as a function: three rows of ten, in eval mode and without gradients."""
    module = Acoustic()
    given: Any = module.vocoder if decode == "function" else decode
    listener = monitor(prediction="mel", decode=given, examples=["utt-1", "utt-2", "utt-9"])
    val = loader(mel=mel_of, id=utterance)
    assert fit(tmp_path, listener, module=module, val=val, max_epochs=2) == []
    assert [len(mel) for mel in module.vocoder.given] == [2, 1] * 2
    assert set(module.vocoder.modes) == {(False, False)}
    assert module.vocoder.training
    clips = clips_in(listener.run_dir, role="prediction")
    assert [clip.example for clip in clips] == ["utt-1", "utt-2", "utt-9"] * 2
    for clip in clips:
        index = int(clip.example.removeprefix("utt-"))
        np.testing.assert_array_equal(heard(clip), vocoded(index, 2))


def test_each_role_is_decoded_by_its_own(tmp_path: Path) -> None:
    """The target, a mel as well, by a function; the prediction by a submodule."""
    listener = monitor(
        prediction="outputs.mel",
        target="batch.mel",
        decode={"prediction": "vocoder", "target": lambda mel: mel[:, 1]},
    )
    assert fit(tmp_path, listener, module=Acoustic(), val=loader(mel=mel_of)) == []
    for clip in clips_in(listener.run_dir, role="prediction"):
        np.testing.assert_array_equal(heard(clip), vocoded(int(clip.example), 2))
    for clip in clips_in(listener.run_dir, role="target"):
        np.testing.assert_array_equal(heard(clip), mel_of(int(clip.example))[1].numpy())
    assert len(clips_in(listener.run_dir)) == 4


def test_lengths_of_decoded_sounds_count_frames(tmp_path: Path) -> None:
    """With the hop, they cut the padding off what the vocoder made."""
    val = loader(mel=mel_of, num_frames=lambda index: 1 + index)
    listener = monitor(prediction="mel", decode="vocoder", lengths=("num_frames", 100))
    assert fit(tmp_path, listener, module=Acoustic(), val=val) == []
    for clip in clips_in(listener.run_dir):
        assert clip.audio.num_frames == 100 * (1 + int(clip.example))


def test_a_transform_changes_what_is_heard(tmp_path: Path) -> None:
    """After decoding, role by role, of the chosen examples only."""
    seen: list[tuple[str, tuple[int, ...]]] = []

    def louder(sounds: Tensor, role: str) -> Tensor:
        seen.append((role, tuple(sounds.shape)))
        return 2 * sounds if role == "prediction" else sounds

    listener = monitor(prediction="mel", decode="vocoder", target="clean", transform=louder)
    assert fit(tmp_path, listener, module=Acoustic(), val=loader(mel=mel_of)) == []
    assert seen == [("prediction", (2, 400)), ("target", (2, 400))]
    for clip in clips_in(listener.run_dir, role="prediction"):
        np.testing.assert_array_equal(heard(clip), vocoded(int(clip.example), 4))
    for clip in clips_in(listener.run_dir, role="target"):
        np.testing.assert_array_equal(heard(clip), speech(int(clip.example)).numpy())


@pytest.mark.parametrize("keyword", ["decode", "transform"])
def test_who_changes_sounds_in_place_changes_no_batch(tmp_path: Path, keyword: str) -> None:
    """Outputs and batch are the training's, and another monitor hears them as they were."""

    def halved(sounds: Tensor, role: str = "") -> Tensor:
        return sounds.mul_(0.5)

    given: dict[str, Any] = {keyword: {"target": halved} if keyword == "decode" else halved}
    settings: dict[str, Any] = {"prediction": "clean", "target": "clean"}
    first, second = monitor(tag="first", **settings, **given), monitor(tag="second", **settings)
    assert fit(tmp_path, first, second) == []
    for tag, gain in (("first", 0.5), ("second", 1.0)):
        for clip in clips_in(first.run_dir, role="target", tag=tag):
            np.testing.assert_array_equal(heard(clip), gain * speech(int(clip.example)).numpy())


def fail(*given: Any) -> Any:
    """What goes wrong in code of the user's."""
    raise RuntimeError("out of memory, or so")


@pytest.mark.parametrize("keyword", ["decode", "transform"])
def test_what_raises_costs_its_role_only(tmp_path: Path, keyword: str) -> None:
    """One warning over all batches and epochs; the target is heard."""

    def transform(sounds: Tensor, role: str) -> Tensor:
        return fail() if role == "prediction" else sounds

    given: dict[str, Any] = {"decode": fail} if keyword == "decode" else {"transform": transform}
    listener, module = monitor(prediction="mel", target="clean", **given), Acoustic()
    messages = fit(tmp_path, listener, module=module, val=loader(mel=mel_of), max_epochs=2)
    assert messages == [f"earmark: the prediction{LOST}RuntimeError: out of memory, or so{GOES_ON}"]
    assert numbers(clips_in(listener.run_dir), "role") == ["target"]
    assert module.training


def test_a_decoder_that_makes_too_few_is_told(tmp_path: Path) -> None:
    """Nobody knows which sound is whose."""
    listener = monitor(prediction="mel", decode=lambda mel: mel[:1, 0])
    (message,) = fit(tmp_path, listener, module=Acoustic(), val=loader(mel=mel_of))
    assert "expected 2 sounds of the prediction from decode, one for each example" in message
    assert clips_in(listener.run_dir) == []


class Generative(Denoiser):
    """Makes noise, in the manner that its arguments say."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[float, int]] = []

    def generate(self, batch: dict[str, Any], *, scale: float = 1.0, steps: int = 1) -> Tensor:
        """Noise of a scale above full scale, so that it is stored as float32."""
        self.calls.append((scale, steps))
        if steps == 0:
            raise RuntimeError("no steps")
        return 8 * scale * torch.randn_like(batch["noisy"])


def test_variants_are_heard_side_by_side(tmp_path: Path) -> None:
    """Of the same noise, each under its name, beside one target; the training is not changed."""
    module = Generative()
    variants = {"cfg1": {"scale": 1.0}, "cfg3": {"scale": 2.0, "steps": 5}}
    listener = monitor(predict="generate", variants=variants, target="clean")
    assert fit(tmp_path, listener, module=module, max_epochs=2) == []
    assert module.calls == [(1.0, 1), (2.0, 5)] * 2
    clips = clips_in(listener.run_dir)
    assert {clip.role for clip in clips} == {"target", "prediction.cfg1", "prediction.cfg3"}
    sounds = {(clip.role, clip.example, clip.epoch): heard(clip) for clip in clips}
    for example in ("0", "1"):
        np.testing.assert_array_equal(sounds["target", example, 0], speech(int(example)).numpy())
        for epoch in (0, 1):
            first = sounds["prediction.cfg1", example, 0]
            np.testing.assert_array_equal(sounds["prediction.cfg1", example, epoch], first)
            np.testing.assert_array_equal(sounds["prediction.cfg3", example, epoch], 2 * first)


def test_a_variant_that_raises_costs_itself_only(tmp_path: Path) -> None:
    """The message says which one it was."""
    variants: dict[str, Any] = {"none": {"steps": 0}, "some": {}, "odd": {"step": 1}}
    listener = monitor(predict="generate", variants=variants)
    messages = fit(tmp_path, listener, module=Generative(), max_epochs=2)
    assert messages == [
        "earmark: what predict makes of a batch as 'none' was not logged: RuntimeError: no steps"
        + GOES_ON,
        (
            "earmark: what predict makes of a batch as 'odd' was not logged: TypeError: Generative."
            f"generate() got an unexpected keyword argument 'step'{GOES_ON}"
        ),
    ]
    assert numbers(clips_in(listener.run_dir), "role") == ["prediction.some"]


class Averaged(Denoiser):
    """Keeps an average of its filter in two ways: as a submodule, and to be swapped in."""

    def __init__(self) -> None:
        super().__init__()
        self.average = AveragedModel(Gain(0.5))
        self.gain = Gain(1.0)

    def generate(self, batch: dict[str, Any]) -> Tensor:
        """The clean speech, as loud as the weights say."""
        return self.gain.generate(batch)

    @contextmanager
    def ema_scope(self) -> Generator[None]:
        """Weights of 0.25 for a while."""
        kept = self.gain.gain.clone()
        self.gain.gain.copy_(torch.tensor(0.25))
        try:
            yield
        finally:
            self.gain.gain.copy_(kept)


class Gain(nn.Module):
    """A part of a model that can be averaged."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def generate(self, batch: dict[str, Any]) -> Tensor:
        """The clean speech, as loud as the weights say."""
        made: Tensor = self.gain * batch["clean"]
        return made


@pytest.mark.parametrize(
    ("weights", "gain"),
    [
        (None, 1),
        ("average", 0.5),
        ("ema_scope", 0.25),
        (lambda module: module.ema_scope(), 0.25),
    ],
    ids=["own", "submodule", "method", "function"],
)
def test_the_weights_that_are_asked_for_are_heard(
    tmp_path: Path, weights: Any, gain: float
) -> None:
    """And those that train are what they were."""
    listener, module = monitor(predict="generate", weights=weights), Averaged()
    assert fit(tmp_path, listener, module=module) == []
    clips = clips_in(listener.run_dir)
    assert len(clips) == 2
    for clip in clips:
        np.testing.assert_array_equal(heard(clip), gain * speech(int(clip.example)).numpy())
    assert module.gain.gain == 1


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"predict": "genrate"},
            ArgumentError,
            "predict to be a method of Averaged, got 'genrate'",
        ),
        (
            {"predict": "generate", "weights": "emma"},
            ArgumentError,
            "weights to be a method of Averaged, got 'emma': name one, or pass a function of the",
        ),
        (
            {"predict": "forwards", "weights": "average"},
            ArgumentError,
            "predict to be a method of Gain, got 'forwards'",
        ),
        (
            {"decode": "vocodr"},
            ArgumentError,
            "decode to be a submodule or method of Averaged, got 'vocodr': name one, or pass a fun",
        ),
        ({"demo": ["a"], "predict": "say"}, ArgumentError, "predict to be a method of Averaged, "),
    ],
    ids=["predict", "weights", "predict of weights", "decode", "demo"],
)
def test_names_that_are_not_there_are_refused_before_the_first_step(
    tmp_path: Path, given: Any, error: type[EarmarkError], message: str
) -> None:
    """In `setup`, where a typing error costs nothing yet."""
    module = Averaged()
    with pytest.raises(error, match=f"^expected {message}"):
        fit(tmp_path, monitor(**given), module=module)
    assert module.returned == []
