"""A folder of recordings, with their transcripts where there are some."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

FORMATS = {".wav", ".flac", ".ogg", ".mp3"}
TRANSCRIPTS = ("text", "transcript", "transcription", "sentence", "caption")
MOST_FILES, MOST_SECONDS, HIGHEST_RATE = 200, 15, 16_000  # what a minute of training can use


class Recording(NamedTuple):
    """One sound to learn from.

    Attributes:
        name: What to call it, the same in every run.
        text: What is said or played in it.
        samples: float32, shape (frames,), full scale 1.0.
    """

    name: str
    text: str
    samples: NDArray[np.float32]


def read_folder(folder: Path) -> tuple[list[Recording], int]:
    """Reads the recordings in a folder and the folders in it, as mono, at one sample rate.

    That is the rate most of them have, at most 16 kHz. Of more than 200 files some are taken,
    evenly spread; of each file the first 15 seconds. Text is the transcript, else the name.

    Returns:
        The recordings in the order of their names, and their sample rate in Hz.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FORMATS)
    rates = dict(_rates(paths[:: math.ceil(len(paths) / MOST_FILES) or 1]))
    if not rates:
        raise SystemExit(f"Expected wav, flac, ogg or mp3 files in {folder}, found none.")
    rate = min(HIGHEST_RATE, Counter(rates.values()).most_common(1)[0][0])
    if set(rates.values()) != {rate}:
        given = ", ".join(map(str, sorted(set(rates.values()))))
        print(f"{folder} has {given} Hz; all is resampled to {rate}.")
    tables = dict(_tables(folder))
    recordings = []
    for path in rates:
        name = path.relative_to(folder).with_suffix("").as_posix()
        text = tables.get(path) or _text_beside(path) or name
        samples = _samples(path, rate)
        # Half a second of something: there is nothing to learn from less.
        if len(samples) >= rate / 2 and samples.any():
            recordings.append(Recording(name, " ".join(text.split()), samples))
    return recordings, rate


def _rates(paths: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """Yields the sample rates of those files that are recordings, and tells of the others."""
    for path in paths:
        try:
            yield path, soundfile.info(path).samplerate
        except soundfile.LibsndfileError as error:
            print(f"Left out. {error}")


def _samples(path: Path, rate: int) -> NDArray[np.float32]:
    """Reads a file's beginning, the mean of its channels, at `rate` Hz."""
    with soundfile.SoundFile(path) as file:
        sound = file.read(MOST_SECONDS * file.samplerate, "float32", always_2d=True)
        mono = sound.mean(axis=1)
        if file.samplerate == rate or not len(mono):
            return np.asarray(mono, np.float32)
        # A longer or shorter spectrum is the same sound at another rate.
        frames = max(1, round(len(mono) * rate / file.samplerate))
        resampled = np.fft.irfft(np.fft.rfft(mono), frames) * frames / len(mono)
        return np.asarray(resampled, np.float32)


def _tables(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yields what is said in which file, as every metadata.jsonl has it."""
    for table in folder.rglob("metadata.jsonl"):
        for line in filter(str.strip, table.read_text("utf-8").splitlines()):
            row = json.loads(line)
            text = next((row[key] for key in TRANSCRIPTS if row.get(key)), "")
            yield table.parent / row.get("file_name", ""), str(text)


def _text_beside(path: Path) -> str:
    """Returns what `NAME.txt` says of a recording, or nothing."""
    text = path.with_suffix(".txt")
    return text.read_text("utf-8", errors="replace") if text.is_file() else ""
