"""Pictures for sinks that show them: one of each sound, drawn once, beside its take."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from earmark import Clip, EarmarkWarning, Run, Take
from earmark.spectrogram import Picture, spectrogram
from earmark.testing import MemorySink, noise
from tests.core.faults import flushing, told


class Gallery(MemorySink):
    """A sink that keeps pictures, and in which order all came."""

    def __init__(self) -> None:
        super().__init__()
        self.target = ""
        self.came: list[tuple[str, int]] = []
        self.pictures: dict[tuple[str, int], Picture] = {}

    def write(self, take: Take) -> None:
        super().write(take)
        self.came.append(("take", take.step))

    def write_pictures(self, pictures: Iterable[tuple[Clip, Picture]]) -> None:
        for clip, picture in pictures:
            self.pictures[clip.role, clip.step] = picture
            self.came.append(("picture", clip.step))


def test_each_sound_has_its_picture(tmp_path: Path) -> None:
    """Before its take, since some trackers close a row with it; a target that stays has one."""
    gallery = Gallery()
    with Run(tmp_path / "run", sinks=[gallery], spectrogram=True, strict=True) as run:
        for step in range(2):
            sounds = {"prediction": noise(seed=step), "target": noise(seed=9)}
            run.log(sounds, step=step, example="utt", sample_rate=16_000)
    assert gallery.came == [
        *(("picture", 0), ("picture", 0), ("take", 0)),
        *(("picture", 1), ("take", 1)),
    ]
    for take in gallery.takes:
        for clip in take.clips:
            drawn = gallery.pictures.get((clip.role, clip.step))
            if drawn is not None:
                np.testing.assert_array_equal(drawn, spectrogram(clip.audio))
    assert gallery.closed


def test_pictures_are_drawn_behind(tmp_path: Path) -> None:
    """A tracker that is written on the training thread has them drawn on another."""
    drawers: list[str] = []

    class OnCallersThread(Gallery):
        on_callers_thread = True

        def write_pictures(self, pictures: Iterable[tuple[Clip, Picture]]) -> None:
            drawers.append(threading.current_thread().name)
            super().write_pictures(pictures)

    sink = OnCallersThread()
    with Run(tmp_path / "run", sinks=[sink], spectrogram=True, strict=True) as run:
        run.log({"prediction": noise()}, step=0, sample_rate=16_000)
        run.flush()
        assert drawers == [threading.current_thread().name]
        assert list(sink.pictures) == [("prediction", 0)]


def test_the_run_notes_where_pictures_went(tmp_path: Path) -> None:
    """What the sink says of its place is in the run's account, as without pictures."""
    gallery = Gallery()
    gallery.target = "hall/7"
    with Run(tmp_path / "run", sinks=[gallery], spectrogram=True, strict=True) as run:
        run.log({"prediction": noise()}, step=0, sample_rate=16_000)
    (account,) = (tmp_path / "run/sent").iterdir()
    assert json.loads(account.read_text())["target"] == "hall/7"


def test_a_sink_that_shows_none_is_told_of(tmp_path: Path) -> None:
    """And gets the sounds."""
    sink = MemorySink()
    message = (
        "earmark: the 'memorysink' sink shows no pictures: it gets the sounds alone; leave out "
        "spectrogram=True, or give it a method write_pictures"
    )
    with (
        pytest.warns(EarmarkWarning, match=f"^{re.escape(message)}$"),
        Run(tmp_path / "run", sinks=[sink], spectrogram=True) as run,
    ):
        run.log({"prediction": noise()}, step=0, sample_rate=16_000)
    assert len(sink.takes) == 1


def test_a_picture_that_is_refused_costs_no_sound(tmp_path: Path) -> None:
    """The take is written all the same."""

    class Refusing(Gallery):
        def write_pictures(self, pictures: Iterable[tuple[Clip, Picture]]) -> None:
            raise ValueError("no pictures today")

    sink = Refusing()
    with (
        told() as messages,
        Run(tmp_path / "run", sinks=[sink], spectrogram=True) as run,
        flushing(run),
    ):
        run.log({"prediction": noise()}, step=0, sample_rate=16_000)
    assert len(messages) == 1
    assert "ValueError: no pictures today" in messages[0]
    assert len(sink.takes) == 1
