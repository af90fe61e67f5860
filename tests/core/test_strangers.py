"""A second job on one run is told so, and harms nothing; one's own processes are no strangers."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import earmark.leftovers
from earmark import EarmarkWarning, Run, open_run
from earmark.testing import noise
from earmark.upkeep.check import check_run
from tests.core.behind import run_script
from tests.core.object_store import ObjectStore

OPEN = """
import sys, earmark
from earmark.testing import noise
run = earmark.Run(sys.argv[1])
run.log({"prediction": noise(seed=1)}, step=1, sample_rate=16_000)
run.flush()
print("open", flush=True)
sys.stdin.readline()
run.close()
print("closed", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path: Path) -> Generator[subprocess.Popen[str]]:
    """Another training, which has the run open until it is given a line."""
    with job_on(str(tmp_path)) as process:
        yield process


@contextmanager
def job_on(run: str) -> Generator[subprocess.Popen[str]]:
    """A process of its own that has a run open until it is given a line."""
    command = [sys.executable, "-c", OPEN, run]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def finish(job: subprocess.Popen[str]) -> None:
    """Have a job close its run; its process lives on."""
    assert job.stdin is not None
    assert job.stdout is not None
    job.stdin.write("\n")
    job.stdin.flush()
    assert job.stdout.readline() == "closed\n"


def edit(run: Path, **changes: Any) -> None:
    """Change what the only writer of a run says of itself."""
    (file,) = run.glob("writers/*.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_two_jobs_on_one_run(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """The second one is told once who else there is; both are kept, and nothing is damaged."""
    since = time.strftime("%Y-%m-%d", time.localtime())
    message = (
        f"^earmark: another job is writing to {re.escape(repr(str(tmp_path)))} too, process "
        f"{other.pid} on {socket.gethostname()!r} since {since} ..:..: the clips of both are kept, "
        "and readers show the newest of those that both log at one step; give one of them a "
        r"directory of its own \(run_dir= of a monitor\) to keep them apart$"
    )
    with pytest.warns(EarmarkWarning, match=message) as warned:
        run = Run(tmp_path)
    assert len(warned) == 1
    run.log({"prediction": noise(seed=2)}, step=2, sample_rate=16_000)
    run.close()
    assert [clip.step for clip in open_run(tmp_path).clips()] == [1, 2]
    assert check_run(tmp_path) == []


def test_a_job_that_has_closed_the_run(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """A notebook whose process lives on is no stranger once it is done."""
    finish(other)
    Run(tmp_path).close()


def test_a_job_that_was_killed(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """Whoever goes on after a crash is told nothing."""
    other.kill()
    other.wait()
    Run(tmp_path).close()


def test_another_rank_is_no_stranger(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    """Each job has a rank zero, which is asked after; the others say nothing of it."""
    edit(tmp_path, rank=1)
    Run(tmp_path).close()


def test_one_process_may_open_a_run_again(tmp_path: Path) -> None:
    """A cell that is run twice, under another launcher's name or not, is one job."""
    first = Run(tmp_path)
    edit(tmp_path, job="another")
    Run(tmp_path).close()
    first.close()


def test_a_number_that_another_process_has_now(tmp_path: Path) -> None:
    """Containers number their processes alike: one that came after the writer is not it."""
    Run(tmp_path).close()
    (file,) = tmp_path.glob("writers/*.json")
    description = json.loads(file.read_text()) | {"pid": os.getppid(), "job": "another"}
    del description["closed_at"]
    file.write_text(json.dumps(description | {"started_at": 1e9}))
    Run(tmp_path).close()


def test_a_job_on_another_machine(tmp_path: Path) -> None:
    """It cannot be asked: that it has written within the hour is said; later it is forgotten."""
    Run(tmp_path).close()
    (file,) = tmp_path.glob("writers/*.json")
    description = json.loads(file.read_text()) | {"host": "elsewhere", "job": "another"}
    del description["closed_at"]
    file.write_text(json.dumps(description))
    message = r"on 'elsewhere' since .* \(which cannot be asked from here: it has written within"
    with pytest.warns(EarmarkWarning, match=message):
        Run(tmp_path).close()
    os.utime(file, (1e9, 1e9))
    Run(tmp_path).close()


@pytest.mark.parametrize("content", ["{", "{}", '{"started_at": 1}', '{"started_at": null}'])
def test_what_nobody_can_read_is_no_stranger(tmp_path: Path, content: str) -> None:
    """A damaged description stops nobody and frightens nobody."""
    Run(tmp_path).close()
    (file,) = tmp_path.glob("writers/*.json")
    file.write_text(content)
    Run(tmp_path).close()


def test_a_run_that_is_closed_says_when(tmp_path: Path) -> None:
    """Beside what its writer said before; a run that is open says nothing of an end."""
    run = Run(tmp_path, config={"lr": 0.1})
    (before,) = open_run(tmp_path).writers
    run.close()
    (after,) = open_run(tmp_path).writers
    assert before["started_at"] <= after.pop("closed_at") <= time.time()
    assert after == before


FORK = """
import json, os, sys, earmark
run = earmark.Run(sys.argv[1])
if os.fork() == 0:
    run.close()
    os._exit(0)
os.wait()
(writer,) = earmark.open_run(sys.argv[1]).writers
print(json.dumps({"closed": "closed_at" in writer}))
"""


def test_a_child_does_not_end_its_parent(tmp_path: Path) -> None:
    """What a forked process closes is its own; the parent still has the run open."""
    assert run_script(FORK, tmp_path)["closed"] is False


def test_two_jobs_on_one_run_at_a_url(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one is told, until the first has closed the run there."""
    monkeypatch.setenv("EARMARK_SPOOL", str(tmp_path))
    with job_on(store.url("run")) as other:
        message = (
            r"^earmark: another job is writing to 's3://bucket/run' too, process "
            rf"{other.pid} on {re.escape(repr(socket.gethostname()))} since "
        )
        with pytest.warns(EarmarkWarning, match=message) as warned:
            Run(store.url("run"), spool=tmp_path).close()
        assert len(warned) == 1
        finish(other)
        Run(store.url("run"), spool=tmp_path, strict=True).close()
    assert check_run(store.url("run")) == []


def test_a_job_on_another_machine_that_writes_to_a_url(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its index was last put, or it began, is what is known; one listing is asked for."""
    with Run(store.url("run"), spool=tmp_path, strict=True) as run:
        run.log({"prediction": noise()}, step=1, sample_rate=16_000)
    (file,) = store.files.glob("bucket/run/writers/*")
    description = json.loads(store.files.cat_file(file))
    description |= {"host": "elsewhere", "job": "another", "started_at": 1e9}
    assert description.pop("closed_at") <= time.time()
    store.files.pipe_file(file, json.dumps(description).encode())

    store.requests.clear()
    message = (
        r"on 'elsewhere' since 2001-.* \(which cannot be asked from here: it has written within"
    )
    with pytest.warns(EarmarkWarning, match=message):
        Run(store.url("run"), spool=tmp_path).close()
    assert sum("index%2F" in request for request in store.requests) == 1

    monkeypatch.setattr(earmark.leftovers, "_LONG", -1.0)  # as if an hour had passed
    Run(store.url("run"), spool=tmp_path).close()
    monkeypatch.undo()
    store.files.rm("bucket/run/index", recursive=True)
    Run(store.url("run"), spool=tmp_path).close()
