from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from earmark.clip import Take
from earmark.level import measure
from earmark.samples import Samples
from earmark.sink import Sink
from earmark.testing import MemorySink, check_sink, noise, silence, sine, varied_takes

SIGNALS: list[Callable[..., Samples]] = [noise, silence, sine]


@pytest.mark.parametrize("signal", SIGNALS)
def test_signals_have_the_shape_asked_for(signal: Callable[..., Samples]) -> None:
    """Seconds times the rate are the frames, of float32, in as many channels as asked for."""
    samples = signal(0.25, sample_rate=44_100, num_channels=3)
    assert samples.shape == (11_025, 3)
    assert samples.dtype == np.float32
    assert signal().shape == (1600, 1)


def test_a_sine_has_its_frequency_and_level() -> None:
    """The n-th channel peaks at n times the frequency; the RMS is 3.01 dB below the peak."""
    samples = sine(1.0, frequency=1000, num_channels=3, peak=0.25)
    spectrum = np.abs(np.fft.rfft(samples, axis=0))
    assert spectrum.argmax(axis=0).tolist() == [1000, 2000, 3000]
    level = measure(samples)
    assert level.peak_dbfs == pytest.approx(20 * math.log10(0.25), abs=0.01)
    assert level.rms_dbfs == pytest.approx(20 * math.log10(0.25 / math.sqrt(2)), abs=1e-4)


def test_noise_has_its_level_and_is_exact_in_16_bits() -> None:
    """White noise: its peak as asked for, its RMS 4.77 dB below, each sample a 16-bit value."""
    samples = noise(10.0, num_channels=2, peak=0.5)
    assert np.abs(samples).max() == 0.5
    assert measure(samples).rms_dbfs == pytest.approx(20 * math.log10(0.5 / math.sqrt(3)), abs=0.05)
    np.testing.assert_array_equal(samples * 2**15, np.rint(samples * 2**15))


def test_noise_is_the_same_for_the_same_seed_only() -> None:
    """Seeds and channels differ from each other, and one seed makes one noise."""
    samples = noise(num_channels=2)
    np.testing.assert_array_equal(samples, noise(num_channels=2))
    assert not np.array_equal(samples, noise(num_channels=2, seed=1))
    assert abs(samples.prod(axis=1).mean()) < 0.1 * np.square(samples).mean()


def test_silence_is_silent() -> None:
    """Its level says so."""
    assert measure(silence()).silent


def test_varied_takes_are_of_every_kind(tmp_path: Path) -> None:
    """Every encoding, mono and stereo, an empty tag, no caption, a step back, and a reference."""
    takes = varied_takes(tmp_path)
    clips = [clip for take in takes for clip in take.clips]
    files = [soundfile.info(clip.audio.path) for clip in clips if clip.audio.path]
    assert {file.subtype for file in files} == {"PCM_16", "PCM_24", "FLOAT"}
    assert {file.channels for file in files} == {1, 2}
    assert {file.samplerate for file in files} == {8000, 16_000, 44_100}
    assert min(file.frames for file in files) == 1
    assert [clip.audio.resolve_ref() for clip in clips if clip.audio.path is None] == [
        "https://sounds.invalid/a.flac"
    ]
    assert {clip.tag for clip in clips} == {"", "test", "val"}
    assert {bool(clip.caption) for clip in clips} == {True, False}
    steps = [take.step for take in takes]
    assert steps != sorted(steps)


def test_a_good_sink_passes(tmp_path: Path) -> None:
    """It is given every take, from one other thread, is closed, and what it got is returned."""
    threads = set()

    class Good(MemorySink):
        def write(self, take: Take) -> None:
            threads.add(threading.current_thread())
            super().write(take)

    sink = Good()
    assert check_sink(sink, tmp_path) == sink.takes
    assert len(sink.takes) == 5
    assert sink.closed
    assert len(threads - {threading.main_thread()}) == len(threads) == 1


def test_what_is_no_sink_fails(tmp_path: Path) -> None:
    """The failure says what a sink is."""
    no_sink: Any = "wandb"
    message = "expected a sink, an object with write(take) and close(), got 'wandb'"
    with pytest.raises(AssertionError, match=re.escape(message)):
        check_sink(no_sink, tmp_path)


def test_a_sink_that_changes_the_run_fails(tmp_path: Path) -> None:
    """One that moves a file away, as some trackers do, fails, and the failure names the file."""

    class Mover(MemorySink):
        def write(self, take: Take) -> None:
            if take.step == 150:
                path = next(clip.audio.path for clip in take.clips if clip.audio.path)
                path.rename(tmp_path.parent / path.name)

    with pytest.raises(AssertionError, match=r"only reads the run, got changes in \S+\.flac: copy"):
        check_sink(Mover(), tmp_path / "run")


def test_what_a_sink_raises_is_passed_on(tmp_path: Path) -> None:
    """An error from another thread arrives as it was raised."""

    class Broken(MemorySink):
        def close(self) -> None:
            raise ConnectionError("no route to host")

    sink: Sink = Broken()
    with pytest.raises(ConnectionError, match="no route to host"):
        check_sink(sink, tmp_path)
