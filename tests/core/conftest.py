"""A run to be damaged, and an object store, for every test that asks for one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.damage import Written, write_run
from tests.core.object_store import ObjectStore, object_store


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose writer has ended, not to be touched."""
    path = tmp_path_factory.mktemp("written") / "run"
    write_run(path)
    return path


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Written:
    """A copy of that run, to be damaged."""
    return Written(Path(shutil.copytree(written, tmp_path / "run")))


@pytest.fixture
def store() -> Iterator[ObjectStore]:
    """An S3 server on loopback, with an empty bucket."""
    with object_store() as store:
        yield store
