from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks.isolated import Isolated, NoResultError


def test_a_function_runs_in_another_process_in_its_folder(tmp_path: Path) -> None:
    """The process is another one, and its working directory and home are the folder."""
    folder = tmp_path / "place"
    with Isolated(folder) as process:
        assert process.run("os:getpid") != os.getpid()
        assert Path(process.run("os:getcwd")) == folder
        assert process.run("os.path:expanduser", "~") == str(folder)


def test_an_object_stays_between_calls(tmp_path: Path) -> None:
    """What one call changes, the next one finds."""
    with Isolated(tmp_path) as process:
        process.make("collections:Counter", "aab")
        process.call("update", "b")
        assert process.call("most_common") == [("a", 2), ("b", 2)]


def test_an_error_there_is_the_reason_here(tmp_path: Path) -> None:
    """The process survives an error, which is named; so does what is not installed."""
    with Isolated(tmp_path) as process:
        with pytest.raises(NoResultError, match=r"FileNotFoundError: .*no-such-file"):
            process.run("os:remove", "no-such-file")
        with pytest.raises(NoResultError, match="No module named 'no_such_package'"):
            process.run("no_such_package:anything")
        assert process.run("os:getcwd")


def test_a_process_that_ends_gives_its_exit_code(tmp_path: Path) -> None:
    """A crash is a reason, and no hang."""
    with Isolated(tmp_path) as process, pytest.raises(NoResultError, match="ended with 7"):
        process.run("os:_exit", 7)


def test_a_call_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    """The process is ended, and the reason says how long was waited."""
    with (
        Isolated(tmp_path, timeout=0.1) as process,
        pytest.raises(NoResultError, match=r"not done after 0\.1 s"),
    ):
        process.run("signal:pause")


def test_what_it_prints_is_kept(tmp_path: Path) -> None:
    """Peers print what they like; it is in a file."""
    with Isolated(tmp_path) as process:
        process.run("builtins:print", "hello")
    assert (tmp_path / "printed.txt").read_text(encoding="utf-8") == "hello\n"
