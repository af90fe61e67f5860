"""Several processes: who logs what, without asking another, and in one run that readers merge."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
import torch.distributed
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor

import earmark
import earmark_integrations
from earmark import Take
from earmark.store import RunStore
from earmark.upkeep.check import check_run
from tests.integrations.lightning_models import (
    Denoiser,
    fit,
    heard,
    loader,
    make_trainer,
    monitor,
    speech,
    told,
)

OURS = tuple(str(Path(str(package.__file__)).parent) for package in (earmark, earmark_integrations))
COLLECTIVES = (
    *("all_gather", "all_gather_object", "all_reduce", "all_to_all", "barrier", "broadcast"),
    *("broadcast_object_list", "gather", "gather_object", "monitored_barrier", "recv", "reduce"),
    *("reduce_scatter", "scatter", "scatter_object_list", "send"),
)


def ddp() -> DDPStrategy:
    """Spawned processes; ranks that wait for one another in vain fail within a minute."""
    return DDPStrategy(
        start_method="spawn", process_group_backend="gloo", timeout=timedelta(seconds=60)
    )


class Noted(Denoiser):
    """Notes in a file of its rank what it predicts, and where its monitor writes.

    Args:
        notes: The folder of these files.
    """

    def __init__(self, notes: Path) -> None:
        super().__init__()
        self.notes = notes

    def note(self, text: str) -> None:
        """Write a line."""
        with Path(self.notes, f"rank-{self.global_rank}").open("a") as file:
            file.write(f"{text}\n")

    def predict_clean(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """A prediction on the grid of 16 bits, for which all ranks have to come together."""
        ranks = torch.ones(1)
        torch.distributed.all_reduce(ranks)
        self.note(f"predicted {len(batch['text'])} on {int(ranks)} ranks")
        return {"prediction": batch["clean"]}

    def predict_alone(self, batch: dict[str, Any]) -> Tensor:
        """The same, without waiting for anybody."""
        clean: Tensor = batch["clean"]
        return clean

    def validation_step(self, batch: dict[str, Any], index: int, dataloader_idx: int = 0) -> Any:
        """The same, for monitors that take what a step returns."""
        super().validation_step(batch, index)
        return {"prediction": batch["clean"]}

    def on_fit_end(self) -> None:
        """Note the directory that the monitors found."""
        for one in self.trainer.callbacks:  # type: ignore[attr-defined]  # Lightning's gap
            if hasattr(one, "run_dir"):
                self.note(f"run {one.run_dir}")


class Watch(pl.Callback):
    """Notes every collective that is called by earmark, and whether the training has begun."""

    when = "setup"

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Watch, from before the monitors are set up."""
        for module in (torch.distributed, torch.distributed.distributed_c10d):
            for name in COLLECTIVES:
                watched = self.watched(name, getattr(module, name), pl_module.note)
                setattr(module, name, watched)

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Everybody is set up."""
        self.when = "training"

    def watched(self, name: str, function: Any, note: Callable[[str], None]) -> Any:
        """Note who calls, and call."""

        @functools.wraps(function)
        def call(*given: Any, **named: Any) -> Any:
            if is_ours():
                note(f"{self.when}: {name}")
            return function(*given, **named)

        return call


def is_ours() -> bool:
    """Whether it is earmark that calls, and not the user's model that it runs."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage] - who calls is what is asked
    while frame is not None:
        if frame.f_code.co_name == "predict_clean":
            return False
        if frame.f_code.co_filename.startswith(OURS):
            return True
        frame = frame.f_back  # type: ignore[assignment]  # None ends it
    return False


class Listed:
    """A sink that lists in a file what it gets.

    Args:
        file: The file, which every process that has such a sink writes to.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def write(self, take: Take) -> None:
        """A line for each take."""
        with self.file.open("a") as file:
            file.write(" ".join(clip.example for clip in take.clips) + "\n")

    def close(self) -> None:
        """Nothing is pending."""


def examples(run: RunStore, **filters: Any) -> list[tuple[int | None, str]]:
    """Epoch and example of each clip, older versions too, after a look at its sound."""
    clips = list(run.clips(all_versions=True, **filters))
    for clip in clips:
        index = int(clip.example.rpartition("-")[2])
        np.testing.assert_array_equal(heard(clip), speech(index).numpy())
    return sorted((clip.epoch, clip.example) for clip in clips)


def test_two_processes_write_one_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each policy logs what it says, no item twice, after equally many predictions and no wait."""
    zero = monitor(tag="zero", max_examples=3, predict="predict_clean")
    sink = Listed(tmp_path / "sink")
    shard = monitor(
        tag="shard", max_examples=7, predict="predict_clean", ranks="shard", sinks=[sink]
    )
    everyone = monitor(tag="all", max_examples=20, ranks="all")
    messages = fit(
        tmp_path,
        Watch(),
        zero,
        shard,
        everyone,
        module=Noted(tmp_path),
        val=loader(9, batch=2),
        logger=CSVLogger(tmp_path / "logs"),
        strategy=ddp(),
        devices=2,
        max_epochs=2,
    )
    assert messages == []
    warned = [line for line in capfd.readouterr().err.splitlines() if "EarmarkWarning" in line]
    assert len(warned) == 1
    assert "trackers get the clips of rank zero, where their loggers are" in warned[0]
    assert sink.file.read_text() == "0 2 4 6\n" * 2

    first, second = (Path(tmp_path, f"rank-{rank}").read_text() for rank in range(2))
    assert first == second
    assert first.count("predicted 2 on 2 ranks") == 2 * (2 + 2)
    assert first.count("setup: broadcast_object_list") == 3
    assert "training: " not in first
    run_dir = tmp_path / "logs" / "lightning_logs" / "version_0" / "earmark"
    assert first.endswith(f"run {run_dir}\n" * 3)

    (run,) = earmark.list_runs(tmp_path)
    assert run.path == run_dir
    assert sorted(writer["rank"] for writer in run.writers) == [0, 0, 0, 1, 1]
    both = [(epoch, str(index)) for epoch in range(2) for index in range(9)]
    assert examples(run, tag="zero") == [one for one in both if one[1] in "024"]
    assert examples(run, tag="shard") == [one for one in both if int(one[1]) < 7]
    assert examples(run, tag="all") == both
    assert check_run(run.path) == []


class Uneven(pl.LightningDataModule):
    """Validation items of each rank's own: seven, four and one."""

    def train_dataloader(self) -> Any:
        """The same on every rank."""
        return loader(4)

    def val_dataloader(self) -> list[Any]:
        """With identities and without; the batches of a rank are as large as its rank allows."""
        rank = self.trainer.global_rank  # type: ignore[union-attr]  # there is one by now
        size, batch = ((7, 2), (4, 4), (1, 1))[rank]
        named = loader(size, batch=batch, id=lambda index: f"{'abc'[rank]}-{index}")
        return [named, loader(size, batch=batch)]


def checkpoint_of_three(root: Path, chosen: dict[str, list[str]]) -> Path:
    """A checkpoint after the first epoch, as if rank zero of three had chosen these examples."""
    path = root / "three.ckpt"
    trainer = make_trainer(root, monitor(tag="shard"))
    with told():
        trainer.fit(Noted(root), loader(4))
    trainer.save_checkpoint(path)
    checkpoint = torch.load(path, weights_only=True)
    (state,) = checkpoint["callbacks"].values()
    state.update(examples=chosen, world_size=3)
    torch.save(checkpoint, path)
    return path


def test_three_processes_with_uneven_data(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for another, and no rank takes over what rank zero chose before."""
    chosen = {"shard/dataloader_idx_0": ["a-3", "a-0", "b-1"]}
    shard = monitor(tag="shard", ranks="shard", max_examples=8, predict="predict_alone")
    messages = fit(
        tmp_path,
        shard,
        monitor(tag="all", ranks="all", max_examples=2),
        module=Noted(tmp_path),
        datamodule=Uneven(),
        strategy=ddp(),
        devices=3,
        max_epochs=2,
        use_distributed_sampler=False,
        ckpt_path=checkpoint_of_three(tmp_path, chosen),
    )
    assert messages == []
    warned = [line for line in capfd.readouterr().err.splitlines() if "EarmarkWarning" in line]
    assert len(warned) == 2
    assert all("the shard/dataloader_idx_" in line for line in warned)
    assert all("does not say which rank draws which item" in line for line in warned)

    (run,) = earmark.list_runs(tmp_path)
    logged = {
        tag: [example for _, example in examples(run, tag=f"{tag[:-1]}/dataloader_idx_{tag[-1]}")]
        for tag in ("shard0", "shard1", "all0", "all1")
    }
    assert logged == {
        "shard0": ["a-0", "a-3"],
        "shard1": ["0", "1", "3", "6"],
        "all0": ["a-0", "a-1", "b-0", "b-1", "c-0"],
        "all1": ["0", "1", "rank1-0", "rank1-1", "rank2-0"],
    }
    assert check_run(run.path) == []
