from __future__ import annotations

import re
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark.audio import Audio
from earmark.clip import Clip, Take
from earmark.errors import (
    ArgumentTypeError,
    EarmarkWarning,
    MissingDependencyError,
    UnknownSinkError,
)
from earmark.notices import Notices
from earmark.origin import FileOrigin
from earmark.run import Run
from earmark.sink import Feed, Sink, open_sink, sink_names
from earmark.testing import MemorySink, noise, varied_takes
from tests.core.faults import flushing, told

TRACKER = """
from earmark.testing import MemorySink

class TheirSink(MemorySink):
    def __init__(self, target):
        super().__init__()
        self.target = target

def open_sink(target=None):
    return TheirSink(target)
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str) -> None:
    """Install a package that registers the module as the sink of the same name."""
    (folder / f"{module}.py").write_text(source)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[earmark.sinks]\n{module} = {module}:open_sink\n")
    monkeypatch.syspath_prepend(folder)


class BrokenSink(MemorySink):
    """A sink whose tracker fails while it is told to."""

    broken = True

    def write(self, take: Take) -> None:
        """Fail, or keep a take."""
        if self.broken:
            raise ConnectionError("no route to host")
        super().write(take)

    def close(self) -> None:
        """Fail."""
        raise ConnectionError("still no route to host")


class Deaf:
    """A sink that keeps nothing."""

    def write(self, take: Take) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def moved(take: Take, clips: list[Clip], folder: Path) -> Take:
    """The same clips of another take."""
    there = []
    for clip in clips:
        origin = clip.audio.origin
        assert isinstance(origin, FileOrigin)
        audio = Audio.from_origin(replace(origin, file=folder / origin.path.name), 16_000, None)
        there.append(replace(clip, audio=audio))
    return replace(take, folder=folder, clips=tuple(there))


def log(run: Run, step: int, *, target: int = 0) -> None:
    """Log a prediction that differs at each step, and a target that is `target`'s."""
    sounds = {"prediction": noise(seed=100 + step), "target": noise(seed=target)}
    run.log(sounds, step=step, sample_rate=16_000, example="utt")


def log_steps(run: Run, count: int) -> None:
    """Log as many steps."""
    for step in range(count):
        log(run, step)


def roles(take: Take) -> list[str]:
    """The roles of a take's clips."""
    return [clip.role for clip in take.clips]


def test_names_every_file_and_every_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in the folder, or an entry point of another package, is a sink by its name."""
    install(tmp_path, monkeypatch, "theirtracker", TRACKER)
    assert {"tensorboard", "theirtracker", "wandb"} <= set(sink_names())
    assert sink_names() == sorted(sink_names())
    assert "theirtracker" not in sys.modules


def test_opens_another_packages_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sink that another package registered is opened by its name, on the target given."""
    install(tmp_path, monkeypatch, "theirs", TRACKER)
    target = object()
    sink: Any = open_sink("theirs", target)
    assert type(sink).__name__ == "TheirSink"
    assert sink.target is target


def test_a_sink_is_returned_as_it_is() -> None:
    """What has `write` and `close` is a sink, whatever its class."""
    sink = MemorySink()
    assert isinstance(sink, Sink)
    assert open_sink(sink) is sink


@pytest.mark.parametrize("name", ["wand", "os.path", "wandb.open_sink", ""])
def test_refuses_an_unknown_name(name: str) -> None:
    """A name that no sink has is answered with those there are."""
    names = ", ".join(sink_names())
    with pytest.raises(UnknownSinkError, match=f"expected one of {names}, got no sink '{name}'"):
        open_sink(name)


def test_refuses_what_is_no_sink() -> None:
    """A class, or anything else that cannot be written to, is refused with what is expected."""
    no_sink: Any = 42
    with pytest.raises(ArgumentTypeError, match=r"a sink's name or an object with .* got 42"):
        open_sink(no_sink)


def test_names_the_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a sink's package is missing, the error holds the line that installs it."""
    install(tmp_path, monkeypatch, "needy", "import a_package_that_is_missing")
    way_out = "needs a_package_that_is_missing: pip install 'earmark[needy]'"
    with pytest.raises(MissingDependencyError, match=re.escape(f"the 'needy' sink {way_out}")):
        open_sink("needy")


def test_passes_on_what_was_published(tmp_path: Path) -> None:
    """A take reaches the sink with its sounds in files that decode to what was logged."""
    sink = MemorySink()
    with Run(tmp_path / "run", sinks=[sink], strict=True) as run:
        run.log({"prediction": noise()}, step=3, epoch=1, tag="val", sample_rate=16_000)
        assert not sink.closed
    (take,) = sink.takes
    (clip,) = take.clips
    assert (clip.tag, clip.role, clip.step, clip.epoch) == ("val", "prediction", 3, 1)
    assert clip.audio.path is not None
    np.testing.assert_array_equal(clip.audio.samples, noise())
    assert sink.closed


def test_passes_on_an_unchanged_target_once(tmp_path: Path) -> None:
    """Predictions come with every take; a target comes when it is new to the sink."""
    sink = MemorySink()
    with Run(tmp_path / "run", sinks=[sink], strict=True) as run:
        for step, target in enumerate([1, 1, 2, 1]):
            log(run, step, target=target)
    both = ["prediction", "target"]
    assert [roles(take) for take in sink.takes] == [both, ["prediction"], both, ["prediction"]]


def test_passes_on_nothing_where_nothing_is_new(tmp_path: Path) -> None:
    """A take of nothing but what the sink has already is not passed on."""
    sink = MemorySink()
    with Run(tmp_path / "run", sinks=[sink], strict=True) as run:
        for step in range(2):
            run.log({"target": noise()}, step=step, sample_rate=16_000, example="utt")
    assert [take.step for take in sink.takes] == [0]


def test_a_failing_sink_costs_its_own_takes(tmp_path: Path) -> None:
    """One that fails is told of once; other sinks, and the run on disk, get everything."""
    broken, other = BrokenSink(), MemorySink()
    run = Run(tmp_path / "run", sinks=[broken, other])
    match = "take at step 0 .* ConnectionError: no route"
    with pytest.warns(EarmarkWarning, match=match) as told, flushing(run):
        log_steps(run, 3)
    run.close()
    assert len(told) == 1
    assert len(other.takes) == 3
    assert other.closed


def test_a_target_is_sent_again_after_a_failure(tmp_path: Path) -> None:
    """What a sink failed to take counts as not sent: it comes with the next take."""
    sink = BrokenSink()
    run = Run(tmp_path / "run", sinks=[sink])
    with pytest.warns(EarmarkWarning, match="no route to host"), flushing(run):
        log(run, 0)
    sink.broken = False
    log(run, 1)
    run.close()
    assert [roles(take) for take in sink.takes] == [["prediction", "target"]]


def test_strict_raises_what_the_sink_raises(tmp_path: Path) -> None:
    """With `strict=True` the tracker's own error comes through."""
    run = Run(tmp_path / "run", sinks=[BrokenSink()], strict=True)
    log(run, 0)
    with pytest.raises(ConnectionError, match="no route to host"):
        run.close()


def test_a_sink_that_fails_to_close_is_told_of() -> None:
    """An error at the end costs no more than a sentence."""
    notices = Notices()
    Feed(BrokenSink(), notices).close()
    with pytest.warns(EarmarkWarning, match="what was pending was not logged: .*still no route"):
        notices.speak()


def test_memory_does_not_grow_with_predictions(tmp_path: Path) -> None:
    """What is remembered as sent are inputs and targets, of which there are few."""
    (take, *_) = varied_takes(tmp_path)
    ours = [clip for clip in take.clips if clip.audio.path and clip.audio.path.parent == take.path]
    feed = Feed(Deaf(), Notices())
    tracemalloc.start()
    try:
        for number in range(1000):
            feed.pass_on(moved(take, ours, tmp_path / f"{number}"))
        assert feed.flush()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    feed.close()
    assert grown < 100_000


def test_two_clips_of_one_place_are_both_passed_on(tmp_path: Path) -> None:
    """An example that is logged twice in one take reaches the sink twice, as it does the run."""
    sink = MemorySink()
    with told() as messages, Run(tmp_path / "run", sinks=[sink]) as run:
        with run.take(step=0) as take:
            for seed in range(2):
                sound = {"prediction": noise(seed=seed)}
                take.add(sound, sample_rate=16_000, example="utt")
        run.flush()
    assert ["got two of example 'utt'" in message for message in messages] == [True]
    clips: list[Clip] = [clip for take in sink.takes for clip in take.clips]
    assert len(clips) == 2
