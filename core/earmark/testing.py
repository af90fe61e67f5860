"""What tests of audio code need: signals of known level, takes of every kind, the sink contract.

A sink of one's own is tested in a few lines:

    def test_my_sink(tmp_path):
        takes = check_sink(MySink(tracker), tmp_path)
        ...                                            # and that the tracker holds their clips
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from earmark.audio import Audio
from earmark.clip import Take
from earmark.errors import shown
from earmark.run import Run
from earmark.samples import Samples
from earmark.sink import Sink


def sine(
    seconds: float = 0.1,
    *,
    frequency: float = 440.0,
    sample_rate: int = 16_000,
    num_channels: int = 1,
    peak: float = 0.5,
) -> Samples:
    """Make a sine, of whose samples hardly any is a 16-bit value.

    Args:
        seconds: How long.
        frequency: In Hz, of the first channel; the n-th has n times as much.
        sample_rate: In Hz.
        num_channels: How many channels.
        peak: The amplitude; over whole periods, the RMS is `peak / sqrt(2)`.

    Returns:
        Samples, shape `(frames, channels)`.
    """
    times = np.arange(round(seconds * sample_rate))[:, np.newaxis] / sample_rate
    frequencies = frequency * np.arange(1, num_channels + 1)
    return (peak * np.sin(2 * np.pi * frequencies * times)).astype(np.float32)


def noise(
    seconds: float = 0.1,
    *,
    sample_rate: int = 16_000,
    num_channels: int = 1,
    peak: float = 0.5,
    seed: int = 0,
) -> Samples:
    """Make white noise, of whose samples each is a 16-bit value, as in most recordings.

    Args:
        seconds: How long.
        sample_rate: In Hz.
        num_channels: How many channels, each different from the others.
        peak: The largest magnitude, less than 1; the RMS is about `peak / sqrt(3)`.
        seed: Equal seeds make equal noise.

    Returns:
        Samples, shape `(frames, channels)`.
    """
    largest = int(peak * 2**15)
    shape = round(seconds * sample_rate), num_channels
    values = np.random.default_rng(seed).integers(-largest, largest, shape, endpoint=True)
    return (values / 2**15).astype(np.float32)


def silence(seconds: float = 0.1, *, sample_rate: int = 16_000, num_channels: int = 1) -> Samples:
    """Make silence: every sample is 0.

    Args:
        seconds: How long.
        sample_rate: In Hz.
        num_channels: How many channels.

    Returns:
        Samples, shape `(frames, channels)`.
    """
    return np.zeros((round(seconds * sample_rate), num_channels), np.float32)


class MemorySink:
    """A sink that keeps the takes it is given."""

    def __init__(self) -> None:
        self.takes: list[Take] = []
        self.closed = False

    def write(self, take: Take) -> None:
        """Keep a take."""
        self.takes.append(take)

    def close(self) -> None:
        """Remember that this was called."""
        self.closed = True


def varied_takes(run_dir: Path) -> list[Take]:
    """Write a run that holds what runs may hold, and return its takes as sinks are given them.

    Mono and stereo; 16 bits, 24 bits, and floats over full scale; silence, a single frame, another
    sample rate; two examples, three tags, one of them empty; captions in other scripts, with
    markup, and none; a step that is less than the one before; a reference that leads nowhere.

    Args:
        run_dir: Where to write it.
    """
    sink = MemorySink()
    with Run(run_dir, sinks=[sink], strict=True) as run:
        for step, peak in ((100, 0.1), (200, 1.5)):
            with run.take(step=step, epoch=step // 100, tag="val") as take:
                take.add(
                    {"input": noise(), "prediction": sine(num_channels=2, peak=peak)},
                    sample_rate=16_000,
                    caption=f"the same sentence | epoch {step // 100}",
                    example="utt-7",
                )
                take.add(
                    {"input": noise(seed=1), "prediction": silence()},
                    sample_rate=16_000,
                    caption='Grüße, 你好 & <b>"markup"</b> *and*\na second line',
                    example="speaker 3/ä.wav",
                )
        run.log({"bass": noise(num_channels=2, seed=2)}, step=200, sample_rate=44_100)
        run.log({"click": noise(1 / 8000)[:1]}, step=200, sample_rate=8000)
        nowhere = Audio("https://sounds.invalid/a.flac", 16_000)
        run.log({"target": nowhere, "prediction": sine()}, step=150, tag="test", sample_rate=16_000)
    return sink.takes


def check_sink(sink: Sink, run_dir: Path) -> list[Take]:
    """Check that a sink does what a run asks of it: to take what comes, from a thread of its own.

    Args:
        sink: A sink, open on a tracker's run or writer.
        run_dir: Where to write a run whose takes it is given.

    Returns:
        What it was given. Whether the tracker holds that is for the caller to check.

    Raises:
        AssertionError: If it is no sink, or changes the run. What it raises itself is passed on.
    """
    if not isinstance(sink, Sink):
        raise AssertionError(  # noqa: TRY004 - a check that fails, as every other
            f"expected a sink, an object with write(take) and close(), got {shown(sink)}"
        )
    takes = varied_takes(run_dir)
    before = _contents(run_dir)
    with ThreadPoolExecutor(max_workers=1) as thread:
        for take in takes:
            thread.submit(sink.write, take).result()
        thread.submit(sink.close).result()
    changed = sorted(str(path) for path, _ in before ^ _contents(run_dir))
    if changed:
        raise AssertionError(
            f"expected a sink that only reads the run, got changes in {', '.join(changed)}: copy "
            "files before moving or converting them"
        )
    return takes


def _contents(folder: Path) -> set[tuple[Path, str]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {(path, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files}
