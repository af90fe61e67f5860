from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile
import torch

from earmark import EarmarkWarning, open_run
from earmark.draft import Draft
from earmark.errors import ArgumentError, ArgumentTypeError, StorageError
from earmark.memory import MIB, Memory
from earmark.notices import Notices
from earmark.recorder import Recorder
from earmark.sink import Feed
from earmark.testing import MemorySink, noise, sine
from earmark.writer import Writer
from tests.core.faults import files_of_at_most, told


class Setup:
    """A recorder with everything around it."""

    opened: ClassVar[list[Recorder]] = []

    def __init__(self, run: Path | None, *, strict: bool = False) -> None:
        self.sink = MemorySink()
        self.notices = Notices(strict=strict)
        open_writer = None if run is None else partial(Writer, run)
        self.recorder = Recorder(open_writer, [Feed(self.sink, self.notices)], self.notices)
        self.opened.append(self.recorder)

    def draft(self, step: int = 7, epoch: int | None = None) -> Draft:
        """Begin a take."""
        return Draft(step, epoch, "val", self.notices, Memory(MIB))

    def log(self, sounds: dict[str, Any], step: int = 7, **rest: Any) -> None:
        """Draft one example and publish it."""
        place: dict[str, Any] = {"example": "utt"}
        draft = self.draft(step, rest.pop("epoch", None))
        draft.add(sounds, sample_rate=16_000, **(place | rest))
        self.publish(draft)

    def publish(self, draft: Draft) -> None:
        """Submit a draft, and wait until it is published and what went wrong is told."""
        self.recorder.submit(draft)
        self.recorder.flush()
        self.notices.speak()


@pytest.fixture(autouse=True)
def _closed() -> Generator[None]:
    """No thread outlives its test."""
    yield
    while Setup.opened:
        Setup.opened.pop().close()


def test_a_draft_becomes_a_take(tmp_path: Path) -> None:
    """Place, caption, metrics and samples arrive in the run, and the take at the sinks."""
    setup = Setup(tmp_path)
    setup.log(
        {"prediction": noise()}, epoch=3, caption="hello", metrics={"si_sdr": torch.tensor(2)}
    )
    (found,) = open_run(tmp_path).clips()

    assert found.key == ("val", "utt", "prediction", 7)
    assert (found.epoch, found.caption, found.metrics) == (3, "hello", {"si_sdr": 2.0})
    np.testing.assert_array_equal(found.audio.samples, noise())
    assert [take.clips[0].key for take in setup.sink.takes] == [found.key]


def test_what_is_wrong_with_a_sound_is_said_three_times(tmp_path: Path) -> None:
    """Samples over full scale or not finite, and silence: in the record, the note, the caption."""
    setup = Setup(tmp_path)
    setup.log({"prediction": np.array([2.0, -2.0, 0.5])}, caption="loud", example="over")
    setup.log({"prediction": np.array([math.nan, 0.5])}, caption="", example="nan")
    setup.log({"prediction": np.zeros(9)}, caption="quiet", example="silent")
    clips = {clip.example: clip for clip in open_run(tmp_path).clips()}

    assert clips["over"].level.num_over == 2
    assert clips["over"].note == "peak +6.0 dBFS, 2 samples over full scale"
    assert clips["over"].caption == "loud [peak +6.0 dBFS, 2 samples over full scale]"
    assert clips["nan"].level.num_nonfinite == 1
    assert clips["nan"].caption == "[peak -6.0 dBFS, 1 non-finite sample stored as 0]"
    assert clips["silent"].level.silent
    assert clips["silent"].caption == "quiet [silent]"


def test_a_usual_sound_has_its_caption_as_it_was(tmp_path: Path) -> None:
    """Where nothing is wrong, nothing is added."""
    Setup(tmp_path).log({"prediction": sine()}, caption="as it was")
    (found,) = open_run(tmp_path).clips()

    assert (found.caption, found.note) == ("as it was", "")


@pytest.mark.parametrize(
    "value",
    [2, 2.0, np.float16(2), np.array([2.0]), torch.tensor(2), torch.tensor([2.0]), "2"],
    ids=repr,
)
def test_a_metric_is_any_one_number(tmp_path: Path, value: Any) -> None:
    """Numbers of every kind become floats."""
    Setup(tmp_path, strict=True).log({"prediction": noise()}, metrics={"m": value})

    assert next(open_run(tmp_path).clips()).metrics == {"m": 2.0}


def test_a_metric_that_json_cannot_hold_is_said_in_words(tmp_path: Path) -> None:
    """NaN and infinite metrics cost no clip: they stand in note and caption."""
    metrics = {"si_sdr": torch.tensor(math.nan), "loss": math.inf, "pesq": 3.0}
    Setup(tmp_path, strict=True).log({"prediction": noise()}, metrics=metrics, caption="c")
    (found,) = open_run(tmp_path).clips()

    assert found.metrics == {"pesq": 3.0}
    assert found.note == "si_sdr = nan, loss = inf"
    assert found.caption == "c [si_sdr = nan, loss = inf]"


@pytest.mark.parametrize(
    "value",
    [None, "high", [1, 2], np.zeros(2), torch.zeros(2), 1j, {"a": 1}, 10**400],
    ids=lambda value: type(value).__name__,
)
def test_a_metric_that_is_no_number_costs_its_clip(tmp_path: Path, value: Any) -> None:
    """It is told which one, what it was, and what to pass."""
    setup = Setup(tmp_path)
    with pytest.warns(
        EarmarkWarning,
        match=r"the prediction of example 'utt' at step 7 was not logged: expected one number as "
        r"the metric 'm' of each clip, got .*: pass a number, or to log_batch one for each example",
    ):
        setup.log({"prediction": noise()}, metrics={"m": value})

    assert list(open_run(tmp_path).takes()) == []


def test_a_file_that_is_gone_by_then_costs_its_own_clip_only(tmp_path: Path) -> None:
    """Files are read when the take is published; one deleted meanwhile is told, the others stay."""
    gone = tmp_path / "gone.wav"
    soundfile.write(gone, noise(), 16_000)
    setup = Setup(tmp_path / "run")
    draft = setup.draft()
    draft.add({"input": gone, "prediction": noise()}, sample_rate=16_000, example="utt")
    gone.unlink()
    with pytest.warns(EarmarkWarning, match="the input of example 'utt' at step 7 was not logged"):
        setup.publish(draft)

    assert [clip.role for clip in open_run(tmp_path / "run").clips()] == ["prediction"]


def test_a_metric_that_ends_the_program_ends_its_take_alone(tmp_path: Path) -> None:
    """`sys.exit` on a thread of ours would otherwise pass without a word."""
    setup = Setup(tmp_path)
    sounds = {"prediction": noise(), "target": noise()}
    with pytest.warns(
        EarmarkWarning, match="a take of 2 clips at step 7 was not logged: SystemExi"
    ):
        setup.log(sounds, metrics={"m": lambda *_: sys.exit(3)})
    setup.log(sounds, 8)

    assert [take.step for take in open_run(tmp_path).takes()] == [8]


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_file_that_is_written_again_by_then_is_not_another_sound(
    tmp_path: Path, suffix: str
) -> None:
    """Who writes every sound to one file is told, and no clip has the sound of a later one."""
    file, setup = tmp_path / f"same.{suffix}", Setup(tmp_path / "run")
    soundfile.write(file, noise(), 16_000)
    draft = setup.draft()
    draft.add({"input": file, "prediction": noise()}, sample_rate=16_000, example="utt")
    soundfile.write(file, noise(seed=1), 16_000)
    later = file.stat().st_mtime_ns + 1  # clocks of file systems are coarse
    os.utime(file, ns=(later, later))
    with pytest.warns(EarmarkWarning, match=r"got one that was written since: give each sound a f"):
        setup.publish(draft)

    assert [clip.role for clip in open_run(tmp_path / "run").clips()] == ["prediction"]


def test_without_a_writer_everything_is_done_but_writing() -> None:
    """A dry run converts and tells as the real one does, and passes nothing on."""
    setup = Setup(None)
    with pytest.warns(EarmarkWarning, match="expected one number as the metric"):
        setup.log({"prediction": noise()}, metrics={"m": "high"})
    setup.log({"prediction": noise()})

    assert setup.sink.takes == []


def test_a_replayed_step_is_told_once(tmp_path: Path) -> None:
    """Whoever logs steps again after a resume learns once that both versions are kept."""
    older = Setup(tmp_path)
    for step in (7, 8):
        older.log({"prediction": noise()}, step)
    newer = Setup(tmp_path)
    with told() as messages:
        for step in (7, 8, 9):
            newer.log({"prediction": noise(seed=1)}, step)

    (message,) = messages
    assert message == (
        f"earmark: step 7 was logged before, when {str(tmp_path)!r} was last opened: both are "
        "kept, and readers show the newest (all_versions=True shows both)"
    )
    assert len(list(open_run(tmp_path).clips())) == 3
    assert len(list(open_run(tmp_path).clips(all_versions=True))) == 5


def test_a_new_example_at_an_old_step_is_no_replay(tmp_path: Path) -> None:
    """A second script that adds other clips to the same steps is told nothing."""
    Setup(tmp_path).log({"prediction": noise()}, example="a")
    with told() as messages:
        Setup(tmp_path).log({"prediction": noise()}, example="b")

    assert messages == []


TWO_OF_ONE = (
    "expected an example of its own for each clip, got two of example 'a', role 'prediction' at "
    "step 3: both are kept, and readers show the newest (all_versions=True shows both); pass an "
    "identity for each item, examples=[...] to log_batch, example=... to log"
)


@pytest.mark.parametrize("num_calls", [1, 2])
def test_two_clips_of_one_key_are_told_once(tmp_path: Path, num_calls: int) -> None:
    """In one call or in two, and at later steps again: readers have the newest, or all."""
    setup = Setup(tmp_path)
    with told() as messages:
        for step in (3, 4):
            drafts = [setup.draft(step) for _ in range(num_calls)]
            for seed in range(2):
                sounds = {"prediction": noise(seed=seed)}
                drafts[seed % num_calls].add(sounds, sample_rate=16_000, example="a")
            for draft in drafts:
                setup.publish(draft)

    assert messages == [f"earmark: {TWO_OF_ONE}"]
    shown = list(open_run(tmp_path).clips())
    assert [clip.step for clip in shown] == [3, 4]
    for clip in shown:
        np.testing.assert_array_equal(clip.audio.samples, noise(seed=1))
    assert len(list(open_run(tmp_path).clips(all_versions=True))) == 4


def test_a_strict_recorder_raises_what_has_no_example_of_its_own(tmp_path: Path) -> None:
    """Both are kept all the same."""
    setup = Setup(tmp_path, strict=True)
    setup.log({"prediction": noise()}, 3, example="a")
    with pytest.raises(ArgumentError, match=re.escape(TWO_OF_ONE)):
        setup.log({"prediction": noise()}, 3, example="a")

    assert len(list(open_run(tmp_path).clips(all_versions=True))) == 2


def test_a_full_disk_costs_what_it_refused_and_one_warning(tmp_path: Path) -> None:
    """Takes that the disk refuses are dropped and told once; those before and after are there."""
    setup = Setup(tmp_path)
    setup.log({"prediction": noise()}, 1)
    with told() as messages, files_of_at_most(100):
        for step in (2, 3):
            setup.log({"prediction": noise(), "target": noise()}, step)
    setup.log({"prediction": noise()}, 4)

    assert len(messages) == 1
    assert messages[0].startswith(
        f"earmark: a take of 2 clips at step 2 was not logged: expected a directory that can be "
        f"written at {str(tmp_path)!r}, got [Errno 27] File too large: make room, or make it "
        "writable again, or put it back; each later take is tried anew. Training goes on"
    )
    assert setup.notices.total == 2
    assert [take.step for take in open_run(tmp_path).takes()] == [1, 4]
    assert [take.step for take in setup.sink.takes] == [1, 4]


def test_a_strict_recorder_raises_what_the_disk_said(tmp_path: Path) -> None:
    """With strict=True a refused take is an error, of ours and an OSError."""
    setup = Setup(tmp_path, strict=True)
    with files_of_at_most(100), pytest.raises(StorageError, match="File too large"):
        setup.log({"prediction": noise()})


def test_a_strict_recorder_raises_what_is_wrong_with_a_clip(tmp_path: Path) -> None:
    """With strict=True a metric that is no number is an error."""
    setup = Setup(tmp_path, strict=True)
    with pytest.raises(ArgumentTypeError, match="expected one number as the metric 'm'"):
        setup.log({"prediction": noise()}, metrics={"m": "high"})


def test_closing_closes_the_sinks(tmp_path: Path) -> None:
    """Every sink learns that nothing comes any more."""
    setup = Setup(tmp_path)
    setup.recorder.close()

    assert setup.sink.closed
