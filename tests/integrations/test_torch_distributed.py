"""Plain loops on several processes: each rank that opens a run writes to it, and readers merge."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed
from torch.multiprocessing.spawn import spawn

import earmark
from earmark.store import RunStore
from earmark.testing import noise
from earmark.upkeep.check import check_run

RATE = 16_000


def speech(index: int) -> torch.Tensor:
    """A sound for each number; it is stored exactly."""
    return torch.from_numpy(noise(seed=index)[:, 0])


def train(rank: int, world_size: int, root: Path) -> None:
    """What each process does: it logs by its own, and rank zero to another run alone."""
    warnings.simplefilter("error", earmark.EarmarkWarning)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{root}/meeting", rank=rank, world_size=world_size
    )
    with earmark.Run(root / "every") as run:
        torch.distributed.barrier()  # all have it open at once
        for step in range(2):
            mine = torch.stack([speech(10 * rank + index) for index in range(3)])
            run.log({"prediction": mine[0]}, step=step, sample_rate=RATE)
            run.log_batch({"prediction": mine[1:]}, step=step, sample_rate=RATE)
            named = {"prediction": mine[0], "target": speech(0)}
            run.log(named, step=step, example=f"utt-{10 * rank}", sample_rate=RATE)
    if rank == 0:
        with earmark.Run(root / "zero") as run:
            run.log({"prediction": speech(0)}, step=0, sample_rate=RATE)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("world_size", [2, 3])
def test_every_rank_may_open_a_run(
    tmp_path: Path, world_size: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """No rank's examples hide another's, which all started from 0; one start line for each run."""
    spawn(train, (world_size, tmp_path), world_size)

    greetings = [line for line in capfd.readouterr().err.splitlines() if "earmark" in line]
    assert [line.split(" (")[0] for line in greetings] == [
        f"earmark: clips go to {tmp_path / name}" for name in ("every", "zero")
    ]
    every, zero = RunStore(tmp_path / "every"), RunStore(tmp_path / "zero")
    assert sorted(writer["rank"] for writer in every.writers) == list(range(world_size))
    assert {writer["world_size"] for writer in every.writers} == {world_size}
    assert [writer["rank"] for writer in zero.writers] == [0]
    assert [clip.example for clip in zero.clips()] == ["0"]

    heard_of = {
        f"rank{rank}-{index}" if rank else str(index): 10 * rank + index
        for rank in range(world_size)
        for index in range(3)
    } | {f"utt-{10 * rank}": 10 * rank for rank in range(world_size)}
    for step in range(2):
        clips = list(every.clips(role="prediction", step=step))
        assert {clip.example for clip in clips} == set(heard_of)
        assert len(clips) == len(heard_of)
        for clip in clips:
            np.testing.assert_array_equal(
                clip.audio.samples[:, 0], speech(heard_of[clip.example]).numpy()
            )
    assert len(list(every.clips())) == len(list(every.clips(all_versions=True)))
    assert check_run(every.path) == check_run(zero.path) == []
