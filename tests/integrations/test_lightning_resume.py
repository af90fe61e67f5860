"""Checkpoints: what a monitor keeps in them, and what it makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

import earmark
from tests.integrations.lightning_models import (
    Denoiser,
    clips_in,
    fit,
    heard,
    loader,
    make_trainer,
    monitor,
    numbers,
    told,
    utterance,
)


def saver(root: Path) -> ModelCheckpoint:
    """Saves a checkpoint after every epoch, `epoch=0.ckpt` and so on."""
    return ModelCheckpoint(root, "{epoch}", save_top_k=-1)


def test_the_state_is_of_plain_values(tmp_path: Path) -> None:
    """A checkpoint is read with `weights_only`, and shows what was chosen and when."""
    listener = monitor(tag="val", every_n_epochs=2)
    val = loader(4, id=utterance)
    assert fit(tmp_path, listener, saver(tmp_path), val=val, max_epochs=3) == []
    checkpoint = torch.load(tmp_path / "epoch=1.ckpt", weights_only=True)
    assert checkpoint["callbacks"]["AudioMonitor[tag='val']"] == {
        "examples": {"val": ["utt-0", "utt-1"]},
        "last": [0, 2],
        "world_size": 1,
    }


def test_two_monitors_live_side_by_side(tmp_path: Path) -> None:
    """Each has its own tag, schedule, examples and state, in one run."""
    often = monitor(tag="often", max_examples=1)
    seldom = monitor(tag="seldom", every_n_epochs=3, prediction="noisy")
    assert fit(tmp_path, often, seldom, saver(tmp_path), max_epochs=4) == []
    assert often.run_dir == seldom.run_dir
    assert numbers(clips_in(often.run_dir, tag="often"), "epoch") == [0, 1, 2, 3]
    assert numbers(clips_in(often.run_dir, tag="seldom"), "epoch") == [0, 3]
    states = torch.load(tmp_path / "epoch=3.ckpt", weights_only=True)["callbacks"]
    assert {often.state_key, seldom.state_key} <= set(states)
    assert states[often.state_key]["examples"] == {"often": ["0"]}


def test_two_monitors_go_on_side_by_side(tmp_path: Path) -> None:
    """What the one has logged before is no replay of the other's."""
    for epochs in (1, 2):
        pair = [monitor(tag=tag, max_examples=1) for tag in ("a", "b")]
        path = tmp_path / "epoch=0.ckpt" if epochs == 2 else None
        assert fit(tmp_path, *pair, saver(tmp_path), max_epochs=epochs, ckpt_path=path) == []
    assert len(clips_in(pair[0].run_dir)) == 4


def test_steps_that_are_replayed_are_kept_beside(tmp_path: Path) -> None:
    """After a resume from further back, readers see the newest, and the older ones on request."""
    listener = monitor(max_examples=1)
    assert fit(tmp_path, listener, saver(tmp_path), max_epochs=4) == []
    module = Denoiser()
    again = monitor(max_examples=1)
    path = tmp_path / "epoch=1.ckpt"
    torch.manual_seed(1)
    train = loader(shuffle=True)
    (message,) = fit(tmp_path, again, module=module, train=train, max_epochs=4, ckpt_path=path)
    assert message == (
        f"earmark: step 8 was logged before, when {str(again.run_dir)!r} was last opened: both "
        "are kept, and readers show the newest (all_versions=True shows both)"
    )
    assert numbers(clips_in(again.run_dir), "step") == [2, 5, 8, 11]
    versions = clips_in(again.run_dir, step=11, all_versions=True)
    assert len(versions) == 2
    assert not np.array_equal(heard(versions[0]), heard(versions[1]))
    (newest,) = clips_in(again.run_dir, step=11)
    made = module.returned[-3]["prediction"][0].numpy()
    assert np.abs(heard(newest) - made).max() <= 2**-24


@pytest.mark.parametrize("loop", ["validate", "test"])
def test_a_checkpoint_is_listened_to(tmp_path: Path, loop: str) -> None:
    """Loops that load a checkpoint are due, whatever the schedule in the checkpoint says."""
    listener = monitor(max_examples=1, every_n_epochs=4)
    trainer, module = make_trainer(tmp_path, listener, saver(tmp_path), max_epochs=2), Denoiser()
    with told() as messages:
        trainer.fit(module, loader(), loader())
        getattr(trainer, loop)(module, loader(), ckpt_path=tmp_path / "epoch=0.ckpt", verbose=False)
    assert messages == []
    kinds = [(clip.tag, clip.epoch) for clip in clips_in(listener.run_dir)]
    assert kinds == [("val", 0), ("val", 1), ({"validate": "val"}.get(loop, loop), 2)]


def test_the_second_training_of_a_trainer_goes_on(tmp_path: Path) -> None:
    """With more epochs to go, the schedule goes on where it was."""
    listener: Any = monitor(max_examples=1, every_n_epochs=3)
    trainer, module = make_trainer(tmp_path, listener, max_epochs=2), Denoiser()
    with told() as messages:
        trainer.fit(module, loader(), loader())
        trainer.fit_loop.max_epochs = 5
        trainer.fit(module, loader(), loader())
    assert messages == []
    assert numbers(clips_in(listener.run_dir), "epoch") == [0, 1, 3, 4]
    assert len(earmark.open_run(listener.run_dir).writers) == 2
