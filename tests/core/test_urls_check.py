"""Runs at URLs: checked as those on this machine; what leads out of them is not followed."""

from __future__ import annotations

import json

import pytest

from earmark import open_run
from earmark.errors import (
    ArgumentError,
    EarmarkWarning,
)
from earmark.reference import fetch
from earmark.upkeep.check import check_run
from earmark.upkeep.repair import repair_run
from tests.core.at_url import put, remove
from tests.core.at_url import served as served  # noqa: PLC0414 - a fixture
from tests.core.at_url import store as store  # noqa: PLC0414 - a fixture
from tests.core.damage import BACKUP, Written
from tests.core.object_store import ObjectStore

PUSH = (
    "earmark check --repair where the run was written, delete this file here, and send it again: "
    "earmark push RUN --to s3://bucket/runs/vocoder"
)


# --- checking


def test_a_sound_run_at_a_url_has_no_problems(store: ObjectStore) -> None:
    """Every sound is fetched and held against its record, once."""
    assert check_run(store.url("runs/vocoder")) == []

    sounds = [request for request in store.requests if request.endswith(".flac")]
    assert len(sounds) == len(set(sounds)) == 3


def test_damage_at_a_url(store: ObjectStore) -> None:
    """What is damaged is named as on this machine, and what an upload would put right is said."""
    [writer] = [each["id"] for each in open_run(store.url("runs/vocoder")).writers]
    takes = f"takes/00000000.{writer}.0", f"takes/00000010.{writer}.1"
    data = bytearray(fetch(store.url(f"runs/vocoder/{takes[0]}/a.prediction.flac")))
    data[300] ^= 1
    put(store, f"{takes[0]}/a.prediction.flac", bytes(data))
    remove(store, f"{takes[1]}/a.prediction.flac")
    remove(store, "takes/ref.*")
    remove(store, "README.md")
    put(store, f"index/{writer}.1.jsonl", b"{\n")
    put(store, f"index/{writer}.2.jsonl", f'{{"take": "00000099.{writer}.9", '.encode() + b"\n")

    said = [str(problem) for problem in check_run(store.url("runs/vocoder"))]

    link = "the target of example 'a' is missing, expected it at takes/ref.a.target"
    torn = "expected a take's records in line 1, got something else"
    assert [line.partition(link)[0] for line in said] == [
        f"README.md: missing: {PUSH}",
        f"{takes[0]}/a.prediction.flac: its bytes are not those that were published: {BACKUP}",
        f"{takes[0]}/links.jsonl: ",
        f"{takes[1]}/a.prediction.flac: missing: {BACKUP}",
        f"{takes[1]}/links.jsonl: ",
        f"takes/00000020.{writer}.2/links.jsonl: ",
        f"index/{writer}.1.jsonl: {torn}: {PUSH}",
        f"index/{writer}.2.jsonl: {torn}: {PUSH}",
    ]


def test_records_that_an_upload_lost(store: ObjectStore) -> None:
    """A take that the index knows is more than on its way when its metadata is missing."""
    [writer] = [each["id"] for each in open_run(store.url("runs/vocoder")).writers]
    remove(store, f"takes/00000000.{writer}.0/metadata.jsonl")

    said = [str(problem) for problem in check_run(store.url("runs/vocoder"))]
    assert said == [f"takes/00000000.{writer}.0/metadata.jsonl: missing: {PUSH}"]


def test_a_run_at_a_url_is_repaired_where_it_was_written(store: ObjectStore) -> None:
    """Nothing is written to a URL by a repair."""
    with pytest.raises(
        ArgumentError,
        match=r"expected a run on this machine to repair, got 's3://bucket/runs/vocoder': repair it"
        " on the machine that wrote it, and send it again: earmark push RUN --to s3://bucket/runs/vocoder",
    ):
        repair_run(store.url("runs/vocoder"))


def test_an_index_in_segments_on_this_machine(run: Written) -> None:
    """A run that was downloaded is whole as it is; what is torn in it is made anew in one file."""
    lines = run.index.read_bytes().splitlines(keepends=True)
    run.index.unlink()
    segments = [run.index.with_name(f"{run.writer}.{k}.jsonl") for k in range(2)]
    segments[0].write_bytes(b"".join(lines[:2]))
    segments[1].write_bytes(lines[2])
    before = run.files()

    assert check_run(run.path) == []
    assert repair_run(run.path) == []
    assert run.files() == before

    segments[1].write_bytes(b"{\n")
    assert [problem.file for problem in check_run(run.path)] == [run.name(segments[1])] * 2
    assert repair_run(run.path) == [f"made {run.name(run.index)} anew: 3 takes"]
    assert check_run(run.path) == []
    assert list((run.path / "index").iterdir()) == [run.index]


# --- traps


@pytest.mark.parametrize(
    "change",
    [
        {"sound": "../../secret/target.flac", "url": ""},
        {"sound": "/etc/passwd", "url": ""},
        {"sound": "", "url": "file:///etc/passwd"},
        {"sound": "", "url": "/etc/passwd"},
        {"sound": "", "url": "simplecache::file:///etc/passwd::s3://bucket/a"},
    ],
)
def test_nothing_leads_out_of_a_run(store: ObjectStore, change: dict[str, str]) -> None:
    """A record that leads elsewhere is not followed, wherever the run is."""
    [writer] = [each["id"] for each in open_run(store.url("runs/vocoder")).writers]
    links = f"takes/00000020.{writer}.2/links.jsonl"
    record = json.loads(store.files.cat_file(f"bucket/runs/vocoder/{links}"))
    put(store, links, json.dumps(record | change).encode() + b"\n")
    remove(store, "index")

    with pytest.warns(
        EarmarkWarning, match=r"expected a URL .*, got '.*', in the take .*: earmark"
    ):
        steps = [take.step for take in open_run(store.url("runs/vocoder")).takes()]
    assert steps == [0, 10]
    [problem] = check_run(store.url("runs/vocoder"))
    assert problem.file == links
    assert problem.what.startswith("expected a URL ")
