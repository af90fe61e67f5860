"""Pushes beside other pushes, and beside jobs that are still at work."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from earmark import Run, open_run
from earmark.upkeep.check import check_run
from earmark.upload.push import Pushed, push_spool
from tests.core.behind import LONG
from tests.core.faults import files_of_at_most
from tests.core.object_store import ObjectStore
from tests.core.pushes import leave, push
from tests.core.pushes import spool as spool  # noqa: PLC0414 - a fixture
from tests.core.uploads import assert_whole, log


def test_two_pushes_at_once_send_it_once(store: ObjectStore, spool: Path, tmp_path: Path) -> None:
    """One leaves to the other what that is sending, and the index is whole."""
    leave(spool, *range(6))
    pushed: list[Pushed] = []
    pushes = [threading.Thread(target=lambda: pushed.extend(push_spool(spool))) for _ in range(2)]
    for each in pushes:
        each.start()
    for each in pushes:
        each.join()
    assert {each.failed for each in pushed} == {False}
    assert sum("6 takes sent" in each.line for each in pushed) == 1
    assert check_run(store.url("run")) == []
    assert_whole(store, tmp_path, list(range(6)))
    assert list(spool.iterdir()) == []


def test_what_another_push_is_sending_is_left_to_it(store: ObjectStore, spool: Path) -> None:
    """Until it has ended, however that was."""
    opening = leave(spool, 0)
    with opening.claimed() as is_ours:
        assert is_ours
        assert push().output == (
            "s3://bucket/run: left alone, another earmark push is sending it\n"
        )
    claim = opening.folder / "push.json"
    assert not claim.exists()
    claim.write_text((opening.folder / "spool.json").read_text())  # of a process that has ended
    assert push().output == "s3://bucket/run: 1 take sent\n"
    with opening.claimed() as is_ours:
        assert not is_ours


def test_a_spool_without_room_is_sent(store: ObjectStore, spool: Path, tmp_path: Path) -> None:
    """Not even that somebody sends it can be noted."""
    leave(spool, 0, 1)
    with files_of_at_most(0):
        assert push().output == "s3://bucket/run: 2 takes sent\n"
    assert list(spool.iterdir()) == []
    assert sorted(clip.step for clip in open_run(store.url("run")).clips(role="target")) == [0, 1]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs Linux and util-linux")
def test_a_job_that_a_container_cannot_see_is_left_alone(
    store: ObjectStore, spool: Path, tmp_path: Path
) -> None:
    """A container may share the machine's name and its disks, and number processes by itself."""
    alone = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine allows no other numbers of processes")
    with Run(store.url("run"), spool=spool, strict=True) as run:
        log(run, 0)
        assert run.flush(LONG)
        command = [*alone, sys.executable, "-m", "earmark", "push"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert "s3://bucket/run: left alone, process " in done.stdout
        log(run, 1)
    assert_whole(store, tmp_path, [0, 1])
