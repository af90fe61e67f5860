from __future__ import annotations

import json
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earmark
from earmark import Audio, Clip, list_runs, open_run
from earmark.errors import EarmarkWarning, RunFormatError, RunNotFoundError
from earmark.testing import noise, sine
from earmark.writer import Writer
from tests.core.clips import publish
from tests.core.stores import clip, contents
from tests.core.stores import published as published  # noqa: PLC0414 - a fixture
from tests.core.stores import run as run  # noqa: PLC0414 - a fixture

# --- opening


def test_a_run_is_opened_by_its_path(run: Path) -> None:
    """It says its name, who wrote it, and itself."""
    opened = open_run(str(run))

    assert (opened.name, opened.path) == ("vocoder", run)
    assert len(opened.writers) == 1
    assert repr(opened) == f"RunStore({str(run)!r})"


def test_a_path_may_begin_at_home(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde is the home directory, as in the shell."""
    monkeypatch.setenv("HOME", str(run.parent))

    assert open_run("~/vocoder").path == run
    assert [found.path for found in list_runs("~")] == [run]


@pytest.mark.parametrize("place", ["nothing", "", "vocoder/run.json", "vocoder/takes"])
def test_where_there_is_no_run(run: Path, place: str) -> None:
    """A path that is not a run's directory is an error that names it."""
    with pytest.raises(RunNotFoundError, match=r"expected a run at '.*', got no run\.json there"):
        open_run(run.parent / place)


def test_a_later_format_is_refused(run: Path) -> None:
    """A reader does not guess at a format it does not know, and says what would read it."""
    (run / "run.json").write_text('{"name": "vocoder", "format": "2.0"}')

    with pytest.raises(
        RunFormatError,
        match=r"expected a run of format 1\.0, got 2\.0 at .*: pip install --upgrade",
    ):
        open_run(run)


def test_a_later_minor_format_is_read(run: Path) -> None:
    """Fields that this version does not know are passed over, in every file."""
    before = contents(run)
    (run / "run.json").write_text('{"name": "vocoder", "format": "1.9", "new": [1]}')
    for file in run.rglob("*.jsonl"):
        lines = [json.loads(line) for line in file.read_bytes().split(b"\n") if line]
        file.write_text("".join(json.dumps(line | {"new": {"a": 1}}) + "\n" for line in lines))

    assert contents(run) == before


def test_runs_are_found_at_any_depth(tmp_path: Path) -> None:
    """Every run under a folder is opened, the folder itself if it is one, and nothing else."""
    for name in ("b", "deep/er/a"):
        Writer(tmp_path / name)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/run.json").write_text("of another program")

    assert [found.path for found in list_runs(tmp_path)] == [tmp_path / "b", tmp_path / "deep/er/a"]
    assert [found.path for found in list_runs(tmp_path / "b")] == [tmp_path / "b"]
    assert list_runs(tmp_path / "nothing") == []


def test_a_run_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    """Of a folder of runs it is left out with a warning; named itself, it is an error."""
    for name in ("a", "b", "c"):
        Writer(tmp_path / name)
    (tmp_path / "b/run.json").write_text('{"name": "b", "format": "2.0"}', encoding="utf-8")
    with pytest.warns(EarmarkWarning, match="expected a run of format 1.0, got 2.0 at '.*/b'"):
        found = list_runs(tmp_path)

    assert [run.name for run in found] == ["a", "c"]
    with pytest.raises(RunFormatError, match=r"expected a run of format 1.0, got 2.0 at '.*/b'"):
        list_runs(tmp_path / "b")


# --- reading


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({}, 13),
        ({"role": "prediction"}, 7),
        ({"role": "target", "example": "a"}, 3),
        ({"step": 200}, 4),
        ({"epoch": 0}, 4),
        ({"tag": "test"}, 1),
        ({"tag": "val", "epoch": 2, "role": "target", "example": "b", "step": 300}, 1),
        ({"role": "nobody"}, 0),
        ({"tag": ""}, 0),
    ],
)
def test_clips_are_filtered(run: Path, wanted: dict[str, Any], count: int) -> None:
    """Role, example, step, epoch and tag each narrow down what is shown."""
    found = list(open_run(run).clips(**wanted))

    assert len(found) == count
    for name, value in wanted.items():
        assert {getattr(each, name) for each in found} <= {value}


def test_an_example_that_was_a_number_is_found_by_the_number(tmp_path: Path) -> None:
    """Identities are strings; whoever logged example 3 finds it as 3 and as "3"."""
    Writer(tmp_path).publish(7, [clip("3"), clip("03")])

    for example in (3, "3"):
        assert [each.example for each in open_run(tmp_path).clips(example=example)] == ["3"]


def test_reading_reads_no_sound(run: Path) -> None:
    """Clips are listed with level and duration even where every sound file is gone."""
    for file in run.rglob("*.flac"):
        file.unlink()

    for each in open_run(run).clips(tag="val"):
        assert each.audio.duration_seconds == 0.1
        assert each.level.peak_dbfs < 0


def test_sounds_are_those_that_were_logged(run: Path) -> None:
    """Asked for its samples, a clip reads its own file."""
    for each in open_run(run).clips(role="prediction", tag="val"):
        np.testing.assert_array_equal(each.audio.samples, noise(seed=each.step))


def test_a_run_can_be_followed(tmp_path: Path) -> None:
    """A reader that stays open sees each take that is published meanwhile, and no half one."""
    writer, reader = Writer(tmp_path), open_run(tmp_path)
    seen = []
    for step in range(3):
        seen.append(len(list(reader.takes())))
        (tmp_path / f"takes/.tmp-{step}").mkdir()
        writer.publish(step, [clip(step=step)])

    assert [*seen, len(list(reader.takes()))] == [0, 1, 2, 3]


def test_takes_are_in_the_order_of_training(tmp_path: Path) -> None:
    """By step, whatever the order of publishing; at one step the older writer's first."""
    older, newer = Writer(tmp_path), Writer(tmp_path)
    published = [
        publish(writer, step, [clip(step=step)]).name
        for writer, step in ((newer, 5), (older, 100_000_000), (older, 5), (newer, 20), (older, 5))
    ]

    assert [take.name for take in open_run(tmp_path).takes()] == [
        published[2],
        published[4],
        published[0],
        published[3],
        published[1],
    ]


def test_clips_can_be_logged_again_elsewhere(run: Path, tmp_path: Path) -> None:
    """What was read from one run can be published in another, byte for byte."""
    other = Writer(tmp_path / "other")
    given = list(open_run(run).clips(step=100))
    other.publish(100, given)

    taken = list(earmark.open_run(tmp_path / "other").clips())
    assert [each.key for each in taken] == [each.key for each in given]
    for each, original in zip(taken, given, strict=True):
        assert each.audio.path is not None
        assert original.audio.path is not None
        assert each.audio.path.read_bytes() == original.audio.path.read_bytes()


def test_sounds_too_long_for_one_block_are_read_whole(tmp_path: Path) -> None:
    """A sound of several blocks of the encoder comes back with every sample."""
    samples = sine(9.0, num_channels=2)
    Writer(tmp_path).publish(7, [Clip(Audio(samples, 16_000), "", "long", "prediction", 7)])
    (found,) = open_run(tmp_path).clips()

    np.testing.assert_allclose(found.audio.samples, samples, atol=6e-8)


def test_what_has_been_shown_is_let_go(run: Path) -> None:
    """Going through a run keeps no more than a step of it in memory."""
    shown = [weakref.ref(each.audio) for each in open_run(run).clips()]
    assert sum(each() is not None for each in shown) == 0

    rows = open_run(run).clips()
    first = weakref.ref(next(rows).audio)
    assert {next(rows).step for _ in range(8)} == {100, 200, 300}
    assert first() is None


def test_a_clip_without_an_epoch_is_in_none(tmp_path: Path) -> None:
    """What stands for no epoch in a record is no epoch to ask for."""
    Writer(tmp_path).publish(7, [clip()])

    assert [each.epoch for each in open_run(tmp_path).clips()] == [None]
    assert list(open_run(tmp_path).clips(epoch=-1)) == []


# --- a step that is logged again


def test_readers_show_the_newest_writer_s(tmp_path: Path) -> None:
    """Of a clip that was logged again after a resume the newer is shown, the older on request."""
    older = Writer(tmp_path)
    older.publish(7, [clip("a", caption="older"), clip("b", caption="older")])
    newer = Writer(tmp_path)
    newer.publish(7, [clip("a", caption="newer"), clip("c", caption="newer")])
    older.publish(7, [clip("a", caption="late, by the older")])
    run = open_run(tmp_path)

    shown = [(each.example, each.caption) for each in run.clips()]
    assert sorted(shown) == [("a", "newer"), ("b", "older"), ("c", "newer")]
    assert [each.caption for each in run.clips(example="a", all_versions=True)] == [
        "older",
        "late, by the older",
        "newer",
    ]


def test_the_latest_of_one_writer_is_shown(tmp_path: Path) -> None:
    """A clip that one writer logged twice, in one take or two, is shown as it was logged last."""
    writer = Writer(tmp_path)
    writer.publish(7, [clip("a", caption="1"), clip("b", caption="1"), clip("b", caption="2")])
    writer.publish(7, [clip("a", caption="2")])

    assert [each.caption for each in open_run(tmp_path).clips()] == ["2", "2"]
    assert len(list(open_run(tmp_path).clips(all_versions=True))) == 4
