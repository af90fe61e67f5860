from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from earmark import EarmarkWarning, Run
from earmark.cli import cli
from earmark.testing import noise
from earmark.upkeep.check import check_run
from earmark.upload.bucket import Bucket
from earmark.upload.spool import Opening
from earmark.writer import Writer
from tests.core.behind import run_script
from tests.core.clips import clip
from tests.core.faults import told
from tests.core.object_store import ObjectStore
from tests.core.test_sink import BrokenSink, install
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


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spool that the command looks into."""
    spool = tmp_path / "spool"
    monkeypatch.setenv("EARMARK_SPOOL", str(spool))
    return spool


def push(*arguments: object) -> Result:
    """Type a command."""
    return CliRunner().invoke(cli, ["push", *map(str, arguments)])


def leave(spool: Path, *steps: int, url: str = "s3://bucket/run", host: str = "") -> Opening:
    """Leave takes as a process does that never reached the store, and has ended."""
    opening = Opening.create(spool, url, {})
    writer = Writer(opening.run)
    for step in steps:
        sounds = {"prediction": noise(seed=step), "target": noise(seed=9)}
        clips = [clip(s, r, step=step, example="utt", tag="") for r, s in sounds.items()]
        assert writer.publish(step, clips)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    about = json.loads((opening.folder / "spool.json").read_text())
    about |= {"pid": ended.pid, "host": host or about["host"]}
    (opening.folder / "spool.json").write_text(json.dumps(about))
    return opening


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


def test_a_sink_is_given_what_it_missed(
    spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A take that a tracker refused comes with the next push, and an unchanged target once."""
    monkeypatch.setattr(
        "tests.core.test_sink.BrokenSink.__module__", "earmark_integrations.sinks.late"
    )
    install(tmp_path, monkeypatch, "late", LATE)
    sink, local = BrokenSink(), tmp_path / "run"
    with told(), Run(local, sinks=[sink]) as run:
        for step in range(4):
            sink.broken = step % 2 == 0
            log(run, step)
            run.flush()
    assert [take.step for take in sink.takes] == [1, 3]

    done = push(local, "--to", "late", "--target", tmp_path / "log")
    assert done.output == "late: 2 takes sent, 2 had been sent before\n"
    assert written(tmp_path / "log") == [[0, "prediction"], [2, "prediction"], "closed"]
    assert check_run(local) == []
    again = push(local, "--to", "late", "--target", tmp_path / "log")
    assert again.output == "late: 0 takes sent, 4 had been sent before\n"
    assert len(written(tmp_path / "log")) == 3


def test_each_target_is_given_what_it_has_not(
    spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another was given counts for nothing, and neither does what another lacks."""
    install(tmp_path, monkeypatch, "late", LATE)
    with Run(tmp_path / "run", strict=True) as run:
        log(run, 0, 1)
    for target in ("one", "other"):
        done = push(tmp_path / "run", "--to", "late", "--target", tmp_path / target)
        assert done.output == "late: 2 takes sent\n"
        assert written(tmp_path / target) == [
            [0, "prediction", "target"], [1, "prediction"], "closed"
        ]  # fmt: skip
    with Run(tmp_path / "run", strict=True) as run:
        log(run, 2)
    for target in ("one", "other"):
        done = push(tmp_path / "run", "--to", "late", "--target", tmp_path / target)
        assert done.output == "late: 1 take sent, 2 had been sent before\n"
        assert written(tmp_path / target)[3:] == [[2, "prediction"], "closed"]
    for target in ("one", "other"):
        done = push(tmp_path / "run", "--to", "late", "--target", tmp_path / target)
        assert done.output == "late: 0 takes sent, 3 had been sent before\n"
    assert check_run(tmp_path / "run") == []


def test_a_sound_that_is_lost_holds_up_no_other(
    spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a damaged run a sink is given what there is, and the user told of what is not."""
    install(tmp_path, monkeypatch, "late", LATE)
    with Run(tmp_path / "run") as run:
        for step in range(3):
            log(run, step)
    (lost,) = (tmp_path / "run" / "takes").glob("00000001.*/*.flac")
    lost.unlink()
    with pytest.warns(EarmarkWarning, match=r"1 of \d sounds of the take 00000001\..* are missing"):
        done = push(tmp_path / "run", "--to", "late", "--target", tmp_path / "log")

    assert done.output == "late: 3 takes sent\n"
    steps = [line[0] for line in written(tmp_path / "log") if isinstance(line, list)]
    assert {0, 2} <= set(steps)


LATE = """
import json
import numpy as np

class Late:
    def __init__(self, target):
        self.file = target

    def note(self, what):
        with open(self.file, "a") as file:
            print(json.dumps(what), file=file)

    def write(self, take):
        assert all(np.isfinite(clip.audio.samples).all() for clip in take.clips)
        assert all(clip.audio.path.is_file() for clip in take.clips)
        self.note([take.step, *(clip.role for clip in take.clips)])

    def close(self):
        self.note("closed")

def open_sink(target=None):
    return Late(target)
"""


def written(file: Path) -> list[object]:
    """What the sink noted."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_sink_is_given_a_run_at_a_url(
    store: ObjectStore, spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sounds are fetched for it, and the run there keeps account of what it was given."""
    install(tmp_path, monkeypatch, "late", LATE)
    with Run(store.url("run"), spool=spool, strict=True) as run:
        log(run, 0, 1)
    assert push(store.url("run"), "--to", "late", "--target", tmp_path / "log").exit_code == 0
    assert written(tmp_path / "log") == [[0, "prediction", "target"], [1, "prediction"], "closed"]

    with Run(store.url("run"), spool=spool, strict=True) as run:
        log(run, 2)
    done = push(store.url("run"), "--to", "late", "--target", tmp_path / "log")
    assert done.output == "late: 1 take sent, 2 had been sent before\n"
    assert written(tmp_path / "log")[3:] == [[2, "prediction"], "closed"]

    for said in ("3 takes sent", "0 takes sent, 3 had been sent before"):
        done = push(store.url("run"), "--to", "late", "--target", tmp_path / "other")
        assert done.output == f"late: {said}\n"


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


@pytest.mark.parametrize("stray", ["../../../../stray.flac", "/stray.flac"])
def test_nothing_is_fetched_out_of_a_run(
    store: ObjectStore, spool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stray: str
) -> None:
    """A record that leads elsewhere is refused before a file is written there."""
    install(tmp_path, monkeypatch, "late", LATE)
    with Run(store.url("run"), spool=spool, strict=True) as run:
        log(run, 0)
    (index,) = store.files.glob("bucket/run/index/*")
    line = json.loads(store.files.cat_file(index))
    line["clips"][0]["file_name"] = stray
    store.files.pipe_file(index, json.dumps(line).encode() + b"\n")
    fetched: list[str] = []
    monkeypatch.setattr(Bucket, "fetch", lambda _, paths, __: fetched.extend(paths))

    failed = push(store.url("run"), "--to", "late", "--target", tmp_path / "log")
    assert failed.exit_code == 1
    assert "expected the name of a file beside it, got " in failed.output
    assert fetched == []
