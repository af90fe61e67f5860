"""AudioMonitor in plain loops on accelerate."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed
from accelerate import Accelerator
from accelerate.data_loader import prepare_data_loader
from accelerate.state import AcceleratorState, GradientState
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from earmark import EarmarkWarning
from earmark.errors import ArgumentError
from earmark.testing import MemorySink
from earmark_integrations._loaders import Progress, drawn_items, is_shared, num_before
from earmark_integrations.accelerate import AudioMonitor
from tests.integrations.loop_models import (
    STEP_24,
    Filter,
    Voices,
    clips_in,
    each,
    heard_of,
    loader,
    samples,
    steps_in_tensorboard,
)
from tests.integrations.sinks.trackers import finished, wandb_at_home_in, wandb_rows


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Accelerate keeps one state in a process."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)  # pyright: ignore[reportPrivateUsage] - as its own tests do
    GradientState._reset_state()  # pyright: ignore[reportPrivateUsage] - as above


def train(accelerator: Accelerator, monitor: AudioMonitor, model: Any, *, epochs: int = 2) -> None:
    """A loop as people write it, with a validation after each epoch of three steps."""
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    optimizer, data, val = accelerator.prepare(optimizer, loader(), loader())
    for epoch in range(epochs):
        model.train()
        for batch in data:
            optimizer.zero_grad()
            accelerator.backward(nn.functional.mse_loss(model(batch["noisy"]), batch["clean"]))
            optimizer.step()
        model.eval()
        step = 3 * (epoch + 1)
        accelerator.log({"val/loss": 0.5}, step=step)
        with torch.no_grad(), monitor.validation(epoch=epoch, step=step, loader=val):
            for batch in val:
                monitor.batch(model(batch["noisy"]), batch)


def test_clips_are_what_the_loop_hands_over(tmp_path: Path) -> None:
    """They are in the accelerator's folder, at the steps of the scalars in its tracker."""
    accelerator = Accelerator(project_dir=tmp_path, log_with="tensorboard", cpu=True)
    accelerator.init_trackers("events")
    model = accelerator.prepare(Filter())
    with AudioMonitor(accelerator, model, max_examples=3) as monitor:
        train(accelerator, monitor, model)
    accelerator.end_training()
    assert monitor.run_dir == tmp_path / "earmark"
    assert each(clips_in(monitor.run_dir), "tag", "epoch", "step") == [("val", 0, 3), ("val", 1, 6)]
    predictions = clips_in(monitor.run_dir, role="prediction", epoch=1)
    assert each(predictions, "example", "caption") == [(str(n), f"words {n}") for n in range(3)]
    for clip in predictions:
        made = heard_of(model.eval(), int(clip.example))
        assert np.abs(samples(clip) - made).max() <= STEP_24
    steps = steps_in_tensorboard(tmp_path / "events")
    assert steps["val/prediction/0"] == steps["val/loss"] == [3, 6]


def test_clips_are_on_the_rows_of_wandb(tmp_path: Path) -> None:
    """Those of the scalars that the accelerator logs at the step, which open its row."""
    with wandb_at_home_in(tmp_path):
        accelerator = Accelerator(project_dir=tmp_path, log_with="wandb", cpu=True)
        accelerator.init_trackers("earmark-tests")
        model = accelerator.prepare(Filter())
        with AudioMonitor(accelerator, model, max_examples=1) as monitor:
            train(accelerator, monitor, model)
        tracked: Any = accelerator.get_tracker("wandb", unwrap=True)
        rows = wandb_rows(finished(tracked))
    losses = [row["_step"] for row in rows if "val/loss" in row]
    clips = [row["_step"] for row in rows if "val/prediction" in row]
    assert losses == clips == [3, 6]


def test_predictions_have_the_precision_of_the_accelerator(tmp_path: Path) -> None:
    """Under its autocast, with the user's own module, out of what `prepare` made of it."""
    accelerator = Accelerator(project_dir=tmp_path, mixed_precision="bf16", cpu=True)
    seen: list[Any] = []

    def predict(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        seen.append((type(model), (torch.ones(2, 2) @ torch.ones(2, 2)).dtype))
        return batch["noisy"] / 2

    model = accelerator.prepare(Filter())
    with (
        AudioMonitor(accelerator, model, predict=predict, max_examples=1) as monitor,
        monitor.validation(epoch=0, loader=loader()),
    ):
        monitor.batch(None, next(iter(loader())))
    assert seen == [(Filter, torch.bfloat16)]
    (clip,) = clips_in(tmp_path / "earmark", role="prediction")
    np.testing.assert_array_equal(samples(clip), Voices()[0]["noisy"].numpy() / 2)


def test_it_is_kept_in_the_accelerators_checkpoint(tmp_path: Path) -> None:
    """`register_for_checkpointing` takes it as it is."""
    accelerator = Accelerator(project_dir=tmp_path, cpu=True)
    model = accelerator.prepare(Filter())
    with AudioMonitor(accelerator, model, max_examples=2, every_n_epochs=5) as monitor:
        accelerator.register_for_checkpointing(monitor)
        train(accelerator, monitor, model)
        kept = monitor.state_dict()
        accelerator.save_state(str(tmp_path / "saved"))
        monitor.load_state_dict({})
        accelerator.load_state(str(tmp_path / "saved"))
    assert monitor.state_dict() == kept
    assert kept["examples"] == {"val": ["0", "1"]}


def test_sinks_may_be_given(tmp_path: Path) -> None:
    """Instead of the accelerator's trackers."""
    accelerator = Accelerator(project_dir=tmp_path, cpu=True)
    sink, model = MemorySink(), Filter()
    with AudioMonitor(accelerator, model, sinks=[sink], run_dir=tmp_path / "run") as monitor:
        train(accelerator, monitor, model, epochs=1)
    assert [take.step for take in sink.takes] == [3]


def test_a_directory_is_needed() -> None:
    """Of the accelerator, or of one's own."""
    with pytest.raises(ArgumentError, match="expected run_dir as the directory to write, got none"):
        AudioMonitor(Accelerator(cpu=True), Filter())


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("size", [7, 8, 13])
def test_where_a_rank_is_in_the_data(size: int, split: bool) -> None:
    """Of each item that accelerate has it draw, its index is known, and what repeats another."""
    for rank in range(2):
        data = loader(size, batch=4)
        mine = prepare_data_loader(
            data, torch.device("cpu"), 2, rank, split_batches=split, put_on_device=False
        )
        drawn = [index for batch in mine.batch_sampler or () for index in batch]
        said = drawn_items(mine, 0, len(drawn))
        assert (said.is_shared, said.in_order, is_shared(mine)) == (True, True, True)
        for index, place in zip(drawn, said.places, strict=True):
            assert place in (index, None)
        assert num_before(mine, 3) == 3 * (2 if split else 4)
        known = [place for place in said.places if place is not None]
        assert known == sorted(set(known))


def test_a_shuffled_share_has_no_indices() -> None:
    """Its places are shared, but in the order of the shuffle; what rank zero deals out is not."""
    mine = prepare_data_loader(loader(8, shuffle=True), torch.device("cpu"), 2, 1)
    assert not drawn_items(mine, 0, 2).in_order
    cpu = torch.device("cpu")
    dealt = prepare_data_loader(loader(8), cpu, 2, 1, put_on_device=True, dispatch_batches=True)
    said = drawn_items(dealt, 0, 2)
    assert (said.in_order, said.is_shared) == (False, False)
    plain = BatchSampler(SequentialSampler(range(8)), 3, drop_last=False)
    assert num_before(DataLoader(Voices(8), batch_sampler=plain), 2) == 6


@pytest.mark.parametrize("split", [False, True])
def test_a_gathered_batch_has_the_items_of_all_ranks(split: bool) -> None:
    """One rank's after the other's, as `gather_for_metrics` puts them together."""
    ranks = [
        prepare_data_loader(
            loader(9, batch=4),
            torch.device("cpu"),
            2,
            rank,
            split_batches=split,
            put_on_device=False,
        )
        for rank in range(2)
    ]
    size = 2 if split else 4
    drawn = zip(*(one.batch_sampler or () for one in ranks), strict=True)
    for index, batches in enumerate(drawn):
        gathered = [item for batch in batches for item in batch]
        for mine in ranks:
            place = Progress().come_to(gathered, index, mine)
            said = place.drawn(len(gathered))
            assert (said.in_order, said.is_shared, said.is_alike) == (True, False, True)
            assert place.before == index * size
            once = range(2 * size * index, 2 * size * index + len(gathered))
            assert said.places == [item if item < 9 else None for item in once]
            assert all(
                known in (item, None) for item, known in zip(gathered, said.places, strict=True)
            )


def joined(rank: int, port: int, folder: Path) -> Accelerator:
    """Take a place as one of two processes, in which a warning is an error."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ.update(place, RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank))
    warnings.simplefilter("error", EarmarkWarning)
    torch.set_num_threads(1)
    return Accelerator(cpu=True, project_dir=folder)


def of_two(rank: int, port: int, folder: Path) -> None:
    """One of two processes: what it logs, and that it waits for nobody after opening."""
    accelerator = joined(rank, port, folder)
    model, val = accelerator.prepare(Filter(), loader(9))
    shared: dict[str, Any] = {"max_examples": 7, "predict": "halve", "strict": True}
    monitors = [
        AudioMonitor(accelerator, model, tag=policy, ranks=policy, **shared)
        for policy in ("zero", "shard")
    ]
    batches = list(val)
    for name in ("all_reduce", "broadcast", "barrier", "all_gather", "broadcast_object_list"):
        setattr(torch.distributed, name, None)
    for monitor in monitors:
        with monitor.validation(epoch=0, loader=val):
            for batch in batches:
                monitor.batch(None, batch)
        monitor.close()


def gathering(rank: int, port: int, folder: Path) -> None:
    """One of two processes, which hands over what both have made."""
    accelerator = joined(rank, port, folder)
    model, val = accelerator.prepare(Filter(), loader(9))
    for policy in ("zero", "shard"):
        with (
            AudioMonitor(accelerator, model, tag=policy, ranks=policy, strict=True) as monitor,
            monitor.validation(epoch=0, loader=val),
        ):
            for batch in val:
                both = accelerator.gather_for_metrics((batch["noisy"] / 2, batch["clean"]))
                monitor.batch({"prediction": both[0]}, {"clean": both[1]})


def free_port() -> int:
    """A port that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_gathered_batches_keep_their_indices(tmp_path: Path) -> None:
    """Of what both ranks hold in common, each item is logged under its own index, once."""
    spawn(gathering, (free_port(), tmp_path), nprocs=2)
    for tag in ("zero", "shard"):
        clips = [c for c in clips_in(tmp_path / "earmark", role="prediction") if c.tag == tag]
        assert sorted(clip.example for clip in clips) == list("01234567")
        for clip in clips:
            half = Voices(9)[int(clip.example)]["noisy"].numpy() / 2
            np.testing.assert_array_equal(samples(clip), half)


def test_two_processes_write_one_run(tmp_path: Path) -> None:
    """Each item has its own index, and none is logged twice."""
    spawn(of_two, (free_port(), tmp_path), nprocs=2)
    clips = clips_in(tmp_path / "earmark", role="prediction")
    logged = {tag: sorted(c.example for c in clips if c.tag == tag) for tag in ("zero", "shard")}
    assert logged == {"zero": list("01458"), "shard": list("0123456")}
    for clip in clips:
        half = Voices(9)[int(clip.example)]["noisy"].numpy() / 2
        np.testing.assert_array_equal(samples(clip), half)
