"""Whatever is wrong with a run is found and told, and nothing stops that."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import earmark
from earmark.errors import EarmarkError, EarmarkWarning, RunFormatError, RunNotFoundError
from earmark.upkeep.check import check_run
from earmark.upkeep.repair import repair_run
from earmark.upkeep.verify import Problem
from tests.core.damage import ANEW, RESTORE, Written, edit_json, flip_bit, said, truncate

# --- a run that is as it was published


def test_a_sound_run_has_no_problems(run: Written) -> None:
    """Nothing is wrong with a run as it was written, and nothing about it is changed."""
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}

    assert said(run) == []
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_nothing_to_repair(run: Written) -> None:
    """Repairing a sound run does nothing."""
    before = run.files()

    assert repair_run(run.path) == []
    assert run.files() == before


def test_hidden_files_of_the_system_are_none_of_its_business(run: Written) -> None:
    """A file manager's droppings are no problem, not even in a take that holds links only."""
    for folder in (run.path, run.take(0), run.take(2), run.reference):
        (folder / ".DS_Store").write_bytes(b"Bud1")

    assert said(run) == []
    assert len(list(earmark.open_run(run.path).takes())) == 3


def test_a_problem_is_one_line(run: Written) -> None:
    """A problem has the file, what is wrong with it, and the way out."""
    run.index.unlink()

    assert check_run(run.path) == [Problem(run.name(run.index), "missing", ANEW)]
    assert said(run) == [f"index/{run.writer}.jsonl: missing: {ANEW}"]


def test_a_torn_account_of_what_was_sent(run: Written) -> None:
    """A line that names no take is found; it costs that take a second way to its tracker."""
    (run.path / "sent").mkdir()
    (run.path / "sent" / f"{run.writer}.wandb.jsonl").write_text('{"take": "a"}\n{"tak')
    (problem,) = check_run(run.path)
    assert problem.file == f"sent/{run.writer}.wandb.jsonl"
    assert problem.what == "expected the name of a take in line 2, got something else"
    assert problem.way_out == "delete the line; earmark push --to sends that take once more"


# --- the run itself


def test_a_run_that_lacks_its_name_and_manual(run: Written) -> None:
    """run.json and README.md are made anew, as they were."""
    published = run.files()
    (run.path / "run.json").unlink()
    (run.path / "README.md").unlink()

    assert said(run) == [f"run.json: missing: {ANEW}", f"README.md: missing: {ANEW}"]
    assert repair_run(run.path) == ["made run.json anew", "made README.md anew"]
    assert said(run) == []
    assert run.files() == published


def test_a_run_whose_name_is_broken(run: Written) -> None:
    """A run.json that is cut off does not keep the takes from being checked."""
    truncate(run.path / "run.json", 9)
    run.index.unlink()

    assert said(run) == [
        f"run.json: expected a run's name and format, got something else: delete it; {ANEW}",
        f"{run.name(run.index)}: missing: {ANEW}",
    ]
    (run.path / "run.json").unlink()
    repair_run(run.path)
    assert said(run) == []


def test_a_writer_that_nobody_remembers(run: Written) -> None:
    """Who opened the run for writing is known, and the file that says so is whole."""
    file = run.description
    way_out = "restore it from a backup; its takes are read as if they were the oldest"
    writer = run.writer

    truncate(file, 20)
    expected = "expected who has opened the run, got something else"
    assert said(run) == [f"writers/{writer}.json: {expected}: {way_out}"]

    file.unlink()
    assert said(run) == [f"writers/{writer}.json: missing: {way_out}"]
    assert len(list(earmark.open_run(run.path).takes())) == 3


def test_a_run_of_a_later_format(run: Written) -> None:
    """A run that a later version wrote is left to that version."""
    edit_json(run.path / "run.json", lambda record: record | {"format": "2.0"})

    with pytest.raises(RunFormatError, match=r"expected a run of format 1\.0, got 2\.0 at"):
        check_run(run.path)
    with pytest.raises(RunFormatError, match=r"expected a run of format 1\.0, got 2\.0 at"):
        repair_run(run.path)


@pytest.mark.parametrize("command", [check_run, repair_run])
def test_no_run(tmp_path: Path, command: Callable[[Path], object]) -> None:
    """A folder that is no run is not made one."""
    (tmp_path / "takes").mkdir()

    with pytest.raises(RunNotFoundError, match=r"expected a run at '.*', got no run\.json there"):
        command(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["takes"]


# --- readers


def test_readers_of_a_torn_record(run: Written) -> None:
    """Readers say which file is damaged, and who says more."""
    truncate(run.take(0) / "metadata.jsonl", 100)
    run.index.unlink()

    expected = (
        r"expected lines of JSON in '.*metadata\.jsonl', .* earmark check says what is damaged"
    )
    with pytest.warns(EarmarkWarning, match=expected):
        list(earmark.open_run(run.path).takes())


def test_readers_of_bytes_that_are_no_text(run: Written) -> None:
    """A byte that is no UTF-8 makes a torn line, too."""
    metadata = run.take(0) / "metadata.jsonl"
    metadata.write_bytes(metadata.read_bytes().replace(b"one", b"on\xff"))

    assert said(run) == [
        f"{run.name(metadata)}: expected a record in line 1, got no JSON object: {RESTORE}"
    ]
    run.index.unlink()
    with pytest.warns(EarmarkWarning, match=r"expected lines of JSON in"):
        list(earmark.open_run(run.path).takes())


def test_readers_of_a_record_that_lacks_a_field(run: Written) -> None:
    """Readers say which take is damaged, and who says more."""
    edit_json(run.take(0) / "metadata.jsonl", lambda record: {"file_name": record["file_name"]})
    run.index.unlink()

    expected = r"expected records of format 1\.0 of the take 00000000\..*, got KeyError\('.*'\) in"
    with pytest.warns(EarmarkWarning, match=expected):
        list(earmark.open_run(run.path).takes())


def test_readers_of_a_run_without_a_name(run: Written) -> None:
    """A run.json that lacks the run's name says nothing."""
    (run.path / "run.json").write_text('{"format": "1.0"}')

    with pytest.raises(
        RunFormatError, match=r"to hold a run's name and format, got KeyError\('name'\)"
    ):
        earmark.open_run(run.path)


# --- whatever happens


NUM_FILES = 13
UNREAD = ("README.md",)


def files_of(run: Written) -> list[Path]:
    """Every file of a run, in an order that does not depend on its writer's id."""
    return sorted(path for path in run.path.rglob("*") if path.is_file())


def bit(file: Path) -> None:
    """Flip a bit somewhere."""
    flip_bit(file, random.Random(0).randrange(file.stat().st_size))


def half(file: Path) -> None:
    """Cut off half of the file."""
    truncate(file, file.stat().st_size // 2)


def zeros(file: Path) -> None:
    """Have the disk give back nothing but zeros."""
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.parametrize("damage", [bit, half, zeros, Path.unlink])
@pytest.mark.parametrize("number", range(NUM_FILES))
def test_no_damage_stops_it(run: Written, number: int, damage: Callable[[Path], None]) -> None:
    """Any file may be damaged in any way: no traceback, and every other sound stays as it is."""
    files = files_of(run)
    file = files[number]
    damage(file)
    sounds = run.sounds()

    assert len(files) == NUM_FILES
    assert said(run) or file.name in UNREAD or damage is bit
    repair_run(run.path)
    assert run.sounds() == sounds
    with contextlib.suppress(EarmarkError):
        list(earmark.open_run(run.path).clips())


def test_every_byte_of_a_record_counts(run: Written) -> None:
    """Wherever a bit of a take's records flips, it is noticed and nothing raises."""
    metadata = run.take(0) / "metadata.jsonl"
    published = metadata.read_bytes()
    for position in range(0, len(published) - 1, 7):
        flip_bit(metadata, position)
        assert said(run), published[position : position + 1]
        metadata.write_bytes(published)
