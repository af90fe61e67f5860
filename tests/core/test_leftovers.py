"""What writers left behind goes when they are gone, and not before."""

from __future__ import annotations

import os
import secrets

import pytest

import earmark
from earmark.upkeep.repair import repair_run
from tests.core.damage import Written, age, edit_json, left_over, said


def test_leftovers_of_a_process_that_is_gone(run: Written) -> None:
    """What a dead writer did not finish is named and removed, and nothing else is."""
    published = run.files()
    take = left_over(run, f"00000030.{run.writer}.3")
    reference = left_over(run, f"{run.writer}.ref.a.input.0123456789abcdef")

    what = "left over by a writer that is gone: earmark check --repair removes it"
    assert said(run) == [f"{run.name(take)}: {what}", f"{run.name(reference)}: {what}"]
    assert repair_run(run.path) == [
        f"removed {run.name(take)}",
        f"removed {run.name(reference)}",
    ]
    assert said(run) == []
    assert run.files() == published


def test_leftovers_of_a_process_that_runs(run: Written) -> None:
    """What a living writer has not finished yet is no problem, and stays."""
    theirs = run.writer
    with earmark.Run(run.path):
        (mine,) = {file.stem for file in run.path.glob("writers/*.json")} - {theirs}
        folder = left_over(run, f"00000030.{mine}.0")
        age(folder, *folder.iterdir())

        assert said(run) == []
        assert repair_run(run.path) == []
        assert folder.is_dir()


def test_leftovers_of_somebody_elses_process(run: Written) -> None:
    """A process that may not be asked is there all the same."""
    first_process = 1
    run.hand_over_to(pid=first_process)
    left_over(run, f"00000030.{run.writer}.3")

    assert said(run) == []
    assert repair_run(run.path) == []


def test_leftovers_of_a_writer_that_has_said_so(run: Written) -> None:
    """Who has closed the run has ended with it, though its process goes on."""
    edit_json(run.description, lambda record: record | {"pid": os.getpid()})
    folder = left_over(run, f"00000030.{run.writer}.3")

    repair_run(run.path)
    assert not folder.exists()


def test_leftovers_of_another_machine(run: Written) -> None:
    """A writer on another machine is taken for gone when nothing has changed for an hour."""
    run.hand_over_to(host="elsewhere")
    folder = left_over(run, f"00000030.{run.writer}.3")

    age(folder)
    assert said(run) == []
    assert repair_run(run.path) == []

    age(folder, *folder.iterdir())
    assert repair_run(run.path) == [f"removed {run.name(folder)}"]


@pytest.mark.parametrize("name", [".tmp-4711-run.json", f".tmp-{secrets.token_hex(8)}-run.json"])
@pytest.mark.parametrize("place", ["", "writers", "index", "takes"])
def test_leftovers_of_nobody(run: Written, place: str, name: str) -> None:
    """A half-written file, which names no machine, is removed when it is an hour old."""
    file = run.path / place / name
    file.write_bytes(b"{")

    assert said(run) == []
    age(file)
    assert repair_run(run.path) == [f"removed {run.name(file)}"]


def test_hidden_files_that_are_not_ours(run: Written) -> None:
    """What earmark does not name so is never swept, however old."""
    file = run.path / ".tmp-mine"
    file.write_bytes(b"")
    age(file)

    assert said(run) == []
    assert repair_run(run.path) == []
    assert file.exists()
