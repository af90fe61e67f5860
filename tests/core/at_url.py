"""A run at a URL, uploaded to an S3 server: fixtures and helpers of the tests that read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.object_store import ObjectStore, object_store


@pytest.fixture(scope="module")
def served() -> Iterator[ObjectStore]:
    """An S3 server."""
    with object_store() as store:
        yield store


@pytest.fixture
def store(served: ObjectStore, written: Path) -> ObjectStore:
    """The server, which holds nothing but a run, and has been asked for nothing yet."""
    for found in served.files.ls("bucket"):
        served.files.rm(found, recursive=True)
    upload(served, written)
    served.requests.clear()
    return served


def upload(store: ObjectStore, run: Path) -> None:
    """Put every file of a run under its URL; its index goes into segments of two takes."""
    for file in (path for path in run.rglob("*") if path.is_file()):
        name = file.relative_to(run).as_posix()
        if not name.startswith("index/"):
            store.files.pipe_file(f"bucket/runs/vocoder/{name}", file.read_bytes())
            continue
        lines = file.read_bytes().splitlines(keepends=True)
        for k in range(0, len(lines), 2):
            segment = f"bucket/runs/vocoder/index/{file.stem}.{k // 2}.jsonl"
            store.files.pipe_file(segment, b"".join(lines[k : k + 2]))


def put(store: ObjectStore, name: str, data: bytes) -> None:
    """Write a file of the run at the server."""
    store.files.pipe_file(f"bucket/runs/vocoder/{name}", data)


def remove(store: ObjectStore, name: str) -> None:
    """Remove a file, or all in a folder, of the run at the server."""
    store.files.rm(f"bucket/runs/vocoder/{name}", recursive=True)
