"""The index is made anew from the takes, and nothing published is lost by it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import earmark
from earmark.upkeep.repair import repair_run
from tests.core.damage import ANEW, BACKUP, WAIT, Written, age, edit_json, said, truncate

# --- the index


def remove_index(run: Written) -> list[str]:
    """Remove a writer's file."""
    run.index.unlink()
    return ["missing"]


def tear_index(run: Written) -> list[str]:
    """Cut its last line off."""
    truncate(run.index, run.index.stat().st_size - 10)
    return [
        "expected a take's records in line 3, got something else",
        f"says nothing of {run.take(2).name}",
    ]


def shorten_index(run: Written) -> list[str]:
    """Drop its first line."""
    run.index.write_bytes(run.index.read_bytes().split(b"\n", 1)[1])
    return [f"says nothing of {run.take(0).name}"]


def contradict_takes(run: Written) -> list[str]:
    """Have it say something else of a clip."""
    index = run.index.read_text(encoding="utf-8")
    run.index.write_text(index.replace('"step": 0, "epoch": 0', '"step": 0, "epoch": 7', 1))
    return [f"says of {run.take(0).name} something else than the take itself"]


def break_index(run: Written) -> list[str]:
    """Have a line lack what makes it one."""
    edit_json(run.index, lambda line: line | {"clips": [{"role": "prediction"}]})
    return [
        "expected a take's records in line 1, got something else",
        f"says nothing of {run.take(0).name}",
    ]


@pytest.mark.parametrize(
    "damage", [remove_index, tear_index, shorten_index, contradict_takes, break_index]
)
def test_a_damaged_index(run: Written, damage: Callable[[Written], list[str]]) -> None:
    """Whatever happens to the index, it is made anew from the takes, byte for byte."""
    published = run.files()
    wrong = damage(run)
    index = run.name(run.index)

    assert said(run) == [f"{index}: {what}: {ANEW}" for what in wrong]
    assert repair_run(run.path) == [f"made {index} anew: 3 takes"]
    assert said(run) == []
    assert run.files() == published


def test_an_index_of_takes_that_are_gone(run: Written) -> None:
    """What somebody moved out of the run is forgotten by the index, and by nothing else."""
    take = run.take(1)
    shutil.move(take, run.path.parent)
    index = run.name(run.index)

    assert said(run) == [f"{index}: names {take.name}, which is not there: {ANEW}"]
    assert repair_run(run.path) == [f"made {index} anew: 2 takes"]
    assert said(run) == []


def test_an_index_whose_writer_has_no_takes(run: Written) -> None:
    """A writer's file in the index is emptied when all its takes are gone."""
    for number in range(3):
        shutil.rmtree(run.take(number))

    assert len(said(run)) == 3
    assert repair_run(run.path) == [f"made {run.name(run.index)} anew: 0 takes"]
    assert said(run) == []


def test_the_index_keeps_what_a_take_has_lost(run: Written) -> None:
    """The line of a take that cannot be restored stays, as the last that is known of it."""
    (run.take(0) / "a.prediction.flac").unlink()
    (run.take(0) / "metadata.jsonl").unlink()
    line = run.index.read_bytes().split(b"\n")[0]
    shutil.rmtree(run.take(2))

    metadata = f"{run.name(run.take(0))}/metadata.jsonl"
    assert said(run)[0] == f"{metadata}: expected records: 1, got 0: {BACKUP}"

    assert repair_run(run.path) == [f"made {run.name(run.index)} anew: 2 takes"]
    assert run.index.read_bytes().split(b"\n")[0] == line


# --- writers that still run


def test_the_index_of_a_living_writer(tmp_path: Path) -> None:
    """A living writer's index is named where it is damaged, and left alone."""
    with earmark.Run(tmp_path / "run") as training:
        training.log({"prediction": np.full(80, 0.5)}, step=0, sample_rate=8000)
        training.log({"prediction": np.full(80, 0.5)}, step=1, sample_rate=8000)
        training.flush()
        run = Written(tmp_path / "run")
        truncate(run.index, 10)

        index = run.name(run.index)
        assert said(run) == [
            f"{index}: expected a take's records in line 1, got something else: {WAIT}",
            f"{index}: says nothing of {run.take(0).name}: {WAIT}",
        ]
        assert repair_run(run.path) == []


def test_a_take_that_is_about_to_be_noted(tmp_path: Path) -> None:
    """That a living writer's newest take is not in the index yet is no problem."""
    with earmark.Run(tmp_path / "run") as training:
        training.log({"prediction": np.full(80, 0.5)}, step=0, sample_rate=8000)
        training.flush()
        run = Written(tmp_path / "run")
        run.index.unlink()

        assert said(run) == []


def test_the_index_of_another_machine(run: Written) -> None:
    """The index of a writer on another machine is left alone until nothing changed for an hour."""
    run.hand_over_to(host="elsewhere")
    truncate(run.index, 10)

    assert said(run)[0].endswith(WAIT)
    assert repair_run(run.path) == []

    age(run.index)
    assert said(run)[0].endswith(ANEW)
    assert repair_run(run.path) == [f"made {run.name(run.index)} anew: 3 takes"]
