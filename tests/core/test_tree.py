from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from earmark.errors import (
    ArgumentError,
    MissingDependencyError,
    RunNotFoundError,
    StorageError,
)
from earmark.tree import LocalTree, RemoteTree, open_tree
from tests.core.object_store import ObjectStore, object_store

FILES = {"a.txt": b"one", "empty": b"", "deep/er/b.bin": bytes(range(256)), "deep/c": b"\n"}


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """An S3 server."""
    with object_store() as served:
        yield served


def places(store: ObjectStore, tmp_path: Path) -> list[str]:
    """The same files on this machine, in memory, and at an S3 server."""
    urls = [str(tmp_path / "here"), "memory://tree/there", store.url("tree/")]
    for url in urls:
        files, root = fsspec.url_to_fs(url)
        for name, data in FILES.items():
            files.pipe_file(f"{root.rstrip('/')}/{name}", data) if "://" in url else None
            if "://" not in url:
                (Path(url) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(url) / name).write_bytes(data)
    return urls


def test_a_folder_reads_the_same_wherever_it_is(store: ObjectStore, tmp_path: Path) -> None:
    """Names, kinds and bytes are those that were written, empty files too."""
    for place in places(store, tmp_path):
        tree = open_tree(place)

        assert tree.entries() == {"a.txt": False, "empty": False, "deep": True}
        assert tree.entries("deep") == {"er": True, "c": False}
        assert tree.entries("nothing") == tree.entries("a.txt") == {}
        assert {name: tree.read(name) for name in FILES} == FILES
        with tree.open("deep/er/b.bin") as file:
            file.seek(250)
            assert file.read(3) == bytes([250, 251, 252])
        for missing in ("nothing", "deep/nothing/b"):
            with pytest.raises(FileNotFoundError):
                tree.read(missing)
        assert str(tree.at("deep/c")) == f"{place.rstrip('/')}/deep/c"
        assert open_tree(tree) is tree


def test_every_listing_is_fresh(store: ObjectStore) -> None:
    """What others write is seen at the next look, and each look is one request."""
    tree = open_tree(store.url("fresh"))
    assert tree.entries() == {}
    for number in range(3):
        store.files.pipe_file(f"bucket/fresh/{number}", b"x")
        store.requests.clear()
        assert len(tree.entries()) == number + 1
        assert len(store.requests) == 1


def test_a_file_is_one_request(store: ObjectStore) -> None:
    """Nobody asks for a file's size first."""
    store.files.pipe_file("bucket/a", b"one")
    tree = open_tree(store.url())
    store.requests.clear()

    assert tree.read("a") == b"one"
    assert store.requests == ["GET /bucket/a"]


def test_an_object_in_the_name_of_its_folder_is_not_in_it(store: ObjectStore) -> None:
    """Consoles of object stores make empty objects that stand for folders."""
    store.files.call_s3("put_object", Bucket="bucket", Key="marked/", Body=b"")
    store.files.pipe_file("bucket/marked/a", b"one")

    assert open_tree(store.url("marked")).entries() == {"a": False}


def test_refused_access_says_what_to_look_at(store: ObjectStore) -> None:
    """Neither a listing nor a file is taken for missing when it is refused."""
    tree = open_tree(store.url("refused"))
    expected = (
        r"expected to read 's3://bucket/refused/?\S*', got PermissionError: .*; check the URL, the "
        "connection, and whether your credentials may list and read it"
    )
    store.fail_next(2, status=403)

    with pytest.raises(StorageError, match=expected):
        tree.entries()
    with pytest.raises(StorageError, match=expected):
        tree.read("a")


def test_a_url_of_this_machine_is_a_directory(tmp_path: Path) -> None:
    """file:// needs no package."""
    tree = open_tree(f"file://{tmp_path}")

    assert isinstance(tree, LocalTree)
    assert tree.root == tmp_path


def test_a_url_may_be_in_any_case(store: ObjectStore) -> None:
    """S3:// is s3://, as for references."""
    store.files.pipe_file("bucket/case/a", b"one")
    tree = open_tree("S3://bucket/case")

    assert isinstance(tree, RemoteTree)
    assert tree.read("a") == b"one"


def test_a_url_that_nobody_knows() -> None:
    """A scheme without a file system is an error that names the URL."""
    with pytest.raises(
        ArgumentError,
        match=r"expected a path or a URL that fsspec knows, got 'nobody://a/b' \(.*\): check it",
    ):
        open_tree("nobody://a/b")


def test_a_url_that_lost_a_slash() -> None:
    """A Path makes one slash of two, which leads nowhere."""
    with pytest.raises(
        RunNotFoundError,
        match=r"expected a run, got 's3:/bucket/run', a URL that lost a slash in a Path: pass URLs",
    ):
        open_tree(Path("s3://bucket/run"))


@pytest.mark.parametrize("package", ["fsspec.core", "s3fs"])
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fsspec or s3fs, the error holds the line that installs them."""
    importlib.import_module("fsspec.core")
    registry = importlib.import_module("fsspec.registry")
    monkeypatch.delitem(registry._registry, "s3", raising=False)  # where s3fs is remembered
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(
        MissingDependencyError,
        match=r"fetching 's3://bucket/run' needs .*: pip install 'earmark\[s3\]'",
    ):
        open_tree("s3://bucket/run")
