"""Real faults of a disk, made by the kernel, and what is told of faults, wherever they happen."""

from __future__ import annotations

import os
import resource
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from earmark import EarmarkWarning, Run


@contextmanager
def files_of_at_most(size: int) -> Generator[None]:
    """A disk that is nearly full: every byte beyond `size` in any one file is refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def hanging(file: Path) -> Generator[None]:
    """A file on a disk that hangs: whoever opens it to write waits until the block ends."""
    file.parent.mkdir(exist_ok=True)
    os.mkfifo(file)
    yield
    reader = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    file.unlink()
    os.close(reader)


@contextmanager
def told() -> Generator[list[str]]:
    """Collect every message that earmark tells within a block, to be read behind it."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield messages
    assert {each.category for each in caught} <= {EarmarkWarning}
    messages += [str(each.message) for each in caught]


@contextmanager
def flushing(run: Run) -> Generator[Run]:
    """Have everything that a block logs published, told and raised before the block ends."""
    yield run
    run.flush()
