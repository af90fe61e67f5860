from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import earmark.upload.segments
import earmark.upload.uploader
from earmark import EarmarkWarning, Run, Take, open_run
from earmark.testing import MemorySink, noise
from earmark.upkeep.check import check_run
from tests.core.behind import LONG, GatedSink, run_script, wait_until
from tests.core.faults import files_of_at_most, told
from tests.core.object_store import ObjectStore
from tests.core.uploads import (
    NOWHERE,
    assert_whole,
    be_quick,
    contents,
    copied,
    left_in,
    lines,
    log,
    puts,
)


class KeepingSink(MemorySink):
    """Keeps the bytes of the files that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    def write(self, take: Take) -> None:
        """Keep what is on disk now."""
        super().write(take)
        for clip in take.clips:
            assert clip.audio.path is not None
            name = "/".join(clip.audio.path.parts[-2:])
            self.files[f"takes/{name}"] = clip.audio.path.read_bytes()


def test_everything_arrives_whole(store: ObjectStore, tmp_path: Path) -> None:
    """What a plain client finds is, byte for byte, what was published, and reads as a run."""
    sink = KeepingSink()
    with Run(store.url("run"), spool=tmp_path / "spool", sinks=[sink], strict=True) as run:
        log(run, *range(5))

    found = contents(store)
    assert {path: found[path] for path in sink.files} == sink.files
    assert len(sink.files) == 6
    assert json.loads(found["run.json"]) == {"name": "run", "format": "1.0"}
    assert b"load_dataset" in found["README.md"]
    assert_whole(store, tmp_path, [0, 1, 2, 3, 4])


def test_records_come_last(store: ObjectStore, tmp_path: Path) -> None:
    """A take is there when its metadata is: after its sounds, its links, and what they lead to."""
    with Run(store.url("run"), spool=tmp_path, strict=True) as run:
        log(run, 0, 1)

    put = puts(store)
    assert put[0] == "run/run.json"
    for folder in {path.rpartition("/")[0] for path in put if "/takes/" in path}:
        order = [path.rpartition("/")[2] for path in put if path.startswith(f"{folder}/")]
        expected = ["target.flac", "metadata.jsonl"]
        if "/ref." not in folder:
            expected = ["utt.prediction.flac", "links.jsonl", "metadata.jsonl"]
        assert order == expected
    (reference,) = (n for n, path in enumerate(put) if path.endswith("target.flac"))
    assert reference < put.index(next(path for path in put if path.endswith("links.jsonl")))


def test_a_take_of_nothing_but_links_is_one_file(store: ObjectStore, tmp_path: Path) -> None:
    """Where the sounds are there already, the links come after them, and alone."""
    with Run(store.url("run"), spool=tmp_path, strict=True) as run:
        for step in range(2):
            run.log({"target": noise()}, step=step, example="utt", sample_rate=16_000)

    put = [path.split("/takes/")[1] for path in puts(store) if "/takes/" in path]
    assert [path.rpartition("/")[2] for path in put] == [
        *("target.flac", "metadata.jsonl", "links.jsonl", "links.jsonl")
    ]


def test_a_target_is_sent_once(store: ObjectStore, tmp_path: Path) -> None:
    """However many takes, and openings of the run, link to it."""
    for first in (0, 10):
        with Run(store.url("run"), spool=tmp_path / "spool", strict=True) as run:
            log(run, first, first + 1)

    assert sum("target.flac" in path for path in puts(store)) == 1
    assert_whole(store, tmp_path, [0, 1, 10, 11])


def test_a_target_that_is_stored_otherwise_is_linked_to_as_it_is(
    store: ObjectStore, tmp_path: Path
) -> None:
    """The same samples, kept as another kind of file by an earlier opening, are not sent again."""
    import soundfile

    soundfile.write(tmp_path / "target.ogg", noise(seed=7), 16_000)
    samples, _ = soundfile.read(tmp_path / "target.ogg", dtype="float32")
    for step, sound in enumerate((tmp_path / "target.ogg", samples)):
        with Run(store.url("run"), spool=tmp_path / "spool", strict=True) as run:
            run.log({"target": sound}, step=step, example="utt", sample_rate=16_000)

    copy = copied(store, tmp_path)
    links = [link for file in copy.glob("takes/*/links.jsonl") for link in lines(file)]
    assert len(links) == 2
    assert {(link["sound"].split("/")[1], link["format"]) for link in links} == {
        ("target.ogg", "OGG")
    }
    assert [path.name for path in copy.glob("takes/ref.*/target.*")] == ["target.ogg"]


def test_what_is_sent_leaves_the_spool(store: ObjectStore, tmp_path: Path) -> None:
    """Takes go once they are sent, the sounds of targets too; at the end nothing is left."""
    run = Run(store.url("run"), spool=tmp_path, strict=True)
    log(run, 0, 1)
    assert run.flush(LONG)
    assert left_in(tmp_path) == []
    assert list(tmp_path.rglob("*.flac")) == []

    log(run, 2)
    run.close()
    assert list(tmp_path.iterdir()) == []
    assert sum("target.flac" in path for path in puts(store)) == 1


def test_a_take_stays_until_every_sink_has_it(store: ObjectStore, tmp_path: Path) -> None:
    """A tracker that hangs finds the files when it goes on."""
    slow, quick = GatedSink(), MemorySink()
    run = Run(store.url("run"), spool=tmp_path / "spool", sinks=[slow, quick], strict=True)
    log(run, 0, 1)
    slow.gate.wait_until_reached()
    wait_until(lambda: sum(path.endswith("links.jsonl") for path in puts(store)) == 2)
    assert not run.flush(0.01)
    assert len(left_in(tmp_path / "spool")) == 2

    slow.gate.open()
    run.close()
    assert slow.steps == [0, 1]
    assert list((tmp_path / "spool").iterdir()) == []
    assert_whole(store, tmp_path, [0, 1])


def test_the_index_comes_in_segments(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file of the index holds so many takes, the last one the rest."""
    monkeypatch.setattr(earmark.upload.segments, "TAKES_PER_SEGMENT", 4)
    with Run(store.url("run"), spool=tmp_path / "spool", strict=True) as run:
        log(run, *range(10))

    copy = copied(store, tmp_path)
    sizes = {file.name.split(".")[1]: len(lines(file)) for file in (copy / "index").iterdir()}
    assert sizes == {"0": 4, "1": 4, "2": 2}
    assert_whole(store, tmp_path, list(range(10)))


@pytest.mark.parametrize("fault", ["500", "hang"])
def test_what_fails_is_tried_again(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Errors and time-outs of the store cost a warning; nothing is lost, and nothing is twice."""
    be_quick(monkeypatch, 0.3)
    run = Run(store.url("run"), spool=tmp_path / "spool")
    with told() as messages:
        for step in range(2):
            if fault == "500":
                store.fail_next(6)
            else:
                store.hang_next(1)
            log(run, step)
            assert run.flush(LONG)
        run.close()

    assert len(messages) == 1
    assert "clips cannot be sent to 's3://bucket/run' now: " in messages[0]
    assert "`earmark push` sends" in messages[0]
    assert_whole(store, tmp_path, [0, 1])
    faults = [data for path, data in contents(store).items() if path.startswith("faults/")]
    assert b"the sending of" in faults[0]


def test_a_store_that_is_down_costs_training_nothing(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run opens, logs and closes within its bound; what is left is told, and kept."""
    script = """
import sys
from pathlib import Path
import pytest
from earmark import Run
from tests.core.behind import wait_until
from tests.core.uploads import be_quick, left_in, log

spool = Path(sys.argv[1])
with pytest.MonkeyPatch.context() as patch:
    be_quick(patch, 0.2, 0.2)
    run = Run("s3://bucket/run", spool=spool)
    log(run, *range(4))
    wait_until(lambda: len(left_in(spool)) == 4)
    run.close(timeout=1)
"""
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    said = run_script(script, tmp_path)["stderr"]

    assert said.count("EarmarkWarning: ") == 2
    assert "expected an answer from 's3://bucket/run', got " in said
    assert "4 takes were not sent to 's3://bucket/run' yet: they are in " in said
    assert len(left_in(tmp_path)) == 4
    assert store.requests == []


def test_waiting_takes_nothing_from_the_numbers_that_training_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Waits get longer up to a bound, differ, and leave Python's own generator as it was."""
    monkeypatch.setattr(earmark.upload.uploader, "_FIRST_WAIT", 1.0)
    monkeypatch.setattr(earmark.upload.uploader, "_LONGEST_WAIT", 30.0)
    before = random.getstate()
    for failures, longest in ((1, 1.0), (2, 2.0), (4, 8.0), (6, 30.0), (10_000, 30.0)):
        wait_after = earmark.upload.uploader._wait_after  # pyright: ignore[reportPrivateUsage]
        waits = {wait_after(failures) for _ in range(100)}
        assert longest / 2 <= min(waits) < max(waits) <= longest
    assert random.getstate() == before


def test_a_store_that_comes_back_gets_everything(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not even be opened is written as soon as it answers."""
    be_quick(monkeypatch, first=0.5)
    store.fail_next(1000)
    with pytest.warns(EarmarkWarning, match="expected an answer from"):
        run = Run(store.url("run"), spool=tmp_path / "spool")
    log(run, 0, 1)
    assert not run.flush(0.1)
    store.release()
    run.close()
    assert_whole(store, tmp_path, [0, 1])


def test_a_later_format_is_not_written_to(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where that is only seen after training began: nothing is put there, all is kept."""
    be_quick(monkeypatch, first=0.5)
    store.files.pipe_file("bucket/run/run.json", b'{"name": "run", "format": "2.0"}')
    store.requests.clear()
    store.fail_next(1000)
    with told() as messages:
        run = Run(store.url("run"), spool=tmp_path)
        log(run, 0)
        store.release()
        run.close()

    assert "expected a run of format 1.0, got 2.0 at 's3://bucket/run'" in "".join(messages)
    assert puts(store) == []
    assert len(left_in(tmp_path)) == 1


def test_a_step_that_was_logged_before_is_told(store: ObjectStore, tmp_path: Path) -> None:
    """Another writer's clip of the same place is named once; another example's is none."""
    for example, expected in (("a", 0), ("b", 0), ("a", 1)):
        with told() as messages, Run(store.url("run"), spool=tmp_path) as run:
            for step in range(2):
                run.log({"out": noise()}, step=step, example=example, sample_rate=16_000)
        assert len(messages) == expected
    assert "step 0 was logged before, when 's3://bucket/run' was last opened" in messages[0]


def test_what_is_noted_last_is_tried_again_too(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that came after the last take arrives, though the store fails at the end."""
    be_quick(monkeypatch, 0.3)
    with told():
        run = Run(store.url("run"), spool=tmp_path / "spool")
        log(run, 0)
        assert run.flush(LONG)
        run.log({"prediction": object()}, step=1)
        store.fail_next(6)
        run.close()
    assert any(path.startswith("faults/") for path in contents(store))
    assert list((tmp_path / "spool").iterdir()) == []


def test_faults_and_cursors_arrive(store: ObjectStore, tmp_path: Path) -> None:
    """What could not be logged, and what each sink was given, is said in the bucket too."""
    with (
        told(),
        Run(store.url("run"), spool=tmp_path, sinks=[MemorySink()]) as run,
    ):
        log(run, 0, 1)
        run.log({"prediction": object()}, step=2)

    found = contents(store)
    (fault,) = (data for path, data in found.items() if path.startswith("faults/"))
    assert b"at step 2" in fault or b"prediction" in fault
    (cursor,) = (data for path, data in found.items() if path.endswith(".memorysink.jsonl"))
    assert len(cursor.splitlines()) == 2


def test_a_spool_that_is_full_gets_empty(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent leaves it, though there is no room to note that it was."""
    be_quick(monkeypatch)
    run = Run(store.url("run"), spool=tmp_path / "spool", strict=True)
    with files_of_at_most(4096):  # a line of the index has some 1200 bytes
        for step in range(8):
            run.log({"prediction": noise(0.025)}, step=step, sample_rate=16_000)
            assert run.flush(LONG)
    assert left_in(tmp_path / "spool") == []
    run.close()
    assert sorted(clip.step for clip in open_run(store.url("run")).clips()) == list(range(8))
    assert check_run(store.url("run")) == []


def test_a_spool_outlives_a_change_of_directory(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is given as a relative path stays where it is."""
    monkeypatch.chdir(tmp_path)
    with Run(store.url("run"), spool="spool", strict=True) as run:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        log(run, 0)
    monkeypatch.chdir(tmp_path)
    assert_whole(store, tmp_path, [0])
