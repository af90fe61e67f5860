from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark import Run, open_run
from earmark.errors import StorageError
from earmark.testing import MemorySink, noise, sine
from tests.core.clips import records_in
from tests.core.faults import files_of_at_most, flushing, told


def fill_up(_: Path) -> Any:
    """Every file ends after 100 bytes."""
    return files_of_at_most(100)


class Without:
    """A folder that is away for a while."""

    def __init__(self, path: Path) -> None:
        self.path, self.aside = path, path.with_name("aside")

    def __enter__(self) -> None:
        self.path.rename(self.aside)

    def __exit__(self, *_: object) -> None:
        self.aside.rename(self.path)


def lose_takes(path: Path) -> Without:
    """The network disk is gone, or somebody tidied up."""
    return Without(path / "takes")


class ReadOnly(Without):
    """A folder in which nobody may make anything."""

    def __enter__(self) -> None:
        self.path.chmod(0o555)

    def __exit__(self, *_: object) -> None:
        self.path.chmod(0o755)


def make_read_only(path: Path) -> ReadOnly:
    """Somebody took the right to write away."""
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    return ReadOnly(path / "takes")


@pytest.mark.parametrize("fault", [fill_up, lose_takes, make_read_only])
def test_a_disk_that_fails_for_a_while(tmp_path: Path, fault: Callable[[Path], Any]) -> None:
    """Training goes on, one warning tells of it, what was published stays, later takes follow."""
    sink = MemorySink()
    with Run(tmp_path / "run", sinks=[sink]) as run:
        with flushing(run):
            run.log({"prediction": noise()}, step=1, sample_rate=16_000)
        with told() as messages, fault(tmp_path / "run"), flushing(run):
            for step in (2, 3, 4):
                run.log({"prediction": noise(), "target": sine()}, step=step, sample_rate=16_000)
        run.log({"prediction": noise(), "target": sine()}, step=5, sample_rate=16_000)

    (message,) = messages
    assert message.startswith(
        "earmark: a take of 2 clips at step 2 was not logged: expected a directory that can be "
    )
    assert [take.step for take in open_run(tmp_path / "run").takes()] == [1, 5]
    assert [take.step for take in sink.takes] == [1, 5]
    for clip in open_run(tmp_path / "run").clips(role="prediction"):
        np.testing.assert_array_equal(clip.audio.samples, noise())


def test_faults_are_noted_when_the_disk_takes_them_again(tmp_path: Path) -> None:
    """Nothing can be written on a disk that is full, of that neither; all is in the end."""
    with told() as messages, Run(tmp_path) as run:
        with files_of_at_most(0), flushing(run):
            for step in (1, 2):
                run.log({"prediction": noise()}, step=step, sample_rate=16_000)
        with flushing(run):
            run.log({"prediction": noise()}, step=3, sample_rate=16_000)
        with files_of_at_most(0), flushing(run):
            run.log({"prediction": noise()}, step=4, sample_rate=16_000)
    (faults,) = (tmp_path / "faults").iterdir()

    assert len(messages) == 1
    assert [fault["lost"] for fault in records_in(faults)] == [
        f"a take of 1 clips at step {step}" for step in (1, 2, 4)
    ]


@pytest.mark.parametrize("fault", [fill_up, lose_takes, make_read_only])
def test_a_strict_run_raises_a_fault_of_the_disk(
    tmp_path: Path, fault: Callable[[Path], Any]
) -> None:
    """With strict=True a take that could not be published is an error."""
    with (
        Run(tmp_path, strict=True) as run,
        fault(tmp_path),
        pytest.raises(StorageError, match="make room, or make it writable again"),
        flushing(run),
    ):
        run.log({"prediction": noise()}, step=2, sample_rate=16_000)


BEGIN = """
import subprocess, sys
from pathlib import Path
import earmark
from earmark.testing import noise
from tests.core.faults import told

disk = Path(sys.argv[1])

def mount(*options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", disk], check=True)

def log(*steps):
    for step in steps:
        run.log({"prediction": noise(1.0, seed=step)}, step=step, sample_rate=16_000)
    run.flush()

def published():
    for clip in earmark.open_run(disk / "run").clips():
        assert (clip.audio.samples == noise(1.0, seed=clip.step)).all()
        yield clip.step
"""

FULL = """
mount("size=512k")
run = earmark.Run(disk / "run")
with told() as messages:
    log(*range(40))
assert len(messages) == 1, messages
assert "No space left on device" in messages[0], messages
assert 0 < len(list(published())) < 40
assert not list((disk / "run/takes").glob(".tmp-*"))
"""

READ_ONLY = """
mount("size=9m")
run = earmark.Run(disk / "run")
log(1)
mount("remount", "ro")
with told() as messages:
    log(2, 3)
assert len(messages) == 1, messages
assert "Read-only file system" in messages[0], messages
mount("remount", "rw")
log(4)
assert list(published()) == [1, 4]
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs Linux and util-linux")
@pytest.mark.parametrize("fault", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_a_real_disk_that_fails(tmp_path: Path, fault: str) -> None:
    """On a disk that fills up, or turns read-only, one warning is all it costs the training."""
    private = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*private, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine allows no mounts")
    command = [*private, sys.executable, "-c", BEGIN + fault, str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
