from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile


def tone(seconds: float, rate: int) -> np.ndarray:
    """Return a tone of 440 Hz, shape (frames,)."""
    return 0.25 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)


def test_transcripts_come_from_tables_and_text_files(
    load: Callable[[str], ModuleType], recordings: Path
) -> None:
    """Both kinds of transcript are found, and the samples are those of the files."""
    found, rate = load("recordings").read_folder(recordings)
    assert rate == 8_000
    assert [recording.text for recording in found] == [
        "Say 1-one.",
        "Say 2-two.",
        "Hear 3-three.",
        "Hear 4-four.",
    ]
    for recording in found:
        stored, _ = soundfile.read(recordings / f"{recording.name}.wav", dtype="float32")
        np.testing.assert_array_equal(recording.samples, stored)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "WAV"])
def test_every_format_is_read(load: Callable[[str], ModuleType], tmp_path: Path, kind: str) -> None:
    """A file of each format is a recording, called by its name where nothing is said in it."""
    soundfile.write(tmp_path / f"a tone.{kind}", tone(1, 16_000), 16_000)
    ((name, text, samples),), rate = load("recordings").read_folder(tmp_path)
    assert (name, text, rate) == ("a tone", "a tone", 16_000)
    assert np.std(samples) == pytest.approx(0.25 / np.sqrt(2), rel=0.02)


def test_rates_and_channels_may_differ(
    load: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commonest rate is everyone's: the same tone at 44.1 kHz, in stereo, becomes the same."""
    (tmp_path / "more").mkdir()
    soundfile.write(tmp_path / "a.wav", tone(1, 16_000), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", tone(1, 16_000), 16_000, subtype="FLOAT")
    stereo = np.stack([2 * tone(1, 44_100), np.zeros(44_100)], axis=1)
    soundfile.write(tmp_path / "more" / "c.wav", stereo, 44_100, subtype="FLOAT")
    (one, _, other), rate = load("recordings").read_folder(tmp_path)
    assert rate == 16_000
    assert other.name == "more/c"
    np.testing.assert_allclose(one.samples, other.samples, atol=1e-4)
    assert f"{tmp_path} has 16000, 44100 Hz; all is resampled to 16000." in capsys.readouterr().out


def test_studio_rates_are_brought_down(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """Recordings at 48 kHz are used at 16 kHz, their first 15 seconds."""
    soundfile.write(tmp_path / "long.flac", tone(16, 48_000), 48_000)
    ((*_, samples),), rate = load("recordings").read_folder(tmp_path)
    assert rate == 16_000
    np.testing.assert_allclose(samples[100:-100], tone(15, 16_000)[100:-100], atol=1e-3)


def test_silence_and_snippets_are_left_out(
    load: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    """What holds no sound, or less than half a second of it, is nothing to learn from."""
    soundfile.write(tmp_path / "silence.wav", np.zeros(8_000), 8_000)
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0), 8_000)
    soundfile.write(tmp_path / "snippet.wav", tone(0.4, 8_000), 8_000)
    soundfile.write(tmp_path / "tone.wav", tone(0.5, 8_000), 8_000)
    found, _ = load("recordings").read_folder(tmp_path)
    assert [recording.name for recording in found] == ["tone"]


def test_of_many_files_some_are_taken(load: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """At most 200 files are read, evenly spread over the folder."""
    for index in range(401):
        soundfile.write(tmp_path / f"{index:03d}.wav", tone(0.5, 8_000), 8_000)
    found, _ = load("recordings").read_folder(tmp_path)
    assert [recording.name for recording in found] == [f"{i:03d}" for i in range(0, 401, 3)]


def test_what_is_no_recording_is_left_out(
    load: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that only has the name of a recording costs a sentence that names it."""
    (tmp_path / "._tone.wav").write_bytes(b"resource fork")
    soundfile.write(tmp_path / "tone.wav", tone(1, 8_000), 8_000)
    found, _ = load("recordings").read_folder(tmp_path)
    assert [recording.name for recording in found] == ["tone"]
    assert re.search(r"^Left out\. Error opening .*\._tone\.wav", capsys.readouterr().out)


def test_a_folder_without_recordings_is_refused(
    load: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    """The message says what was expected where."""
    with pytest.raises(SystemExit, match=r"Expected wav, flac, ogg or mp3 files in .*, found none"):
        load("recordings").read_folder(tmp_path)
