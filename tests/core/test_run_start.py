from __future__ import annotations

import copy
import io
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from earmark import EarmarkWarning, Run, open_run
from earmark.errors import (
    ArgumentError,
    ArgumentTypeError,
    RunFormatError,
    StorageError,
    UnknownSinkError,
)
from earmark.testing import MemorySink, noise, sine
from tests.core.faults import flushing, told

# --- switches


@pytest.mark.parametrize("how", ["enabled=False", "EARMARK_MODE"])
def test_disabled_is_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Switched off, nothing is made, said, converted or due, whatever is logged."""
    if how == "EARMARK_MODE":
        monkeypatch.setenv("EARMARK_MODE", "disabled")
    with Run(tmp_path / "run", enabled=how == "EARMARK_MODE", sinks=["nobody"]) as run:
        assert not run.enabled
        assert not run.due(epoch=0)
        run.log({"prediction": object()}, step=-1)
        run.log_batch({"prediction": object()}, step=1, captions=5)  # type: ignore[arg-type]  # unseen
        with run.take(step=1) as take:
            take.add({"prediction": object()})
        run.flush()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["off", "Disabled", "0"])
def test_an_unknown_mode_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """A slip in EARMARK_MODE is told before a directory is made."""
    monkeypatch.setenv("EARMARK_MODE", mode)
    with pytest.raises(
        ArgumentError,
        match=f"expected EARMARK_MODE to be one of enabled, disabled, got '{mode}': unset it",
    ):
        Run(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["", "enabled"])
def test_enabled_is_enabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Set to enabled, or empty, EARMARK_MODE changes nothing."""
    monkeypatch.setenv("EARMARK_MODE", mode)

    assert Run(tmp_path / "run").enabled
    assert (tmp_path / "run/run.json").is_file()


def test_a_dry_run_does_everything_but_writing(tmp_path: Path) -> None:
    """Clips are converted, and what is wrong with them is told; no directory is made."""
    sink = MemorySink()
    with Run(tmp_path / "run", dry_run=True, sinks=[sink]) as run:
        assert run.due(epoch=0)
        with (
            pytest.warns(EarmarkWarning, match="expected one number as the metric"),
            flushing(run),
        ):
            run.log({"prediction": noise()}, epoch=0, sample_rate=16_000, metrics={"m": "high"})
        with pytest.warns(EarmarkWarning, match="expected a sample rate"):
            run.log({"prediction": noise()}, epoch=0)
        run.log({"prediction": noise()}, epoch=0, sample_rate=16_000)

    assert list(tmp_path.iterdir()) == []
    assert sink.takes == []


def test_after_close_nothing_is_logged(tmp_path: Path) -> None:
    """Closed, a run does nothing, says nothing, and may be closed again."""
    sink = MemorySink()
    run = Run(tmp_path, sinks=[sink])
    run.log({"prediction": noise()}, step=1, sample_rate=16_000)
    run.close()
    run.log({"prediction": noise()}, step=2, sample_rate=16_000)
    run.log({"prediction": object()}, step=-3)
    run.close()

    assert not run.due(step=3)
    assert [clip.step for clip in open_run(tmp_path).clips()] == [1]
    assert sink.closed


def test_a_draft_that_comes_after_close_keeps_no_memory(tmp_path: Path) -> None:
    """What was begun before, and is submitted too late, is let go of."""
    run = Run(tmp_path)
    draft = run.draft(step=1)
    draft.add({"prediction": noise()}, sample_rate=16_000)
    run.close()
    run.submit(draft)

    assert draft.memory.in_use == 0
    assert list(open_run(tmp_path).clips()) == []


def test_a_failing_loop_closes_its_run(tmp_path: Path) -> None:
    """An error in training is passed on, and the sinks are closed."""
    sink = MemorySink()
    with pytest.raises(ZeroDivisionError), Run(tmp_path, sinks=[sink]):
        _ = 1 / 0

    assert sink.closed


# --- where


def test_the_start_is_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr says where clips go, and stdout is the training's own."""
    with Run(tmp_path / "vocoder") as run:
        run.log({"prediction": noise()}, step=1, sample_rate=16_000)
    printed = capsys.readouterr()

    path = tmp_path / "vocoder"
    assert printed.err == f"earmark: clips go to {path} (list them: earmark ls {path})\n"
    assert printed.out == ""


@pytest.mark.parametrize("closed", [True, False])
def test_a_job_without_a_stderr_trains_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    """There is none under pythonw, and where a daemon has closed it."""
    stderr = io.StringIO() if closed else None
    if stderr is not None:
        stderr.close()
    monkeypatch.setattr(sys, "stderr", stderr)
    with Run(tmp_path) as run:
        run.log({"prediction": noise()}, step=1, sample_rate=16_000)

    assert len(list(open_run(tmp_path).takes())) == 1


@pytest.mark.parametrize("rank", ["1", "7"])
def test_other_ranks_announce_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rank: str,
) -> None:
    """Of all ranks that log, rank zero alone prints."""
    monkeypatch.setenv("RANK", rank)
    Run(tmp_path)

    assert capsys.readouterr().err == ""


def test_a_run_stays_where_it_is_when_training_changes_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is one from where the run was opened."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with told() as messages, Run("runs/first") as run:
        run.log({"prediction": noise()}, step=1, sample_rate=16_000)
        monkeypatch.chdir(tmp_path / "elsewhere")
        run.log({"prediction": noise(), "target": sine()}, step=2, sample_rate=16_000)

    assert messages == []
    assert [take.step for take in open_run(tmp_path / "runs" / "first").takes()] == [1, 2]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert run.path == Path("runs/first")


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_run_stays_where_it_was_opened(tmp_path: Path, copied: Callable[[Run], Run]) -> None:
    """Who sends it to a spawned process learns what to do in that one instead."""
    with (
        Run(tmp_path) as run,
        pytest.raises(
            ArgumentTypeError,
            match=r"expected a run to stay in the process that opened it, got Run\('.*'\) to be "
            r"copied or pickled: open it where it is needed, earmark.Run\('.*'\)",
        ),
    ):
        copied(run)


def test_a_run_is_resumed(tmp_path: Path) -> None:
    """A second day goes on in the same directory: old clips stay, replayed steps are told once."""
    with Run(tmp_path) as first:
        for step in (1, 2, 3):
            first.log({"prediction": noise() * 0.5}, step=step, sample_rate=16_000)
    with told() as messages, Run(tmp_path) as second:
        for step in (2, 3, 4):
            second.log({"prediction": noise()}, step=step, sample_rate=16_000)

    (message,) = messages
    assert message.startswith("earmark: step 2 was logged before, when ")
    run = open_run(tmp_path)
    assert [clip.step for clip in run.clips()] == [1, 2, 3, 4]
    for clip in run.clips():
        scale = 0.5 if clip.step == 1 else 1.0
        np.testing.assert_array_equal(clip.audio.samples, noise() * scale)
    older, newer = run.writers
    assert newer["resumed_from"] == older["id"]


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde is the home directory, and no directory called ~ is made."""
    monkeypatch.setenv("HOME", str(tmp_path))

    assert Run("~/runs/first").path == tmp_path / "runs/first"
    assert (tmp_path / "runs/first/run.json").is_file()
    assert repr(Run("~/runs/first")) == f"Run({str(tmp_path / 'runs/first')!r})"


def test_a_path_outlives_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative one is where it was when the run was opened."""
    monkeypatch.chdir(tmp_path)
    with Run("runs/first", strict=True) as run:
        monkeypatch.chdir(tmp_path / "runs")
        run.log({"prediction": noise()}, step=0, sample_rate=16_000)
    assert len(list(open_run(tmp_path / "runs/first").clips())) == 1


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (None, ArgumentTypeError, r"expected the run's directory as a path, got None \(NoneType\)"),
        (5, ArgumentTypeError, r"expected the run's directory as a path, got 5 \(int\): pass one"),
        ("", ArgumentError, r"expected a directory such as 'runs/first', or a URL such .* got ''"),
        ("file:///tmp/x", ArgumentError, r"got 'file:///tmp/x': a path has no scheme, and a URL"),
        ("foo://b/run", ArgumentError, r"or a URL such as 's3://bucket/run', got 'foo://b/run'"),
        ("https://b/run", ArgumentError, r"expected a URL that can be written to, such as 's3:/"),
        ("zip://a::s3://b/c", ArgumentError, r"can be written to, .* got 'zip://a::s3://b/c'"),
        (
            "s3:/bucket/run",
            ArgumentError,
            r"got 's3:/bucket/run', a URL that lost a slash",
        ),
        (Path("gs://b/run"), ArgumentError, r"a URL that lost a slash in a Path: pass URLs as str"),
        ("S3:///", ArgumentError, r"got 'S3:///': name the folder that the run is to be"),
    ],
)
def test_a_run_is_a_directory_or_a_url(path: Any, error: type[Exception], message: str) -> None:
    """Anything else is refused before the first step."""
    with pytest.raises(error, match=message):
        Run(path)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"schedule": 5}, ArgumentTypeError,
         r"expected a schedule, got 5 \(int\): pass every_n_epochs\(5\), every_n_steps\(1000\) or"),
        ({"sinks": "wandb"}, ArgumentTypeError,
         r"expected a list of sinks, got 'wandb': pass \['wandb'\]"),
        ({"sinks": ["nobody"]}, UnknownSinkError, "got no sink 'nobody'"),
        ({"sinks": [5]}, ArgumentTypeError, r"expected a sink's name or an object"),
        ({"bit_depth": 20}, ArgumentError, "expected bit_depth to be 16, 24 or None, got 20"),
        ({"config": [1]}, ArgumentError, "expected a config of what JSON holds"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_at_the_start(
    tmp_path: Path, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """A configuration that cannot work is an error before the first step; no directory is made."""
    with pytest.raises(error, match=message):
        Run(tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_a_place_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path) -> None:
    """A file in the way is told before the first step, with the operating system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(
        StorageError,
        match=r"expected a directory that can be written at '.*/file', got .*: choose another one, "
        "or make room",
    ):
        Run(tmp_path / "file")


def test_a_folder_of_runs_is_an_error_at_the_start(tmp_path: Path) -> None:
    """Whoever names the folder above makes no run of it."""
    Run(tmp_path / "first")
    with pytest.raises(RunFormatError, match="which is a folder of runs: name one in it"):
        Run(tmp_path)


def test_a_later_format_is_an_error_at_the_start(tmp_path: Path) -> None:
    """A run of format 2.0 is not written to."""
    (tmp_path / "run.json").write_text('{"name": "future", "format": "2.0"}')
    with pytest.raises(RunFormatError, match=r"expected a run of format 1\.0, got 2\.0"):
        Run(tmp_path)


def test_sixteen_bits_on_request(tmp_path: Path) -> None:
    """`bit_depth` reaches the files."""
    with Run(tmp_path, bit_depth=16) as run:
        run.log({"prediction": sine()}, step=1, sample_rate=16_000)
    (clip,) = open_run(tmp_path).clips()

    assert clip.audio.path is not None
    assert soundfile.info(clip.audio.path).subtype == "PCM_16"
