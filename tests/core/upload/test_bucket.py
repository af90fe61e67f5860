from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from earmark.errors import RemoteError, StorageError
from earmark.upload.bucket import Bucket
from tests.core.behind import wait_until
from tests.core.object_store import ObjectStore


def test_what_is_put_is_there(store: ObjectStore, tmp_path: Path) -> None:
    """A plain client finds the bytes; the bucket reads and lists them."""
    bucket = Bucket(store.url("run"))
    bucket.put("a/one.json", b"{}")
    (tmp_path / "[two]*.flac").write_bytes(b"sound")
    bucket.put_files({"a/two.flac": tmp_path / "[two]*.flac"})
    bucket.put_files({})
    bucket.put("a/empty", b"")

    assert store.files.cat_file("bucket/run/a/two.flac") == b"sound"
    assert bucket.read("a/one.json") == b"{}"
    assert bucket.read("a/empty") == b""
    assert bucket.sizes("a") == {"empty": 0, "one.json": 2, "two.flac": 5}
    assert bucket.sizes("") == {"a": 0}


def test_what_is_not_there_is_none(store: ObjectStore) -> None:
    """A missing file is no error, nor is a folder that nobody has put anything into."""
    bucket = Bucket(store.url("run"))
    assert bucket.read("none") is None
    assert bucket.sizes("none") == {}


def test_many_files_are_asked_for_at_once(store: ObjectStore) -> None:
    """Each answer takes its time; those that hold nothing are left out."""
    bucket = Bucket(store.url("run"))
    files = {f"writers/{k}.json": f"{k}".encode() for k in range(4)}
    for path, data in files.items():
        bucket.put(path, data)
    bucket.put("writers/empty.json", b"")
    paths = [*files, "writers/empty.json", "writers/none.json"]
    store.requests.clear()
    store.hang_next(6)
    read: list[dict[str, bytes]] = []
    reading = threading.Thread(target=lambda: read.append(bucket.read_all(paths)))
    reading.start()
    wait_until(lambda: len(store.requests) == 6)
    store.release()
    reading.join()
    assert read == [files]
    assert bucket.read_all([]) == {}


def test_a_file_that_may_not_be_read_is_an_error(store: ObjectStore) -> None:
    """It is not taken for one that is not there."""
    bucket = Bucket(store.url("run"))
    bucket.put("a", b"a")
    store.fail_next(1, 403)
    with pytest.raises(StorageError, match="got PermissionError: as asked: check the address"):
        bucket.read_all(["a"])


def test_listings_are_fresh(store: ObjectStore) -> None:
    """What another client has just put is listed."""
    bucket = Bucket(store.url("run"))
    assert bucket.sizes("a") == {}
    store.files.pipe_file("bucket/run/a/new", b"123")
    assert bucket.sizes("a") == {"new": 3}


def test_fetches_files_to_a_folder(store: ObjectStore, tmp_path: Path) -> None:
    """They lie there under their own paths; one that is missing is named."""
    bucket = Bucket(store.url("run"))
    bucket.put("takes/1/a.flac", b"sound")
    bucket.fetch(["takes/1/a.flac"], tmp_path)
    assert (tmp_path / "takes/1/a.flac").read_bytes() == b"sound"
    with pytest.raises(RemoteError, match=r"expected a file at 's3://bucket/run/takes/2', got non"):
        bucket.fetch(["takes/2"], tmp_path)


def test_an_attempt_ends(store: ObjectStore) -> None:
    """A server that does not answer costs so many seconds."""
    bucket = Bucket(store.url("run"), seconds=0.1)
    store.hang_next(100)
    with pytest.raises(
        RemoteError,
        match=r"expected an answer from 's3://bucket/run', got FSTimeoutError: it may be unreach",
    ):
        bucket.put("a", b"")


def test_a_refusal_is_told_from_silence(store: ObjectStore) -> None:
    """What waiting does not cure is another error."""
    bucket = Bucket("s3://nobody/run")
    with pytest.raises(StorageError, match="expected a place that can be written at 's3://nobody"):
        bucket.put("a", b"")


def test_a_mistake_is_told_from_silence(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that no bucket has, and a profile that nobody has written, are not waited for."""
    with pytest.raises(
        StorageError, match=r"that can be written at .*, got ParamValidationError: "
    ):
        Bucket("s3://my bucket/run").read("run.json")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StorageError, match=r"that can be written at .*, got ProfileNotFound: "):
        Bucket(store.url("run")).read("run.json")


def test_file_systems_with_folders_get_them(tmp_path: Path) -> None:
    """Where fsspec asks for folders to be made, they are: here on this very machine."""
    bucket = Bucket(f"file://{tmp_path}/run")
    bucket.put("takes/1/metadata.jsonl", b"{}")
    (tmp_path / "a.flac").write_bytes(b"sound")
    bucket.put_files({"takes/2/a.flac": tmp_path / "a.flac"})
    assert (tmp_path / "run/takes/1/metadata.jsonl").read_bytes() == b"{}"
    assert (tmp_path / "run/takes/2/a.flac").read_bytes() == b"sound"
    assert bucket.sizes("takes/2") == {"a.flac": 5}
    assert bucket.read("none") is None
    assert bucket.read_all(["takes/1/metadata.jsonl", "none"]) == {"takes/1/metadata.jsonl": b"{}"}
    assert bucket.changes("takes/1")["metadata.jsonl"] == pytest.approx(time.time(), abs=60)
