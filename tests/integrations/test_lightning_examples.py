"""Which examples: by the batch's ids, else by the data set's indices, else by position."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, default_collate

from tests.integrations.lightning_models import (
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
    utterance,
)

POSITIONS = (
    "earmark: the val loader does not say which items it draws, and its batches hold no id: "
    "examples are named by their position, and are the same ones in every epoch only if the "
    "loader's order is; return an id with each item, or pass shuffle=False, and in a "
    "plain loop validation(loader=loader)"
)


def examples(listener: Any, **filters: Any) -> list[str]:
    """The examples of a run, in the order of their names."""
    return sorted({clip.example for clip in clips_in(listener.run_dir, **filters)})


@pytest.mark.parametrize(
    ("key", "column", "names"),
    [
        ("id", utterance, ["utt-0", "utt-1"]),
        ("utt_id", lambda index: f"s{index}", ["s0", "s1"]),
        ("key", lambda index: 100 + index, ["100", "101"]),
        ("path", lambda index: f"wavs/{index}.wav", ["wavs/0.wav", "wavs/1.wav"]),
    ],
)
def test_ids_in_the_batch_come_first(
    tmp_path: Path, key: str, column: Any, names: list[str]
) -> None:
    """Texts, and integers that the loader collates to a tensor, under the usual keys."""
    listener = monitor()
    assert fit(tmp_path, listener, val=loader(4, **{key: column})) == []
    assert examples(listener) == names


@dataclass
class Utterances:
    """A batch that is no dict, but has names."""

    noisy: Tensor
    text: list[str]
    path: list[str]


class NamedUtterances(NamedTuple):
    """The same as a tuple."""

    noisy: Tensor
    path: list[str]
    text: list[str]


@pytest.mark.parametrize("kind", [Utterances, NamedUtterances])
def test_fields_of_a_batch_are_like_keys(tmp_path: Path, kind: Any) -> None:
    """Identities and texts are found, and can be named in captions."""

    class Module(Denoiser):
        def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
            return {"prediction": batch.noisy}

    def collate(items: list[Any]) -> Any:
        columns = default_collate(items)
        return kind(**{name: columns[name] for name in ("noisy", "text", "path")})

    listener = monitor(captions="{text} of {path}")
    val = DataLoader(Speech(4, path=utterance), batch_size=2, shuffle=True, collate_fn=collate)
    assert fit(tmp_path, listener, module=Module(), val=val) == []
    clips = clips_in(listener.run_dir)
    assert len(clips) == 2
    for clip in clips:
        index = clip.example.removeprefix("utt-")
        assert clip.caption == f"words {index} of utt-{index}"


def test_without_ids_the_index_in_the_data_set_counts(tmp_path: Path) -> None:
    """Batches of any size give the same names to the same items."""
    for size in (1, 3, 8):
        listener = monitor(max_examples=4)
        assert fit(tmp_path / str(size), listener, val=loader(6, batch=size)) == []
        assert examples(listener) == ["0", "1", "2", "3"]


def test_a_column_of_another_length_does_not_mislead(tmp_path: Path) -> None:
    """Examples of later batches are counted by the loader's batch size, whatever is beside them."""

    def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
        return {"stems": ["vocals"] * 16, **default_collate(items)}

    listener = monitor(max_examples=5, target="clean")
    val = DataLoader(Speech(6), batch_size=2, collate_fn=collate)
    assert fit(tmp_path, listener, val=val) == []
    assert examples(listener) == ["0", "1", "2", "3", "4"]
    for clip in clips_in(listener.run_dir, role="target"):
        np.testing.assert_array_equal(heard(clip), speech(int(clip.example)).numpy())


def test_a_shuffled_loader_without_ids_is_told_once(tmp_path: Path) -> None:
    """Positions are all there is, and the way out is in the message."""
    listener = monitor()
    val = loader(8, shuffle=True)
    assert fit(tmp_path, listener, val=val, max_epochs=3) == [POSITIONS]
    assert examples(listener) == ["0", "1"]


def test_a_stream_is_counted(tmp_path: Path) -> None:
    """An iterable data set has no indices: its order is all there is."""

    class Stream(IterableDataset[dict[str, Any]]):
        def __iter__(self) -> Any:
            return (Speech()[index] for index in (5, 6, 7))

    listener = monitor(max_examples=3, target="clean")
    assert fit(tmp_path, listener, val=DataLoader(Stream(), batch_size=2)) == [POSITIONS]
    for clip in clips_in(listener.run_dir, role="target"):
        np.testing.assert_array_equal(heard(clip), speech(5 + int(clip.example)).numpy())


def test_batches_of_an_unknown_type_are_counted_by_their_sounds(tmp_path: Path) -> None:
    """Positions of two batches never overlap, though nobody knows how to count the batch."""

    @dataclass
    class Batch:
        noisy: Tensor
        clean: Tensor

    class Module(Denoiser):
        def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
            return {"prediction": batch.noisy}

        def transfer_batch_to_device(self, batch: Any, device: Any, dataloader_idx: int) -> Any:
            return batch

    def collated(items: Any) -> Batch:
        columns = [torch.stack([item[key] for item in items]) for key in ("noisy", "clean")]
        return Batch(*columns)

    listener = monitor(max_examples=5, target="clean")
    val = DataLoader(Speech(6), batch_size=2, collate_fn=collated)
    assert fit(tmp_path, listener, module=Module(), val=val) == []
    targets = clips_in(listener.run_dir, role="target")
    assert [clip.example for clip in targets] == ["0", "1", "2", "3", "4"]
    for clip in targets:
        np.testing.assert_array_equal(heard(clip), speech(int(clip.example)).numpy())


@pytest.mark.parametrize("predict", [None, "enhance"])
def test_a_loader_that_does_not_batch(tmp_path: Path, predict: str | None) -> None:
    """Each batch is one sound, and its index is still that of the data set."""

    class Module(Denoiser):
        def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
            return {"prediction": batch["noisy"]}

        def enhance(self, batch: Any) -> Tensor:
            half: Tensor = batch["noisy"] / 2
            return half

    listener = monitor(max_examples=3, target="clean", predict=predict)
    val = DataLoader(Speech(5), batch_size=None)
    assert fit(tmp_path, listener, module=Module(), val=val) == []
    targets = clips_in(listener.run_dir, role="target")
    assert [clip.example for clip in targets] == ["0", "1", "2"]
    for clip in targets:
        np.testing.assert_array_equal(heard(clip), speech(int(clip.example)).numpy())


def test_loaders_in_a_list_are_numbered_as_their_metrics_are(tmp_path: Path) -> None:
    """Each has its own examples, under the name that Lightning gives to its scalars."""
    listener, logger = monitor(), CSVLogger(tmp_path)
    val = [loader(4, id=utterance), loader(4, id=lambda index: f"far-{index}")]
    assert fit(tmp_path, listener, val=val, logger=logger) == []
    with Path(logger.log_dir, "metrics.csv").open() as file:
        columns = next(csv.reader(file))
    metrics = [column for column in columns if column.startswith("loss/")]
    tags = sorted(numbers(clips_in(listener.run_dir), "tag"))
    assert tags == [metric.replace("loss/", "val/") for metric in sorted(metrics)]
    assert examples(listener, tag=tags[0]) == ["utt-0", "utt-1"]
    assert examples(listener, tag=tags[1]) == ["far-0", "far-1"]


def test_loaders_in_a_mapping_have_their_names(tmp_path: Path) -> None:
    """The names that users gave them are those of the tags."""
    listener = monitor()
    val = {"clean": loader(4), "noisy": loader(4, batch=3)}
    assert fit(tmp_path, listener, val=val) == []
    assert examples(listener, tag="val/clean") == ["0", "1"]
    assert examples(listener, tag="val/noisy") == ["0", "1"]


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # of torch, by Lightning
@pytest.mark.parametrize("loop", ["fit", "validate"])
def test_loaders_that_are_drawn_from_side_by_side_are_one(tmp_path: Path, loop: str) -> None:
    """Its batches hold sounds of both, so they have the name of neither, like their scalars."""

    class Module(Denoiser):
        def validation_step(self, batch: Any, index: int, dataloader_idx: int = 0) -> Any:
            return {"prediction": torch.cat([batch["near"]["clean"], batch["far"]["clean"]], -1)}

    listener = monitor()
    val = CombinedLoader({"near": loader(4), "far": loader(6)}, "min_size")
    if loop == "fit":
        assert fit(tmp_path, listener, module=Module(), val=val) == []
    else:
        with told() as messages:
            make_trainer(tmp_path, listener).validate(Module(), val, verbose=False)
        assert messages == []
    assert examples(listener, tag="val") == ["0", "1"]
    for clip in clips_in(listener.run_dir):
        sound = speech(int(clip.example)).numpy()
        np.testing.assert_array_equal(heard(clip), np.concatenate([sound, sound]))


def test_a_repeated_item_is_logged_once(tmp_path: Path) -> None:
    """Samplers that fill up the last batch do not repeat its clips."""
    listener = monitor(max_examples=4)
    val = loader(6, id=lambda index: utterance(index % 3))
    assert fit(tmp_path, listener, val=val) == []
    clips = clips_in(listener.run_dir, all_versions=True)
    assert [clip.example for clip in clips] == ["utt-0", "utt-1", "utt-2"]


@pytest.mark.parametrize(
    ("chosen", "column", "names"),
    [
        ([1, 6], None, ["1", "6"]),
        (["6", "1"], None, ["1", "6"]),
        (["utt-3", "utt-8"], utterance, ["utt-3", "utt-8"]),
        ([3, 8], utterance, ["3", "8"]),
        ([103, 108], lambda index: 100 + index, ["103", "108"]),
    ],
    ids=["indices", "texts", "ids", "indices beside ids", "ids that are numbers"],
)
@pytest.mark.parametrize("predict", [None, "forward_of"])
def test_the_examples_that_are_asked_for_are_logged(
    tmp_path: Path, chosen: Any, column: Any, names: list[str], predict: str | None
) -> None:
    """By identity, or by index, whatever comes before them; no batch too many is predicted."""

    class Module(Denoiser):
        def forward_of(self, batch: dict[str, Any]) -> Tensor:
            clean: Tensor = batch["clean"]
            return clean

    listener = monitor(examples=chosen, target="clean", predict=predict)
    val = loader(10, batch=2, **({"id": column} if column else {}))
    assert fit(tmp_path, listener, module=Module(), val=val, max_epochs=2) == []
    for epoch in range(2):
        assert examples(listener, epoch=epoch) == names
    for clip in clips_in(listener.run_dir, role="target"):
        index = int(clip.example.rpartition("-")[2]) % 100
        np.testing.assert_array_equal(heard(clip), speech(index).numpy())


def test_examples_that_are_not_there_are_told_once(tmp_path: Path) -> None:
    """The others are logged; a loop outside of the training may well be of other data."""
    listener = monitor(examples=["utt-1", "utt-77", "utt-78"])
    (message,) = fit(tmp_path, listener, val=loader(id=utterance), max_epochs=2)
    assert message == (
        "earmark: expected the examples 'utt-77', 'utt-78', got none of them up to step 2: pass "
        "identities as the batches hold them, or indices in the data set as integers"
    )
    assert examples(listener) == ["utt-1"]


@pytest.mark.parametrize("predict", [None, "clean_of"])
def test_other_data_are_heard_from_their_second_loop_on(
    tmp_path: Path, predict: str | None
) -> None:
    """When a folder moves between trainings, so do its paths: that is told, others are chosen."""

    class Module(Denoiser):
        def clean_of(self, batch: dict[str, Any]) -> Tensor:
            clean: Tensor = batch["clean"]
            return clean

    listener = monitor(predict=predict, prediction=None if predict else "clean")
    for folder, expected in (("old", ["old/0", "old/1"]), ("new", [])):
        val = loader(4, batch=2, path=lambda index, folder=folder: f"{folder}/{index}")
        root = tmp_path / folder
        messages = fit(root, listener, module=Module(), val=val)
        assert examples(listener) == expected
    (message,) = messages
    assert message == (
        "earmark: none of the val examples that were chosen before, such as 'old/0', came up at "
        "step 2, so nothing was logged: others are chosen in the next loop; give other data a "
        "monitor of its own"
    )
    assert fit(tmp_path / "again", listener, module=Module(), val=val) == []
    assert examples(listener) == ["new/0", "new/1"]
