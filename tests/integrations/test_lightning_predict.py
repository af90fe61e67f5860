"""`predict=`: a prediction made for listening, beside the training and without a trace in it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from earmark.errors import ArgumentTypeError
from tests.integrations.lightning_models import (
    GOES_ON,
    STEP_24,
    Denoiser,
    clips_in,
    fit,
    heard,
    loader,
    monitor,
    utterance,
)


def noise() -> float:
    """A random number from all three generators that models use."""
    return float(torch.rand(1)) + random.random() + float(np.random.rand())  # noqa: NPY002 - users do


class Sampler(Denoiser):
    """Generates from noise, as diffusion models do, and learns from noise of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.frozen = nn.Sequential(nn.BatchNorm1d(1)).eval()
        self.generated: list[Tensor] = []
        self.modes: list[list[bool]] = []

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        """A loss that no two steps have in common."""
        self.modes.append([part.training for part in self.modules()])
        made = self.dropout(self(batch["noisy"])) * noise()
        return nn.functional.mse_loss(made, batch["clean"])

    def generate(self, batch: dict[str, Any]) -> Tensor:
        """Noise louder than full scale, so that it is stored as float32."""
        sample = 8 * torch.randn_like(batch["noisy"]) + noise()
        self.generated.append(sample)
        return sample


def trained(root: Path, **given: Any) -> Sampler:
    """A sampler trained beside a monitor, from the same random numbers each time."""
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 - the state that models use
    module = Sampler()  # seeds torch
    assert fit(root, monitor(**given), module=module, max_epochs=3) == []
    return module


def test_training_is_the_same_with_and_without_it(tmp_path: Path) -> None:
    """Three epochs of dropout and noise end in the same weights, bit by bit."""
    modules = [
        trained(tmp_path / "off", enabled=False),
        trained(tmp_path / "on"),
        trained(tmp_path / "predict", predict="generate"),
    ]
    assert [len(module.generated) for module in modules] == [0, 0, 3]
    first, *others = ([*module.state_dict().values()] for module in modules)
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_every_part_is_in_its_own_mode_again(tmp_path: Path) -> None:
    """A frozen part is still frozen when the training goes on, and the others learn."""
    module = trained(tmp_path, predict="generate")
    assert len(module.modes) == 3 * 3
    assert all(modes == module.modes[0] for modes in module.modes)
    assert not any(part.training for part in module.frozen.modules())
    assert module.dropout.training


def test_a_part_that_trains_within_a_validation_goes_on(tmp_path: Path) -> None:
    """Dropout that is left on for an estimate of variance is off for `predict` only."""

    class Module(Sampler):
        def on_validation_start(self) -> None:
            self.dropout.train()

        def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
            assert self.dropout.training

        def generate(self, batch: dict[str, Any]) -> Tensor:
            assert not self.dropout.training
            return super().generate(batch)

    module = Module()
    assert fit(tmp_path, monitor(predict="generate"), module=module) == []
    assert len(module.generated) == 1


def test_each_epoch_is_drawn_from_the_same_noise(tmp_path: Path) -> None:
    """Clips of two epochs differ by what was learned, and by nothing else."""
    module = trained(tmp_path, predict="generate")
    assert torch.equal(module.generated[0], module.generated[1])
    assert torch.equal(module.generated[0], module.generated[2])


def test_what_is_stored_is_what_was_predicted(tmp_path: Path) -> None:
    """By a method or by a function, as a tensor or under keys, sample by sample."""
    for index, predict in enumerate(
        ("generate", Sampler.generate, lambda module, batch: {"prediction": module.generate(batch)})
    ):
        listener, module = monitor(predict=predict, target="clean"), Sampler()
        assert fit(tmp_path / str(index), listener, module=module) == []
        clips = clips_in(listener.run_dir, role="prediction")
        assert [clip.example for clip in clips] == ["0", "1"]
        for clip, sample in zip(clips, module.generated[0], strict=False):
            np.testing.assert_array_equal(heard(clip), sample.numpy())
        assert len(clips_in(listener.run_dir, role="target")) == 2


def test_the_precision_of_the_trainer_is_heard(tmp_path: Path) -> None:
    """Under bf16 the model runs in bf16, and every such sample is stored exactly."""
    made: list[Tensor] = []

    def predict(module: Any, batch: dict[str, Any]) -> Tensor:
        made.append(module(batch["noisy"]))
        return made[-1]

    class Loud(Denoiser):
        def __init__(self) -> None:
            super().__init__()
            nn.init.constant_(self.filter.weight, 4.0)

    listener = monitor(predict=predict)
    assert fit(tmp_path, listener, module=Loud(), precision="bf16-mixed") == []
    assert made[0].dtype == torch.bfloat16
    for clip, sound in zip(clips_in(listener.run_dir), made[0], strict=False):
        assert clip.level.num_over > 0
        np.testing.assert_array_equal(heard(clip), sound.float().numpy())


def test_outputs_under_mixed_precision_are_stored_too(tmp_path: Path) -> None:
    """What a step returns under autocast is logged as it is, in its own dtype."""

    class Module(Denoiser):
        def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
            outputs = super().validation_step(batch, index)
            assert outputs["prediction"].dtype == torch.bfloat16
            return outputs

    listener, module = monitor(), Module()
    assert fit(tmp_path, listener, module=module, precision="bf16-mixed") == []
    made = module.returned[0]["prediction"].float().numpy()
    for clip in clips_in(listener.run_dir):
        assert np.abs(heard(clip) - made[int(clip.example)]).max() <= STEP_24


def test_it_runs_no_more_often_than_needed(tmp_path: Path) -> None:
    """Five examples are in the first two batches of five, in epochs that are due."""
    module = Sampler()
    listener = monitor(max_examples=5, every_n_epochs=3, predict="generate")
    assert fit(tmp_path, listener, module=module, val=loader(20), max_epochs=4) == []
    assert len(module.generated) == 2 * 2


def test_it_runs_where_the_examples_are(tmp_path: Path) -> None:
    """In a shuffled loader with ids, the batches that hold them are found."""
    module, listener = Sampler(), monitor(predict="generate")
    val = loader(20, batch=1, shuffle=True, id=utterance)
    assert fit(tmp_path, listener, module=module, val=val, max_epochs=4) == []
    assert len(module.generated) == 4 * 2
    examples = [
        {clip.example for clip in clips_in(listener.run_dir, epoch=epoch)} for epoch in range(4)
    ]
    assert len(examples[0]) == 2
    assert all(found == examples[0] for found in examples)


def test_an_error_in_it_is_told_once(tmp_path: Path) -> None:
    """Training ends normally, in the right mode, and nothing is logged."""
    modes = []

    def predict(module: Any, batch: Any) -> Tensor:
        raise RuntimeError("out of memory, or so")

    class Module(Denoiser):
        def on_train_epoch_end(self) -> None:
            modes.append(self.filter.training)

    listener = monitor(predict=predict)
    messages = fit(tmp_path, listener, module=Module(), max_epochs=2)
    assert messages == [
        "earmark: what predict makes of a batch was not logged: RuntimeError: out of memory, or so"
        + GOES_ON
    ]
    assert modes == [True, True]
    assert clips_in(listener.run_dir) == []


def test_an_error_in_it_is_raised_when_strict(tmp_path: Path) -> None:
    """Then it stops the training, for those who want to see where it comes from."""

    def predict(module: Any, batch: Any) -> Tensor:
        raise RuntimeError("here")

    with pytest.raises(RuntimeError, match=r"^here$"):
        fit(tmp_path, monitor(predict=predict, strict=True))


def test_it_has_to_be_a_name_or_a_function() -> None:
    """Anything else is refused by the constructor."""
    message = (
        "^expected predict as the name of a method of the module, or a function of \\(module, "
        "batch\\), got 3 \\(int\\)$"
    )
    with pytest.raises(ArgumentTypeError, match=message):
        monitor(predict=3)
