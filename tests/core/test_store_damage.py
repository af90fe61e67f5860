from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from earmark import open_run
from earmark.errors import EarmarkWarning
from earmark.writer import Writer
from tests.core.clips import publish
from tests.core.damage import edit_json
from tests.core.stores import clip, contents
from tests.core.stores import published as published  # noqa: PLC0414 - a fixture
from tests.core.stores import run as run  # noqa: PLC0414 - a fixture


def tear_index(run: Path) -> None:
    """What a crash in the middle of a line leaves."""
    (file,) = (run / "index").iterdir()
    file.write_bytes(file.read_bytes()[:-100])


def garble_index(run: Path) -> None:
    """What a bad disk leaves."""
    (file,) = (run / "index").iterdir()
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([b"\xff\x00{", b"null", b"[]", b'{"take": 5}', *lines[1:]]))


def lose_index(run: Path) -> None:
    """What a user leaves who was told that it may be deleted."""
    shutil.rmtree(run / "index")


def lose_writers(run: Path) -> None:
    """What a partial copy leaves."""
    shutil.rmtree(run / "writers")


def litter(run: Path) -> None:
    """What file managers, crashes and users leave."""
    (run / "takes/.tmp-00000007.bcdfghjk.0").mkdir()
    (run / "takes/notes").mkdir()
    (run / "takes/.DS_Store").touch()
    for take in (run / "takes").glob("0*"):
        (take / ".DS_Store").touch()
    lose_index(run)


@pytest.mark.parametrize("damage", [tear_index, garble_index, lose_index, lose_writers, litter])
def test_readers_see_the_same_clips(run: Path, damage: Callable[[Path], None]) -> None:
    """The index is a cache and the takes are the truth: without it nothing is missing."""
    before = contents(run)
    damage(run)

    assert contents(run) == before


def test_a_take_that_is_deleted_is_gone(run: Path) -> None:
    """What the index says of a take that somebody deleted counts for nothing."""
    shutil.rmtree(next((run / "takes").glob("00000200.*")))

    assert [take.step for take in open_run(run).takes()] == [100, 300, 300]


def test_a_take_without_its_metadata_is_none(tmp_path: Path) -> None:
    """On storage without a rename the metadata comes last: a take exists only when it is there."""
    take = publish(Writer(tmp_path), 7, [clip(), clip(role="target")])
    lose_index(tmp_path)
    (take.path / "metadata.jsonl").unlink()

    assert list(open_run(tmp_path).takes()) == []


def test_a_take_of_links_alone_is_one(tmp_path: Path) -> None:
    """Where all sounds are stored elsewhere, the links are all there is to a take."""
    Writer(tmp_path).publish(7, [clip(role="target")])
    lose_index(tmp_path)

    assert [each.role for each in open_run(tmp_path).clips()] == ["target"]


def test_a_run_without_takes_is_empty(tmp_path: Path) -> None:
    """A new run, and a copy that lost its empty folders, hold nothing."""
    Writer(tmp_path)
    assert list(open_run(tmp_path).clips()) == []

    shutil.rmtree(tmp_path / "takes")
    assert list(open_run(tmp_path).takes()) == []


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{", r"expected lines of JSON in '.*metadata\.jsonl', got something else: earmark check"),
        ("[]", r"expected lines of JSON in '.*metadata\.jsonl', got something else: earmark check"),
        ("{}", r"expected records of format 1\.0 of the take .*: earmark check says"),
    ],
)
def test_a_damaged_take_is_named_and_hides_no_other(run: Path, record: str, message: str) -> None:
    """Damage is said, with its place and what to do, and the other takes are read."""
    lose_index(run)
    before = [take.name for take in open_run(run).takes()]
    file = next((run / "takes").glob("00000200.*")) / "metadata.jsonl"
    file.write_text(record)

    with pytest.warns(EarmarkWarning, match=message):
        left = [take.name for take in open_run(run).takes()]
    assert left == [name for name in before if str(name) != file.parent.name]


def test_one_step_is_read_by_its_name(run: Path) -> None:
    """Takes of other steps are not looked at, however damaged they are."""
    lose_index(run)
    for file in run.glob("takes/00000[13]00.*/metadata.jsonl"):
        file.write_text("{")

    assert len(list(open_run(run).clips(step=200))) == 4


@pytest.mark.parametrize(
    "name", ["../../../secret.flac", "/etc/passwd", "..", "", "a/b.flac", "a\\b.flac", "C:x", None]
)
def test_no_sound_is_looked_for_outside_its_take(run: Path, name: str | None) -> None:
    """A damaged or hostile record leads nowhere: its take is passed over, and that is told."""
    lose_index(run)
    file = next(run.glob("takes/00000200.*")) / "metadata.jsonl"
    edit_json(file, lambda record: record | {"file_name": name})

    with pytest.warns(
        EarmarkWarning,
        match=r"expected the name of a file beside it, got .*, in the take 00000200\..* at '.*': "
        "earmark check says what is damaged",
    ):
        assert {each.step for each in open_run(run).clips(example="b")} == {100, 300}
