from __future__ import annotations

from pathlib import Path

import pytest

from earmark.testing import noise
from earmark.upload.spool import Holders, Opening, spool_directory
from earmark.writer import Writer
from tests.core.clips import clip, publish


def test_the_spool_is_where_one_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument decides, then the environment, then the user's cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("EARMARK_SPOOL", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert spool_directory() == tmp_path / ".cache/earmark/spool"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert spool_directory() == tmp_path / "cache/earmark/spool"
    monkeypatch.setenv("EARMARK_SPOOL", "~/big-disk")
    assert spool_directory() == tmp_path / "big-disk"
    assert spool_directory("~/given") == tmp_path / "given"


def test_each_opening_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """One URL's openings are side by side, in a folder that people recognise."""
    first = Opening.create(tmp_path, "s3://bucket/Vocoder", {})
    second = Opening.create(tmp_path, "s3://bucket/Vocoder", {})
    other = Opening.create(tmp_path, "s3://other/Vocoder", {})
    assert first.folder != second.folder
    assert first.folder.parent == second.folder.parent != other.folder.parent
    assert first.folder.parent.name.startswith("vocoder")
    assert [each.folder for each in Opening.found_in(tmp_path)] == [
        each.folder for each in (first, second, other)
    ]
    assert [each.url for each in Opening.found_in(other.folder)] == ["s3://other/Vocoder"]


def test_an_opening_of_this_process_is_in_use(tmp_path: Path) -> None:
    """Nobody takes it for left over while its process lives."""
    assert not Opening.create(tmp_path, "s3://bucket/run", {}).is_left


def test_what_is_no_opening_is_passed_over(tmp_path: Path) -> None:
    """A file that was being written when its process was killed stands for nothing."""
    folder = Opening.create(tmp_path, "s3://bucket/run", {}).folder
    (folder / "spool.json").write_text('{"url": "s3:')
    assert Opening.found_in(tmp_path) == []
    assert Opening.found_in(tmp_path / "nowhere") == []


def test_a_take_goes_when_all_have_let_go_of_it(tmp_path: Path) -> None:
    """Not before the last one has; the record of a target stays, so that none is stored again."""
    opening = Opening.create(tmp_path, "s3://bucket/run", {})
    writer = Writer(opening.run)
    take = publish(writer, 7, [clip(noise()), clip(noise(seed=1), "target")])
    (reference,) = opening.run.glob("takes/ref.*")
    holders = Holders(opening, 2)
    holders.let_go(take.name)
    assert opening.waiting == [take.name]
    assert not holders.is_idle
    holders.let_go(take.name)
    assert opening.waiting == []
    assert holders.is_idle

    opening.evict_sounds(reference.name)
    assert [file.name for file in reference.iterdir()] == ["metadata.jsonl"]
    again = publish(Writer(opening.run), 8, [clip(noise(seed=1), "target", step=8)])
    assert again.clips[0].audio.path == reference / "target.flac"
    assert not (reference / "target.flac").exists()


def test_removing_an_opening_leaves_the_others(tmp_path: Path) -> None:
    """The folder of their URL goes with the last of them."""
    first = Opening.create(tmp_path, "s3://bucket/run", {})
    second = Opening.create(tmp_path, "s3://bucket/run", {})
    first.remove()
    assert [each.folder for each in Opening.found_in(tmp_path)] == [second.folder]
    second.remove()
    assert list(tmp_path.iterdir()) == []
