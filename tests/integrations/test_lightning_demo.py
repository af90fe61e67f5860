"""`demo=`: prompts, data sets, loaders and noise, heard where there is something new to hear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import DataLoader

from earmark import at_epochs
from earmark_integrations.demo import Noise
from tests.integrations.lightning_models import (
    GOES_ON,
    Denoiser,
    Speech,
    clips_in,
    fit,
    heard,
    loader,
    make_trainer,
    monitor,
    numbers,
    speech,
    told,
)
from tests.integrations.test_lightning_ddp import Noted, ddp
from tests.integrations.test_trainer import scalar_steps


class Speaker(Denoiser):
    """Says texts, and filters noise; it counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []

    def say(self, batch: dict[str, Any]) -> Tensor:
        """A voice for each text, by its length."""
        self.asked.append(batch["text"])
        return torch.stack([speech(len(text)) for text in batch["text"]])

    def forward(self, noisy: Tensor | dict[str, Any]) -> Tensor:
        """What the other denoisers do, of a tensor or a batch."""
        return super().forward(noisy["noisy"] if isinstance(noisy, dict) else noisy)


def places(listener: Any) -> list[tuple[int, int]]:
    """Epoch and step of every take."""
    return sorted({(clip.epoch or 0, clip.step) for clip in clips_in(listener.run_dir)})


def test_prompts_are_heard_at_each_validation(tmp_path: Path) -> None:
    """Not the validation data: each prompt, under its number, captioned with itself."""
    listener, module = monitor(demo=["one", "three"], predict="say"), Speaker()
    assert fit(tmp_path, listener, module=module, max_epochs=2, num_sanity_val_steps=1) == []
    assert module.asked == [["one"], ["three"]] * 2
    clips = clips_in(listener.run_dir)
    assert places(listener) == [(0, 2), (1, 5)]
    assert numbers(clips, "tag") == ["demo"]
    for clip in clips:
        assert clip.caption == ["one", "three"][int(clip.example)]
        np.testing.assert_array_equal(heard(clip), speech(len(clip.caption)).numpy())


def test_no_more_prompts_are_asked_for_than_are_heard(tmp_path: Path) -> None:
    """By number, or by what `examples=` names."""
    for given, asked in (({"max_examples": 1}, [["a"]]), ({"examples": [1]}, [["a"], ["bb"]])):
        listener, module = monitor(demo=["a", "bb", "ccc"], predict="say", **given), Speaker()
        assert fit(tmp_path / str(given), listener, module=module) == []
        assert module.asked == asked
        assert numbers(clips_in(listener.run_dir), "caption") == asked[-1]


@pytest.mark.parametrize("kind", ["data set", "loader", "list"])
def test_items_go_to_the_module_itself(tmp_path: Path, kind: str) -> None:
    """Without `predict`, what calling the module returns is the prediction, beside the target."""
    data = Speech(3)
    demo: Any = {
        "data set": data,
        "loader": DataLoader(data, batch_size=2),
        "list": [*map(data.__getitem__, range(3))],
    }
    listener = monitor(demo=demo[kind], max_examples=3, input="noisy", target="clean")
    assert fit(tmp_path, listener, module=Speaker()) == []
    clips = clips_in(listener.run_dir)
    assert sorted((clip.role, clip.example) for clip in clips) == [
        (role, str(index)) for role in ("input", "prediction", "target") for index in range(3)
    ]
    for clip in clips_in(listener.run_dir, role="target"):
        np.testing.assert_array_equal(heard(clip), speech(int(clip.example)).numpy())


def test_noise_is_the_same_in_every_epoch(tmp_path: Path) -> None:
    """A generative model starts from what it started from before."""
    noise = Noise(2, (1024,), seed=3)
    listener = monitor(demo=noise, predict=lambda module, batch: 9 * batch)
    assert fit(tmp_path, listener, max_epochs=2) == []
    clips = clips_in(listener.run_dir, role="prediction")
    assert len(clips) == 2 * 2
    for clip in clips:
        expected = 9 * noise[int(clip.example)]
        np.testing.assert_array_equal(heard(clip), expected.numpy())


def test_a_loader_that_shuffles_is_told(tmp_path: Path) -> None:
    """Its items are not the same ones in every epoch."""
    listener = monitor(demo=loader(4, shuffle=True), predict=lambda module, batch: batch["clean"])
    (message,) = fit(tmp_path, listener)
    assert message.startswith("earmark: the demo loader does not say which items it draws")


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"max_epochs": 3}, [0, 3, 6, 8]),
        ({"max_epochs": 3, "limit_val_batches": 0}, [0, 3, 6, 8]),
        ({"max_steps": 5, "max_epochs": -1}, [0, 3, 4]),
        ({"max_epochs": 3, "accumulate_grad_batches": 3}, [0, 2]),
    ],
    ids=str,
)
def test_steps_are_heard_between_validations(
    tmp_path: Path, settings: dict[str, Any], steps: list[int]
) -> None:
    """At the first step, at each multiple, and at the last, with validations or without."""
    listener = monitor(demo=["a"], predict="say", every_n_steps=3)
    assert fit(tmp_path, listener, module=Speaker(), **settings) == []
    assert numbers(clips_in(listener.run_dir), "step") == steps


@pytest.mark.parametrize(
    ("given", "epochs"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"every_n_epochs": 2}, [0, 2, 4]),
        ({"every_n_epochs": 3}, [0, 3, 4]),
        ({"schedule": at_epochs([1, 3])}, [1, 3]),
    ],
    ids=str,
)
def test_trainings_without_validation_are_heard_by_epochs(
    tmp_path: Path, given: dict[str, Any], epochs: list[int]
) -> None:
    """At the last step of each epoch that is due, where Lightning logs its scalars."""
    listener = monitor(demo=["a"], predict="say", **given)
    trainer = make_trainer(tmp_path, listener, max_epochs=5)
    with told() as messages:
        trainer.fit(Speaker(), loader())
    assert messages == []
    assert places(listener) == [(epoch, 3 * epoch + 2) for epoch in epochs]


def test_the_steps_are_those_of_the_scalars(tmp_path: Path) -> None:
    """On a tracker, clips and scalars stand in one row."""
    listener, logger = monitor(demo=["a"], predict="say"), CSVLogger(tmp_path)
    assert fit(tmp_path, listener, module=Speaker(), logger=logger, max_epochs=3) == []
    assert [(step, epoch) for epoch, step in places(listener)] == scalar_steps(logger)


def test_it_goes_through_the_hooks_of_the_module(tmp_path: Path) -> None:
    """All three, in their order, as a batch of the validation data does."""

    class Module(Speaker):
        def __init__(self) -> None:
            super().__init__()
            self.hooks: list[str] = []

        def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            self.hooks.append("before")
            return batch

        def transfer_batch_to_device(self, batch: Any, device: Any, dataloader_idx: int) -> Any:
            self.hooks.append("transfer")
            return super().transfer_batch_to_device(batch, device, dataloader_idx)

        def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            self.hooks.append("after")
            return batch

        def say(self, batch: dict[str, Any]) -> Tensor:
            assert self.hooks[-3:] == ["before", "transfer", "after"]
            return super().say(batch)

    module = Module()
    assert fit(tmp_path, monitor(demo=["a"], predict="say"), module=module) == []
    assert module.asked == [["a"]]


def test_training_is_the_same_with_and_without_it(tmp_path: Path) -> None:
    """Playing a demo set between two steps leaves no trace in the weights."""
    weights = []
    for enabled in (False, True):
        torch.manual_seed(1)
        module, train = Speaker(), loader(shuffle=True)
        listener = monitor(
            demo=Noise(2, (400,)), every_n_steps=2, enabled=enabled, prediction=lambda out, _: out
        )
        assert (
            fit(tmp_path / str(enabled), listener, module=module, train=train, max_epochs=2) == []
        )
        weights.append(module.filter.weight)
    assert torch.equal(*weights)
    assert len(clips_in(listener.run_dir)) == 4 * 2


def test_it_is_heard_beside_the_validation_data(tmp_path: Path) -> None:
    """Two monitors need no names to be told apart, nor in a checkpoint."""
    listeners = monitor(), monitor(demo=["a"], predict="say")
    trainer = make_trainer(tmp_path, *listeners)
    with told() as messages:
        trainer.fit(Speaker(), loader(), loader())
        trainer.save_checkpoint(tmp_path / "last.ckpt")
    assert messages == []
    states = torch.load(tmp_path / "last.ckpt", weights_only=True)["callbacks"]
    assert set(states) == {"AudioMonitor[tag=None]", "AudioMonitor[tag='demo']"}
    assert sorted(numbers(clips_in(listeners[0].run_dir), "tag")) == ["demo", "val"]


@pytest.mark.parametrize("place", ["item", "prompt"])
def test_a_demo_that_raises_costs_what_is_left_of_it(tmp_path: Path, place: str) -> None:
    """One warning, with the error; the training ends normally."""

    class Broken(Speech):
        def __getitem__(self, index: int) -> dict[str, Any]:
            if index == 1:
                raise OSError("no such file")
            return super().__getitem__(index)

    class Module(Speaker):
        def say(self, batch: dict[str, Any]) -> Tensor:
            if batch["text"] == ["bad"]:
                raise OSError("no such file")
            return super().say(batch)

    demo = Broken(3) if place == "item" else ["good", "bad", "better"]
    lost = "the demo set" if place == "item" else "what predict makes of a batch"
    listener = monitor(demo=demo, predict="say", max_examples=3)
    messages = fit(tmp_path, listener, module=Module(), max_epochs=2)
    assert messages == [f"earmark: {lost} was not logged: OSError: no such file{GOES_ON}"]
    logged = ["0"] if place == "item" else ["0", "2"]
    assert numbers(clips_in(listener.run_dir, role="prediction"), "example") == logged


def test_every_rank_plays_it_equally_often(tmp_path: Path) -> None:
    """Where a model waits for its other ranks, in validations and without any."""
    demo = [{"clean": speech(index), "text": "text"} for index in range(3)]
    between = monitor(demo=demo, predict="predict_clean", every_n_steps=1, tag="steps")
    at_all = monitor(demo=demo, predict="predict_clean", ranks="shard", max_examples=3)
    messages = fit(
        tmp_path,
        between,
        at_all,
        module=Noted(tmp_path),
        train=loader(8),
        strategy=ddp(),
        devices=2,
        limit_val_batches=0,
    )
    assert messages == []
    first, second = (Path(tmp_path, f"rank-{rank}").read_text() for rank in range(2))
    assert first == second
    assert first.count("predicted 1 on 2 ranks") == 2 + 3
    run = tmp_path / "earmark"
    assert numbers(clips_in(run, tag="steps", role="prediction"), "example") == ["0", "1"]
    shard = clips_in(run, tag="demo", role="prediction")
    assert sorted(clip.example for clip in shard) == ["0", "1", "2"]
    for clip in shard:
        np.testing.assert_array_equal(heard(clip), speech(int(clip.example)).numpy())
