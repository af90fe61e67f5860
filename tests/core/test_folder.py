from __future__ import annotations

import json
from pathlib import Path

import pytest

from earmark.errors import RunFormatError, RunNotFoundError
from earmark.folder import create_run, read_run_file, read_writers


def test_a_new_run_says_its_name_and_format(tmp_path: Path) -> None:
    """The directory is made with its parents, and is named in its own file."""
    create_run(tmp_path / "runs/vocoder")

    assert read_run_file(tmp_path / "runs/vocoder") == {"name": "vocoder", "format": "1.0"}


def test_a_new_run_explains_itself(tmp_path: Path) -> None:
    """A README in the directory says how to read it, in Python and without."""
    create_run(tmp_path / "vocoder")
    readme = (tmp_path / "vocoder/README.md").read_text(encoding="utf-8")

    assert readme.startswith("---\n")
    assert 'earmark.open_run("vocoder")' in readme


def test_a_run_is_recognised(tmp_path: Path) -> None:
    """Opening a run again changes nothing in its files, whatever was written beside them."""
    create_run(tmp_path)
    (tmp_path / "README.md").write_text("my notes")
    (tmp_path / "run.json").write_text('{"name": "kept", "format": "1.4", "colour": "red"}')

    create_run(tmp_path)

    assert (tmp_path / "README.md").read_text() == "my notes"
    assert read_run_file(tmp_path)["name"] == "kept"


def test_a_later_major_format_is_refused_by_name(tmp_path: Path) -> None:
    """A run of format 2.0 is neither read nor touched, and the message names the version."""
    (tmp_path / "run.json").write_text('{"name": "future", "format": "2.0"}')

    with pytest.raises(
        RunFormatError,
        match=r"expected a run of format 1\.0, got 2\.0 at .*: pip install --upgrade",
    ):
        create_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_folder_of_runs_is_no_run(tmp_path: Path) -> None:
    """Opening the folder above the runs, a likely slip, makes no run there."""
    create_run(tmp_path / "first")

    with pytest.raises(
        RunFormatError,
        match=r"expected the directory of one run, got '.*', which is a folder of runs: name one "
        r"in it, such as '.*/first' or a new one",
    ):
        create_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_a_file_is_no_place_for_a_run(tmp_path: Path) -> None:
    """Where there is a file, the operating system's own error says so."""
    (tmp_path / "file").touch()

    with pytest.raises(NotADirectoryError):
        create_run(tmp_path / "file")


@pytest.mark.parametrize("place", ["", "nothing", "file"])
def test_where_there_is_no_run(tmp_path: Path, place: str) -> None:
    """A directory, nothing, or a file: the message says what is missing."""
    (tmp_path / "file").touch()

    with pytest.raises(
        RunNotFoundError, match=r"expected a run at '.*', got no run\.json there: check the path"
    ):
        read_run_file(tmp_path / place)


def test_a_folder_of_runs_names_them(tmp_path: Path) -> None:
    """Whoever names the folder above the runs is told which there are."""
    for name in ("second", "first"):
        create_run(tmp_path / name)

    with pytest.raises(RunNotFoundError, match="name one of the runs in it: first, second"):
        read_run_file(tmp_path)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "3", '"text"', "{}", '{"name": "a"}', '{"format": "1.0"}', "\xff",
     '{"name": "a", "format": null}', '{"name": "a", "format": "new"}'],
    ids=ascii,
)  # fmt: skip
def test_a_broken_run_file_is_refused(tmp_path: Path, content: str) -> None:
    """Whatever stands in run.json, the error is ours and says how to mend it."""
    (tmp_path / "run.json").write_text(content, encoding="latin-1")

    with pytest.raises(
        RunFormatError,
        match=r"expected '.*run\.json' to hold a run's name and format, got .*: delete the file "
        "and open the run for writing, which makes it anew; its takes stay as they are",
    ):
        read_run_file(tmp_path)


def test_a_broken_run_file_can_be_mended_as_its_error_says(tmp_path: Path) -> None:
    """Deleting the file and opening the run anew makes it, and leaves the takes alone."""
    create_run(tmp_path)
    take = tmp_path / "takes/00000001.bcdfghjk.0"
    take.mkdir()
    (tmp_path / "run.json").unlink()

    create_run(tmp_path)

    assert read_run_file(tmp_path)["format"] == "1.0"
    assert take.is_dir()


def test_writers_are_listed_by_age(tmp_path: Path) -> None:
    """The first to open the run stands first; hidden leftovers are none."""
    create_run(tmp_path)
    for name, started_at in (("newer", 2.0), ("oldest", 1.0), (".tmp-x-oldest", 0.5)):
        description = {"id": name, "started_at": started_at}
        (tmp_path / f"writers/{name}.json").write_text(json.dumps(description))

    assert [writer["id"] for writer in read_writers(tmp_path)] == ["oldest", "newer"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"started_at": "noon"}'])
def test_a_damaged_writer_is_still_a_writer(tmp_path: Path, content: str) -> None:
    """A writer whose file is damaged is known by its name, as the oldest."""
    create_run(tmp_path)
    (tmp_path / "writers/whole.json").write_text('{"id": "whole", "started_at": 1.0}')
    (tmp_path / "writers/torn.json").write_text(content)

    assert [writer["id"] for writer in read_writers(tmp_path)] == ["torn", "whole"]


def test_without_writers_there_are_none(tmp_path: Path) -> None:
    """A copy of a run that lost its folder of writers can still be read."""
    assert read_writers(tmp_path) == []
