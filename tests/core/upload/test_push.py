from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from earmark import Run
from tests.core.behind import run_script
from tests.core.object_store import ObjectStore
from tests.core.pushes import leave, push
from tests.core.pushes import spool as spool  # noqa: PLC0414 - a fixture
from tests.core.uploads import (
    assert_whole,
    contents,
    left_in,
    log,
    puts,
)

START = """
import itertools, os, sys
import earmark
from tests.core.uploads import log
"""

ENDLESS = """
run = earmark.Run("s3://bucket/run", spool=sys.argv[1], max_pending_mib=1, max_wait_seconds=60)
for step in itertools.count():
    log(run, step)
    print(step, flush=True)
"""


def test_sends_what_a_job_left(store: ObjectStore, spool: Path, tmp_path: Path) -> None:
    """All that it published arrives, in the order of what is said, and the spool is empty then."""
    leave(spool, 0, 1, 2)
    listed = push("--list")
    assert "s3://bucket/run: 3 takes of process " in listed.output
    assert puts(store) == []

    done = push()
    assert (done.exit_code, done.output) == (0, "s3://bucket/run: 3 takes sent\n")
    assert_whole(store, tmp_path, [0, 1, 2])
    assert list(spool.iterdir()) == []
    assert push().output == f"nothing is left in {spool}\n"


def test_sends_only_what_is_named(store: ObjectStore, spool: Path) -> None:
    """A URL, or a folder of the spool, stands for what belongs there."""
    one = leave(spool, 0)
    leave(spool, 0, url="s3://bucket/other")
    assert push("s3://bucket/another").output == f"nothing is left in {spool}\n"
    assert push("s3://bucket/other").output == "s3://bucket/other: 1 take sent\n"
    assert push(one.folder).output == "s3://bucket/run: 1 take sent\n"


def test_an_interrupted_push_is_gone_on_with(
    store: ObjectStore, spool: Path, tmp_path: Path
) -> None:
    """What was sent before stays as it is; half a file, or half a take, is completed."""
    opening = leave(spool, 0, 1)
    name = opening.waiting[0]
    (sound,) = (opening.run / "takes" / str(name)).glob("*.flac")
    store.files.pipe_file(f"bucket/run/takes/{name}/{sound.name}", b"half")
    opening.sent.mkdir()
    (opening.sent / f"{name.writer}.jsonl").write_text('{"take": "torn')

    assert push().exit_code == 0
    assert_whole(store, tmp_path, [0, 1])


def test_a_url_that_cannot_be_written_holds_up_no_other(
    store: ObjectStore, spool: Path, tmp_path: Path
) -> None:
    """What is wrong with it is said, its takes are kept, and the rest is sent."""
    leave(spool, 0, url="s3://nobody/run")
    leave(spool, 0)
    failed = push()
    assert failed.exit_code == 1
    first, second = failed.output.splitlines()
    assert "expected a place that can be written at 's3://nobody/run', got FileNotFound" in first
    assert second == "s3://bucket/run: 1 take sent"
    assert len(left_in(spool)) == 1


def test_what_a_machine_cannot_ask_for_is_kept_in_part(
    store: ObjectStore, spool: Path, tmp_path: Path
) -> None:
    """Of a process elsewhere, silent for an hour, the takes are sent; its folder stays."""
    opening = leave(spool, 0, host="another-machine")
    assert "left alone" in push().output
    takes = opening.run / "takes"
    for path in (takes, *takes.iterdir()):
        os.utime(path, (0, 0))
    assert push().output == "s3://bucket/run: 1 take sent\n"
    assert_whole(store, tmp_path, [0])
    assert (opening.run / "run.json").is_file()


def test_a_job_that_was_killed_loses_nothing_that_was_published(
    store: ObjectStore, spool: Path, tmp_path: Path
) -> None:
    """`kill -9` at any moment: what is there is whole, and a push completes it."""
    command = [sys.executable, "-c", START + ENDLESS, str(spool)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while not any("/takes/" in path for path in puts(store)):
            process.stdout.readline()
        assert "left alone, process" in push().output
        process.send_signal(signal.SIGKILL)
        process.stdout.read()

    published = {int(name.split(".")[0]) for name in left_in(spool)}
    there = {int(path.split("/")[1].split(".")[0]) for path in contents(store) if "takes/0" in path}
    assert push().exit_code == 0
    assert_whole(store, tmp_path, sorted(published | there))
    assert list(spool.iterdir()) == []


def test_two_processes_write_one_run(store: ObjectStore, spool: Path, tmp_path: Path) -> None:
    """Each has a folder of its own in the spool; the run has both, and the target once."""
    script = """
rank = int(os.environ["RANK"])
with earmark.Run("s3://bucket/run", spool=sys.argv[1], strict=True) as run:
    log(run, *range(rank, 8, 2))
"""
    jobs = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", START + script, str(spool)],
            env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "2"},
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    for job in jobs:
        _, errors = job.communicate()
        assert job.returncode == 0, errors.decode()
    assert_whole(store, tmp_path, list(range(8)))
    assert {path.name.split(".")[1] for path in (tmp_path / "copy/takes").glob("0*")} == {
        file.stem for file in (tmp_path / "copy/writers").iterdir()
    }
    assert len(list((tmp_path / "copy/writers").iterdir())) == 2


def test_a_forked_process_keeps_its_clips_for_push(
    store: ObjectStore, spool: Path, tmp_path: Path
) -> None:
    """It starts no client of its own, says so, and shares nothing with its parent's folder."""
    script = """
import warnings
run = earmark.Run("s3://bucket/run", spool=sys.argv[1], strict=True)
log(run, 0)
run.flush()
warnings.simplefilter("ignore", DeprecationWarning)
if os.fork() == 0:
    log(run, 1)
    run.close()
    os._exit(0)
os.wait()
log(run, 2)
run.close()
"""
    said = run_script(START + script, spool)
    assert "clips that this process logs are not sent to 's3://bucket/run' by" in said["stderr"]
    assert len(left_in(spool)) == 1
    assert push().output == "s3://bucket/run: 1 take sent\n"
    assert_whole(store, tmp_path, [0, 1, 2])


def test_a_script_that_ends_without_close_says_what_is_left(
    store: ObjectStore, spool: Path, tmp_path: Path
) -> None:
    """At the exit nothing waits for the network; the takes are in the spool."""
    script = """
run = earmark.Run("s3://bucket/run", spool=sys.argv[1])
run.flush()
print(flush=True)
sys.stdin.readline()
log(run, 0, 1)
"""
    with subprocess.Popen(
        [sys.executable, "-c", START + script, str(spool)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        store.hang_next(1000)
        _, errors = process.communicate(b"\n")
    store.release()

    assert process.returncode == 0
    assert b"2 takes were not sent to 's3://bucket/run' yet: they are in " in errors
    assert push().exit_code == 0
    assert_whole(store, tmp_path, [0, 1])


def test_a_run_is_copied_to_a_url(store: ObjectStore, spool: Path, tmp_path: Path) -> None:
    """A finished run arrives whole, from every writer; a second push sends nothing again."""
    local = tmp_path / "runs" / "vocoder"
    for first in (0, 2):
        with Run(local, strict=True) as run:
            log(run, first, first + 1)

    assert push(local, "--to", "s3://bucket/run/").output == "s3://bucket/run: 4 takes sent\n"
    assert_whole(store, tmp_path, [0, 1, 2, 3])
    for path, data in contents(store).items():
        if not path.startswith("index/"):
            assert (local / path).read_bytes() == data

    store.requests.clear()
    again = push(local, "--to", "s3://bucket/run")
    assert again.output == "s3://bucket/run: 0 takes sent, 4 had been sent before\n"
    assert not [path for path in puts(store) if "takes/" in path]


def test_an_interrupted_copy_is_gone_on_with(
    store: ObjectStore, spool: Path, tmp_path: Path
) -> None:
    """What lacks a file, or holds half of one, is completed."""
    local = tmp_path / "runs" / "vocoder"
    with Run(local, strict=True) as run:
        log(run, 0, 1)
    push(local, "--to", store.url("run"))
    first, second = sorted(path for path in contents(store) if path.endswith("prediction.flac"))
    store.files.rm(f"bucket/run/{Path(first).parent}/metadata.jsonl")
    store.files.pipe_file(f"bucket/run/{first}", b"half")

    store.requests.clear()
    assert push(local, "--to", store.url("run")).exit_code == 0
    assert [path for path in puts(store) if "takes/" in path] == [
        f"run/{Path(first).parent}/{name}"
        for name in ("utt.prediction.flac", "links.jsonl", "metadata.jsonl")
    ]
    assert_whole(store, tmp_path, [0, 1])
    assert second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "wandb"], "expected a run to push with --to, got none"),
        (["nowhere", "--to", "wandb"], "expected a run at 'nowhere', got no run.json there"),
        (["nowhere", "--to", "s3://bucket/run"], "expected a run at 'nowhere', got no run.json"),
        (["s3://bucket/none", "--to", "wandb"], "expected a run at 's3://bucket/none', got none"),
        (["s3://bucket/a", "--to", "s3://bucket/b"], "expected a run on this machine to push"),
        (["nowhere", "--to", "foo://b"], "or a URL such as 's3://bucket/run', got 'foo://b'"),
    ],
)
def test_what_cannot_be_pushed_is_said(
    store: ObjectStore, spool: Path, arguments: list[str], message: str
) -> None:
    """Each mistake has its sentence."""
    failed = push(*arguments)
    assert failed.exit_code != 0
    assert message in " ".join(failed.output.split())


def test_a_run_is_no_spool(spool: Path, tmp_path: Path) -> None:
    """Whoever forgets where to push a run is asked."""
    Run(tmp_path / "run").close()
    assert "expected --to beside the run" in push(tmp_path / "run").output
