"""Runs at URLs: read and listed as those on this machine, with few requests."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import earmark
from earmark import Clip, list_runs, open_run
from earmark.cli import cli
from earmark.errors import (
    DecodeError,
    RemoteError,
    RunNotFoundError,
    StorageError,
)
from earmark.upkeep.check import check_run
from tests.core.at_url import put, remove
from tests.core.at_url import served as served  # noqa: PLC0414 - a fixture
from tests.core.at_url import store as store  # noqa: PLC0414 - a fixture
from tests.core.object_store import ObjectStore

PUSH = (
    "earmark check --repair where the run was written, delete this file here, and send it again: "
    "earmark push RUN --to s3://bucket/runs/vocoder"
)


def place(clip: Clip) -> tuple[Any, ...]:
    """All that a record says of a clip."""
    header = () if clip.role == "input" else (clip.audio.duration_seconds, clip.level)
    rest = clip.epoch, clip.caption, dict(clip.metrics), clip.note
    return (*clip.key, *rest, *header)


# --- reading


def test_clips_are_those_that_were_written(store: ObjectStore, written: Path) -> None:
    """At a URL there are the same clips in the same order, with the same sounds."""
    there, here = open_run(store.url("runs/vocoder/")), open_run(written)

    assert (there.name, there.place) == (here.name, "s3://bucket/runs/vocoder")
    assert there.writers == here.writers
    assert [take.name for take in there.takes()] == [take.name for take in here.takes()]
    for one, other in zip(there.clips(), here.clips(), strict=True):
        assert place(one) == place(other)
        if one.role != "input":
            np.testing.assert_array_equal(one.audio.samples, other.audio.samples)


def test_a_listing_takes_few_requests(store: ObjectStore) -> None:
    """The run, its takes, its index and each segment of that are asked for once."""
    listed = [clip.key for clip in open_run(store.url("runs/vocoder")).clips()]

    assert len(listed) == 7
    asked = [request.partition("?")[0] for request in store.requests]
    (writer,) = {name.rsplit("/", 1)[-1].split(".")[0] for name in asked if "index/" in name}
    folder = "GET /bucket/runs/vocoder"
    assert asked == [
        f"{folder}/run.json",
        "GET /bucket",
        "GET /bucket",
        f"{folder}/index/{writer}.0.jsonl",
        f"{folder}/index/{writer}.1.jsonl",
    ]


def test_a_sound_is_fetched_when_it_is_heard(store: ObjectStore) -> None:
    """Its length and level are known before; it is no file, but has a URL."""
    [clip] = open_run(store.url("runs/vocoder")).clips(role="prediction", epoch=0)
    store.requests.clear()

    audio = clip.audio
    assert (audio.sample_rate, audio.num_frames, audio.num_channels) == (8000, 800, 1)
    assert earmark.Audio.durations([clip.audio]) == [0.1]
    assert clip.level.peak_dbfs == pytest.approx(20 * np.log10(0.25), abs=0.01)
    url = clip.audio.resolve_ref()
    assert url is not None
    assert clip.audio.path is None
    assert url.startswith("s3://bucket/runs/vocoder/takes/00000000.")
    assert url.endswith(".0/a.prediction.flac")
    assert store.requests == []

    assert clip.audio.samples.shape == (800, 1)
    assert f"GET /{url.removeprefix('s3://')}" in store.requests


def test_a_sound_that_is_not_the_recorded_one(store: ObjectStore) -> None:
    """A file of another length is not taken for the one that was logged."""
    first, second = (
        clip.audio for clip in open_run(store.url("runs/vocoder")).clips(role="prediction")
    )
    url = str(second.resolve_ref())
    longer = io.BytesIO()
    soundfile.write(longer, np.zeros(900), 8000, format="FLAC")
    store.files.pipe_file(str(first.resolve_ref()), longer.getvalue())
    with pytest.raises(
        DecodeError,
        match=r"expected 's3://.*flac' as it was recorded, .*\(800, 1\) at 8000 Hz, got .*"
        r"\(900, 1\) at 8000 Hz: earmark check says what is damaged",
    ):
        _ = first.samples
    store.files.rm(url)
    with pytest.raises(RemoteError, match=r"expected a sound at 's3://"):
        _ = second.samples


def test_a_take_that_is_still_on_its_way_is_passed_over(store: ObjectStore) -> None:
    """Sounds come first and metadata last: until it is there, nobody speaks of the take."""
    run = open_run(store.url("runs/vocoder"))
    before = [take.name for take in run.takes()]
    name = f"00000030.{before[0].writer}.3"
    put(store, f"takes/{name}/a.prediction.flac", b"fLaC")
    put(store, f"takes/{name}/links.jsonl", b"{}\n")

    assert [take.name for take in run.takes()] == before
    assert check_run(store.url("runs/vocoder")) == []


@pytest.mark.parametrize("lost", ["index", "index/*.0.jsonl", "index/*.1.jsonl"])
def test_takes_that_the_index_lacks_are_read_by_themselves(store: ObjectStore, lost: str) -> None:
    """The index is uploaded behind the takes, and may be stale or gone."""
    run = open_run(store.url("runs/vocoder"))
    before = [place(clip) for clip in run.clips()]
    remove(store, lost)

    assert [place(clip) for clip in run.clips()] == before
    assert check_run(store.url("runs/vocoder")) == []


def test_a_run_at_a_url_can_be_followed(store: ObjectStore) -> None:
    """A reader that stays open sees what is uploaded meanwhile."""
    run = open_run(store.url("runs/vocoder"))
    first = next(run.takes())
    seen = [len(list(run.takes()))]
    data = store.files.cat_file(f"{first.folder}/metadata.jsonl")
    for step in (40, 50):
        record = json.loads(data) | {"step": step}
        name = f"{step:08d}.{first.name.writer}.{step}"
        put(store, f"takes/{name}/a.prediction.flac", b"fLaC")
        put(store, f"takes/{name}/metadata.jsonl", json.dumps(record).encode() + b"\n")
        seen.append(len(list(run.takes())))

    assert seen == [3, 4, 5]


def test_what_is_at_a_url_has_no_path(store: ObjectStore) -> None:
    """Whoever asks for one is told where the run is."""
    run = open_run(store.url("runs/vocoder"))
    take = next(run.takes())

    assert take.folder == f"s3://bucket/runs/vocoder/takes/{take.name}"
    with pytest.raises(StorageError, match=r"expected a take on this machine, got one at 's3://"):
        _ = take.path
    with pytest.raises(StorageError, match=r"expected a run on this machine, got one at 's3://"):
        _ = run.path


def test_clips_at_a_url_can_be_logged_again(store: ObjectStore, tmp_path: Path) -> None:
    """A run made of them links to where they are."""
    given = list(open_run(store.url("runs/vocoder")).clips(role="prediction"))
    with earmark.Run(tmp_path / "other", strict=True) as run:
        for clip in given:
            run.log({"prediction": clip.audio}, step=clip.step)

    taken = open_run(tmp_path / "other").clips()
    assert [clip.audio.resolve_ref() for clip in taken] == [
        clip.audio.resolve_ref() for clip in given
    ]


def test_a_run_in_memory(written: Path) -> None:
    """Whatever scheme fsspec knows will do."""
    fsspec.filesystem("memory").put(str(written), "/memory-run", recursive=True)

    clips = list(open_run("memory://memory-run").clips(role="target"))
    assert [clip.audio.samples.shape for clip in clips] == [(800, 1)] * 3


# --- finding


def test_runs_are_found_at_any_depth(store: ObjectStore) -> None:
    """Every run under a URL is opened, and folders of takes are not searched."""
    found = list_runs(store.url())

    assert [run.place for run in found] == ["s3://bucket/runs/vocoder"]
    assert list_runs(store.url("runs/vocoder"))[0].place == found[0].place
    assert list_runs(store.url("nothing")) == []
    assert not any("takes%2F" in request for request in store.requests)


def test_where_there_is_no_run(store: ObjectStore) -> None:
    """A run, or a bucket, that is missing is an error that names the URL, or the runs in it."""
    for url in ("s3://bucket/nothing", "s3://nowhere/run"):
        with pytest.raises(RunNotFoundError, match=rf"expected a run at '{url}', got no run\.json"):
            open_run(url)
    with pytest.raises(RunNotFoundError, match=r"name one of the runs in it: vocoder"):
        open_run(store.url("runs"))


def test_a_run_that_may_not_be_read(store: ObjectStore) -> None:
    """Refused access is not taken for a run that is missing."""
    store.fail_next(1, status=403)

    with pytest.raises(StorageError, match=r"got PermissionError: .*; check the URL, the connect"):
        open_run(store.url("runs/vocoder"))


# --- the command line


def command(*args: object) -> tuple[int, str]:
    """Run the command within this process."""
    result = CliRunner().invoke(cli, [str(arg) for arg in args], catch_exceptions=False)
    return result.exit_code, result.output


def test_ls_at_a_url(store: ObjectStore, written: Path) -> None:
    """Rows are those of the run on this machine, but for where the sounds are."""
    _, there = command("ls", store.url("runs/vocoder"))
    _, here = command("ls", written)

    assert there == here.replace(f"{written}/", "s3://bucket/runs/vocoder/")
    assert there.count("s3://bucket/runs/vocoder/takes/") == 5


def test_ls_of_a_bucket(store: ObjectStore) -> None:
    """Runs under a URL are listed by their URLs."""
    _, shown = command("ls", store.url())

    assert shown.splitlines()[1].split("\t") == [
        "s3://bucket/runs/vocoder",
        "3",
        "7",
        "0",
        "20",
        "2",
    ]


def test_check_at_a_url(store: ObjectStore) -> None:
    """It ends as on this machine, and refuses to repair."""
    url = store.url("runs/vocoder")

    assert command("check", url) == (
        0,
        f"{url}: nothing is wrong with 3 takes, 7 clips, 3 sound files\n",
    )
    code, said = command("check", url, "--repair")
    assert (code, said.startswith("Error: expected a run on this machine to repair")) == (1, True)
    remove(store, "README.md")
    assert command("check", url) == (1, f"README.md: missing: {PUSH}\n")
