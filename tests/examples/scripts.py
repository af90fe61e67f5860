"""How the tests run an example: as its user does, and measure what it leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

import earmark
from earmark import Clip

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_script(name: str, *arguments: str | Path, folder: Path) -> str:
    """Run an example in a folder; return what it printed."""
    command = [sys.executable, EXAMPLES / name, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def clips(run: Path, role: str, epoch: int) -> dict[str, Clip]:
    """Return a run's clips by example."""
    return {clip.example: clip for clip in earmark.open_run(run).clips(role=role, epoch=epoch)}


def samples(clip: Clip) -> NDArray[np.float64]:
    """Decode a clip's file with soundfile: mono, shape (frames,)."""
    assert clip.audio.path is not None
    sound, rate = soundfile.read(clip.audio.path, dtype="float64")
    assert rate == clip.audio.sample_rate
    return np.asarray(sound, np.float64)


def si_sdr(estimate: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB."""
    signal = target * (estimate @ target) / (target @ target)
    return float(10 * np.log10(np.sum(signal**2) / np.sum((estimate - signal) ** 2)))


def improvements(run: Path, epoch: int) -> list[float]:
    """Return by how many dB each stored prediction is closer to its target than its input is."""
    inputs, targets = clips(run, "input", epoch), clips(run, "target", epoch)
    return [
        si_sdr(samples(clip), samples(targets[name]))
        - si_sdr(samples(inputs[name]), samples(targets[name]))
        for name, clip in clips(run, "prediction", epoch).items()
    ]
