from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from earmark import Run, open_run
from earmark.errors import MissingDependencyError, RunFormatError, StorageError, UnknownSinkError
from tests.core.object_store import ObjectStore
from tests.core.uploads import contents, log, puts


def test_a_missing_package_is_named_when_the_run_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first step, with the line that installs it, and without a trace in the spool."""
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    way_out = r"writing to 's3://bucket/run' needs fsspec.core: pip install 'earmark\[s3\]'"
    with pytest.raises(MissingDependencyError, match=way_out):
        Run("s3://bucket/run", spool=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_that_does_not_exist_is_an_error_at_the_start(
    store: ObjectStore, tmp_path: Path
) -> None:
    """A place that cannot be written is told before training, not behind it."""
    with pytest.raises(
        StorageError,
        match=r"expected a place that can be written at 's3://nobody/run', got FileNotFoundError: "
        r"The specified bucket does not exist: check the address, the credentials and what they",
    ):
        Run("s3://nobody/run", spool=tmp_path)
    assert not list(tmp_path.rglob("spool.json"))


def test_credentials_that_are_refused_are_an_error_at_the_start(
    store: ObjectStore, tmp_path: Path
) -> None:
    """Whoever may not read there hears of it at once."""
    store.fail_next(1000, status=403)
    with pytest.raises(StorageError, match="got PermissionError"):
        Run(store.url("run"), spool=tmp_path)


def test_a_later_format_is_an_error_at_the_start(store: ObjectStore, tmp_path: Path) -> None:
    """A run of format 2.0 is not written to."""
    store.files.pipe_file("bucket/run/run.json", b'{"name": "future", "format": "2.0"}')
    store.requests.clear()
    with pytest.raises(
        RunFormatError, match=r"expected a run of format 1\.0, got 2\.0 at 's3://bucket/run': pip"
    ):
        Run(store.url("run"), spool=tmp_path)
    assert puts(store) == []


def test_an_unknown_sink_is_refused_before_anything_is_asked(
    store: ObjectStore, tmp_path: Path
) -> None:
    """A typing error puts nothing into the bucket."""
    with pytest.raises(UnknownSinkError, match="got no sink 'nobody'"):
        Run(store.url("run"), sinks=["nobody"], spool=tmp_path)
    assert store.requests == []


def test_a_spool_that_cannot_be_written_is_an_error_at_the_start(
    store: ObjectStore, tmp_path: Path
) -> None:
    """With its path, since that is what has to be changed."""
    (tmp_path / "file").touch()
    with pytest.raises(
        StorageError,
        match=r"expected a spool that can be written at '.*/file', got .*: make room, or set EAR",
    ):
        Run(store.url("run"), spool=tmp_path / "file")


def test_a_spool_stays_where_it_is_when_training_changes_its_directory(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is one from where the run was opened."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Run(store.url("run"), spool="spool", strict=True) as run:
        monkeypatch.chdir(tmp_path / "elsewhere")
        log(run, 1)

    assert [take.step for take in open_run(store.url("run")).takes()] == [1]


def test_a_run_is_announced_by_its_url(
    store: ObjectStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where clips go is the URL, without the slash at its end."""
    run = Run("S3://bucket/nested/Vocoder 2/", spool=tmp_path)
    run.close()
    assert run.path == "s3://bucket/nested/Vocoder 2"
    assert "clips go to s3://bucket/nested/Vocoder 2 (list" in capsys.readouterr().err
    assert b'"name": "Vocoder 2"' in contents(store, "nested/Vocoder 2")["run.json"]


def test_a_resumed_run_names_who_came_before(store: ObjectStore, tmp_path: Path) -> None:
    """Each opening is a writer of its own, and says from which one it goes on."""
    for _ in range(2):
        Run(store.url("run"), spool=tmp_path, config={"lr": 0.1}).close()

    writers = [json.loads(data) for path, data in contents(store).items() if "writers/" in path]
    first, second = sorted(writers, key=lambda each: float(each["started_at"]))
    assert (first["resumed_from"], second["resumed_from"]) == ("", first["id"])
    assert first["config"] == {"lr": 0.1}


def test_disabled_asks_for_nothing(store: ObjectStore, tmp_path: Path) -> None:
    """Switched off, or in a dry run, nothing is written anywhere."""
    Run(store.url("run"), spool=tmp_path, enabled=False).close()
    Run(store.url("run"), spool=tmp_path, dry_run=True).close()
    assert store.requests == []
    assert list(tmp_path.iterdir()) == []
