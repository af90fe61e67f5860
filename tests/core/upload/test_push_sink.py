"""Pushes to sinks, which get what they have not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earmark import EarmarkWarning, Run
from earmark.upkeep.check import check_run
from earmark.upload.bucket import Bucket
from tests.core.faults import told
from tests.core.object_store import ObjectStore
from tests.core.pushes import push
from tests.core.pushes import spool as spool  # noqa: PLC0414 - a fixture
from tests.core.test_sink import BrokenSink, install
from tests.core.uploads import log

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
