from __future__ import annotations

import errno
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from earmark.disk import (
    DurableFile,
    append_line,
    fingerprint,
    json_line,
    json_lines,
    publish_folder,
    write_durably,
    write_new,
    write_over,
)
from tests.core.faults import files_of_at_most


def folder_with(path: Path, content: str) -> Path:
    """Make a folder with one file in it."""
    path.mkdir()
    (path / "sound").write_text(content)
    return path


@pytest.mark.parametrize("text", ["plain", "你好", "a\nb\tc", "\u2028 \x85", 'quote " \\', ""])
def test_one_record_is_one_line(text: str) -> None:
    """A record is one line of JSON, readable in any editor, whatever its text holds."""
    line = json_line({"caption": text})

    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert json.loads(line) == {"caption": text}


def test_what_utf8_cannot_hold_becomes_a_question_mark() -> None:
    """Half a surrogate pair, as in a badly decoded path, costs a character and nothing else."""
    assert json.loads(json_lines([{"caption": "a\ud800b"}])) == {"caption": "a?b"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_is_strict(value: float) -> None:
    """NaN and Infinity, which are no JSON, are never written."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_line({"value": value})


def test_a_file_that_the_disk_cannot_take_is_an_error(tmp_path: Path) -> None:
    """A write that the disk refuses in the middle of the file is told with its cause."""
    with files_of_at_most(1000), pytest.raises(OSError, match="too large") as caught:
        write_durably(tmp_path / "sound", bytes(1001))

    assert caught.value.errno == errno.EFBIG


def test_publishing_gives_a_folder_its_name(tmp_path: Path) -> None:
    """What was written under a hidden name appears, whole, under its own."""
    hidden = folder_with(tmp_path / ".tmp-a", "mine")

    assert publish_folder(hidden, tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a/sound").read_text() == "mine"


def test_what_is_published_is_never_replaced(tmp_path: Path) -> None:
    """A second folder of the same name is refused, and the first stays as it is."""
    folder_with(tmp_path / "a", "theirs")
    hidden = folder_with(tmp_path / ".tmp-a", "mine")

    assert not publish_folder(hidden, tmp_path / "a")
    assert (tmp_path / "a/sound").read_text() == "theirs"


def test_publishing_where_it_cannot_be_is_an_error(tmp_path: Path) -> None:
    """A folder that can get no name is not called published."""
    hidden = folder_with(tmp_path / ".tmp-a", "mine")
    (tmp_path / "file").touch()

    with pytest.raises(NotADirectoryError):
        publish_folder(hidden, tmp_path / "file/a")


def test_a_new_file_is_created_once(tmp_path: Path) -> None:
    """Whoever comes second changes nothing, and nothing else is left behind."""
    file = tmp_path / "run.json"

    assert write_new(file, b"first")
    assert not write_new(file, b"second")
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_file_is_created_once_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system such as exFAT, too, what is there is never overwritten."""

    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    file = tmp_path / "run.json"

    assert write_new(file, b"first")
    assert not write_new(file, b"second")
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_file_is_created_once_by_however_many(tmp_path: Path) -> None:
    """Of several that create a file at one moment, one does, and it is as that one wrote it."""
    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            file = tmp_path / f"{number}.json"
            contents = [bytes([index]) * 1000 for index in range(8)]
            created = list(threads.map(partial(write_new, file), contents))

            assert created.count(True) == 1
            assert file.read_bytes() == contents[created.index(True)]
    assert len(list(tmp_path.iterdir())) == 20


def test_a_new_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """A disk that fills up leaves neither half a file nor a temporary one."""
    with files_of_at_most(1000), pytest.raises(OSError, match="too large"):
        write_new(tmp_path / "run.json", bytes(1001))

    assert list(tmp_path.iterdir()) == []


def test_lines_are_appended(tmp_path: Path) -> None:
    """Each line stands behind those before it."""
    append_line(tmp_path / "index", "a\n")
    append_line(tmp_path / "index", "你\n")

    assert (tmp_path / "index").read_text(encoding="utf-8") == "a\n你\n"


def test_a_line_is_appended_whole_or_not_at_all(tmp_path: Path) -> None:
    """A disk that takes half of one says so, and the next line begins a line."""
    append_line(tmp_path / "index", "first\n")
    with files_of_at_most(10), pytest.raises(OSError, match="No space left on device"):
        append_line(tmp_path / "index", "second\n")
    append_line(tmp_path / "index", "third\n")

    assert (tmp_path / "index").read_text(encoding="utf-8") == "first\nthird\n"


def test_other_content_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    """The file is whole at any time, and nothing is left beside it."""
    file = tmp_path / "file"
    write_over(file, b"first")
    write_over(file, b"second")

    assert file.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_full_disk_refuses_leaves_the_old_content(tmp_path: Path) -> None:
    """The error is the operating system's, and readers see what was there before."""
    file = tmp_path / "file"
    write_over(file, b"first")
    with files_of_at_most(4), pytest.raises(OSError, match="File too large"):
        write_over(file, b"second")

    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_written_at_any_place(tmp_path: Path) -> None:
    """As libraries do that write a header once they know how long the rest is."""
    with DurableFile(tmp_path / "sound") as file:
        assert file.write(b"????rest") == 8
        assert file.seek(0) == 0
        file.write(b"head")
        assert file.tell() == 4

    assert (tmp_path / "sound").read_bytes() == b"headrest"


def write_too_much(path: Path, size: int, error: Exception | None = None) -> None:
    """Write to a disk that holds 1000 bytes, as a library that passes over errors, and fail."""
    with files_of_at_most(1000), DurableFile(path) as file:
        file.write(bytes(size))
        if error is not None:
            raise error


@pytest.mark.parametrize("size", [2_000, 2_000_000])
def test_a_file_that_the_disk_refuses_is_an_error_in_the_end(tmp_path: Path, size: int) -> None:
    """Whether a write or the last flush fails, a library that passes over it hides nothing."""
    with pytest.raises(OSError, match="File too large"):
        write_too_much(tmp_path / "sound", size)


def test_the_disks_error_comes_before_what_follows_from_it(tmp_path: Path) -> None:
    """What a library makes of a refused write says less than the refusal itself."""
    with pytest.raises(OSError, match="File too large"):
        write_too_much(tmp_path / "sound", 2_000_000, RuntimeError("unspecified internal error"))


def test_another_error_is_itself(tmp_path: Path) -> None:
    """An error that has nothing to do with the disk passes through."""
    with pytest.raises(ZeroDivisionError), DurableFile(tmp_path / "sound"):
        raise ZeroDivisionError


@pytest.mark.parametrize("size", [0, 1, 1 << 16, 200_000])
def test_a_fingerprint_is_that_of_all_bytes(tmp_path: Path, size: int) -> None:
    """Files are read in parts; their size and hash are those of the whole."""
    data = os.urandom(size)
    (tmp_path / "sound").write_bytes(data)

    assert fingerprint(tmp_path / "sound") == (size, hashlib.sha256(data).hexdigest())
