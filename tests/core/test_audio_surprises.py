"""Values at which audio types stumble, each with the better answer."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from earmark import Audio
from earmark.errors import (
    AudioFileNotFoundError,
    AudioTypeError,
    DecodeError,
    EarmarkError,
    RemoteError,
    SampleRateError,
    ShapeError,
)

RATE = 16_000
SINE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(1600) / RATE)).astype(np.float32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A mono file."""
    path = tmp_path / "sine.wav"
    soundfile.write(path, SINE, RATE)
    return path


def test_a_refused_value_leaves_no_orphan_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A constructor that fails leaves nothing in the temporary directory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for wrong in (np.zeros(9, np.int64), np.zeros((1, 0)), np.zeros((2, 3, 4)), np.array(True)):
        with pytest.raises(EarmarkError):
            Audio(wrong, RATE)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - hidden files count too


def test_full_scale_is_not_floored_to_one_less() -> None:
    """+1.0, -1.0 and 0.5 are what they were, with no bias of half a step."""
    assert Audio(np.array([0, 1, -1, 0.5]), RATE).samples[:, 0].tolist() == [0, 1, -1, 0.5]


def test_quiet_sounds_are_not_crushed() -> None:
    """A sample of 1e-5, below 16 bits, is the nearest float32 to 1e-5."""
    assert Audio(np.array([1e-5, -1e-5]), RATE).samples[:, 0].tolist() == [
        float(np.float32(1e-5)),
        float(np.float32(-1e-5)),
    ]


def test_loud_sounds_are_kept_and_told() -> None:
    """2.0 stays 2.0, 1e30 stays 1e30, and the level counts both."""
    audio = Audio(np.array([2, -2, 1.5, 1e30]), RATE)
    assert audio.samples[:, 0].tolist() == [2, -2, 1.5, float(np.float32(1e30))]
    assert audio.level.num_over == 4


def test_int32_is_scaled_by_its_own_full_scale() -> None:
    """int32 is divided by 2^31: 16-bit values in int32 are very quiet, and the level shows it."""
    audio = Audio(np.array([-(2**31), 2**31 - 1, 2**30, 1000], np.int32), RATE)
    assert audio.samples[:, 0].tolist() == [-1.0, 1.0, 0.5, 1000 / 2**31]
    assert Audio(np.array([1000, -1000], np.int32), RATE).level.peak_dbfs < -120


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float16", "longdouble"])
def test_dtypes_that_soundfile_does_not_write_are_sounds(dtype: str) -> None:
    """8-bit PCM and float16 keep a sine at its level."""
    scale, offset = {"uint8": (128, 128), "int8": (128, 0)}.get(dtype, (1, 0))
    audio = Audio((SINE * scale + offset).round(5).astype(dtype), RATE)
    assert audio.level.peak_dbfs == pytest.approx(-6, abs=0.2)
    assert np.abs(audio.samples[:, 0] - SINE).max() < 1.5 / 128


@pytest.mark.parametrize("dtype", ["int64", "uint16", "uint32", "uint64"])
def test_integers_without_full_scale_are_refused_with_the_way_out(dtype: str) -> None:
    """The error names the dtype and how to scale it."""
    with pytest.raises(AudioTypeError, match=rf"got {dtype}, which has no agreed full scale: div"):
        Audio(np.zeros(100, dtype), RATE)


@pytest.mark.parametrize("dtype", [bool, object])
def test_masks_and_objects_are_refused(dtype: type) -> None:
    """Booleans and objects are no samples."""
    with pytest.raises(AudioTypeError, match=rf"got {dtype.__name__}: convert it to floats"):
        Audio(np.ones(100, dtype), RATE)


def test_a_spectrum_is_refused_with_the_way_out() -> None:
    """Complex numbers ask for an inverse STFT."""
    with pytest.raises(AudioTypeError, match="got complex64: a spectrum is no waveform, decode="):
        Audio(np.zeros(100, np.complex64), RATE)


@pytest.mark.parametrize("dtype", [">f4", ">i2", ">f8", ">i4"])
def test_big_endian_arrays_are_not_noise(dtype: str) -> None:
    """The byte order of an array does not change what it sounds like."""
    scale = {"i2": 2**15, "i4": 2**31}.get(dtype[1:], 1)
    audio = Audio((SINE * scale).astype(dtype), RATE)
    assert np.abs(audio.samples[:, 0] - SINE).max() < 1 / 32_768


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nan_is_no_click_at_full_scale(dtype: type) -> None:
    """NaN and infinities are counted and metered as 0; nothing else changes."""
    audio = Audio(np.array([0, np.nan, 0.5, np.inf, -np.inf], dtype), RATE)
    assert audio.level.num_nonfinite == 3
    assert audio.level.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert Audio(np.full(4, np.nan, dtype), RATE).level.silent


def test_masked_samples_are_not_unmasked() -> None:
    """What a mask hides is not played: the error says to fill it."""
    masked = np.ma.masked_array([0.5, 9.0, 0.5], mask=[False, True, False])
    with pytest.raises(AudioTypeError, match=r"got a masked array: fill what is masked"):
        Audio(masked, RATE)
    assert Audio(masked.filled(0), RATE).samples[:, 0].tolist() == [0.5, 0.0, 0.5]


@pytest.mark.parametrize("frames", [500, 1024, 1600, 1_000_000])
def test_one_row_is_one_channel(frames: int) -> None:
    """(1, T) is mono of T frames, and never T channels of one frame."""
    audio = Audio(np.zeros((1, frames), np.float32), RATE)
    assert (audio.num_channels, audio.num_frames) == (1, frames)


@pytest.mark.parametrize("frames", [800, 1600])
def test_channels_first_is_told_and_not_written_as_800_channels(frames: int) -> None:
    """(2, T) from torchaudio is refused by shape, and right once it is declared."""
    planar = np.stack([SINE[:frames], -SINE[:frames]])
    with pytest.raises(ShapeError, match=rf"got shape \(2, {frames}\), .*layout='channels_first'"):
        Audio(planar, RATE)
    audio = Audio(planar, RATE, layout="channels_first")
    assert (audio.num_channels, audio.num_frames) == (2, frames)
    np.testing.assert_array_equal(audio.samples[:, 1], -SINE[:frames])


@pytest.mark.parametrize("shape", [(1, 1, 1600), (4, 2, 1600), (1600, 2, 1)])
def test_batches_are_told(shape: tuple[int, ...]) -> None:
    """Three axes are a batch, and the error names what takes batches."""
    with pytest.raises(
        ShapeError, match=r"pick one sound, or log a batch with log_batch or to_aud"
    ):
        Audio(np.zeros(shape), RATE)


def test_one_frame_is_a_sound() -> None:
    """A single frame has a duration."""
    assert Audio(np.zeros((1, 1)), RATE).duration_seconds == 1 / RATE
    assert Audio(np.zeros(1), RATE).num_frames == 1


@pytest.mark.parametrize("value", [0.5, 3, None, np.float32(0.5), np.array(0.5), np.array(3)])
def test_single_numbers_are_no_sound(value: object) -> None:
    """A number is refused in words, not by an IndexError."""
    with pytest.raises((AudioTypeError, ShapeError), match=r"expected .*, got .*: "):
        Audio(value, RATE)


@pytest.mark.parametrize("value", [[[0.1], [0.2, 0.3]], {"array": SINE, "sampling_rate": RATE}])
def test_ragged_lists_and_dicts_are_refused_by_name(value: object) -> None:
    """The error names the type that came."""
    with pytest.raises((AudioTypeError, ShapeError), match=r"got (a list of 2 items|dict)"):
        Audio(value, RATE)


def test_views_of_any_strides_sound_as_they_look() -> None:
    """Every second sample, reversed, transposed, read-only and broadcast views."""
    readonly = SINE.copy()
    readonly.flags.writeable = False
    for view in (SINE[::2], SINE[::-1], readonly, np.broadcast_to(np.float32(0.25), 50)):
        np.testing.assert_array_equal(Audio(view, RATE).samples[:, 0], view)
    planar = np.stack([SINE, SINE / 2])
    np.testing.assert_array_equal(Audio(planar.T, RATE).samples, planar.T)


@pytest.mark.parametrize("rate", [16_000.0, np.int64(16_000), np.float32(16_000), np.array(16_000)])
def test_any_integral_rate_is_taken(rate: object) -> None:
    """16000.0 is a rate, and becomes an int."""
    assert type(Audio(SINE, rate).sample_rate) is int


@pytest.mark.parametrize("rate", [0, -1, 22_050.5, "16000", True, [16_000], 2**31, np.nan, 16j])
def test_impossible_rates_are_refused(rate: object) -> None:
    """True is not 1 Hz, and 0 is no rate; nothing is written before that is noticed."""
    with pytest.raises(
        SampleRateError, match=r"a positive integer such as 16000, got .*: pass the"
    ):
        Audio(SINE, rate)


@pytest.mark.parametrize("rate", [1, 384_000, 655_350, 2**31 - 1])
def test_unusual_rates_are_kept(rate: int) -> None:
    """Whatever a header can hold is a rate, and durations follow it."""
    assert Audio(SINE, rate).duration_seconds == 1600 / rate


def test_a_wrong_rate_beside_a_file_is_refused(file: Path) -> None:
    """The header knows better than the argument, and says so."""
    with pytest.raises(SampleRateError, match="itself has, 16000 Hz, got 8000 Hz: leave sample_"):
        Audio(file, 8000)


def test_the_duration_of_a_file_is_known(file: Path) -> None:
    """Files have rate and duration, without decoding, whatever their format."""
    for suffix in (".wav", ".flac", ".ogg", ".mp3"):
        path = file.with_suffix(suffix)
        soundfile.write(path, SINE, RATE)
        audio = Audio(path)
        assert Audio.durations([audio]) == [0.1]
        assert Audio.sample_rates([audio]) == [RATE]


@pytest.mark.parametrize(
    "content", [b"hello", b"", b"\0" * 100, b"RIFF1234WAVEfmt "], ids=["text", "", "zeros", "torn"]
)
def test_a_fake_wav_is_told_when_it_is_made(content: bytes, tmp_path: Path) -> None:
    """A file's name does not make it a sound; without a suffix a sound is one."""
    fake = tmp_path / "fake.wav"
    fake.write_bytes(content)
    with pytest.raises(DecodeError, match=r"got '.*fake.wav' \(.*\): write it anew"):
        Audio(fake)
    soundfile.write(tmp_path / "noext", SINE, RATE, format="WAV")
    assert Audio(tmp_path / "noext").num_frames == 1600


@pytest.mark.parametrize("path", ["missing.wav", "", "~/missing.wav", " https://x/a.wav", "."])
def test_paths_without_a_file_are_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error shows where it looked, and is a FileNotFoundError."""
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(FileNotFoundError, match=r"expected a sound file at '/.*', got .*: check"):
        Audio(path)


def test_home_and_file_urls_are_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~/a.wav` and `file:///.../a.wav` are files."""
    monkeypatch.setenv("HOME", str(file.parent))
    assert Audio("~/sine.wav").path == Audio(f"file://{file}").path == file


def test_every_kind_of_path_is_a_path(file: Path) -> None:
    """What os.scandir yields is a path; a path in bytes is taken for a sound and told."""
    with os.scandir(file.parent) as entries:
        assert [Audio(entry).path for entry in entries] == [file]
    with pytest.raises(DecodeError, match=r"got \d+ bytes \(.*\)"):
        Audio(os.fsencode(file))


@pytest.mark.parametrize(
    "url", ["s3://b/k.wav", "HTTPS://x.com/a.wav", "ftp://x/a.wav", "azure://x/a.wav", "https://"]
)
def test_urls_are_references_in_any_case(url: str) -> None:
    """No URL is looked up as a file, and none is fetched when the Audio is made."""
    assert Audio(url).resolve_ref() == url


@pytest.mark.parametrize("url", ["foo://x/a.wav", "memory://a.wav"])
def test_unknown_schemes_are_told(url: str) -> None:
    """A URL that leads nowhere is an error that names schemes that do."""
    with pytest.raises(AudioFileNotFoundError, match=r"whose scheme leads neither .* use one such"):
        Audio(url)


def test_a_reference_without_a_host_fails_when_it_is_heard() -> None:
    """`https://` alone is a reference; asking for its sound is an error of ours."""
    with pytest.raises(
        RemoteError, match=r"expected a sound at 'https://', got .*; check the addr"
    ):
        _ = Audio("https://").samples


def test_files_that_are_open_are_read(file: Path) -> None:
    """Binary handles and buffers are sounds; text handles, closed and written ones are told."""
    with file.open("rb") as handle:
        assert Audio(handle).num_frames == 1600
        with pytest.raises(DecodeError, match=r"got BufferedReader at its end: .*seek\(0\)"):
            Audio(handle)
    with pytest.raises(AudioTypeError, match=r"cannot be read \(read of closed file\): open it"):
        Audio(handle)
    with file.open(encoding="utf-8") as text, pytest.raises(AudioTypeError, match="mode 'rb'"):
        Audio(text)
    with pytest.raises(AudioTypeError, match=r"got StringIO, which reads str: open it with mode"):
        Audio(io.StringIO("RIFF"))
    with file.open("ab") as out, pytest.raises(AudioTypeError, match=r"cannot be read \(read\)"):
        Audio(out)


def test_a_buffer_that_was_just_written_has_to_be_rewound() -> None:
    """A buffer at its end is an error that says to go back."""
    buffer = io.BytesIO()
    soundfile.write(buffer, SINE, RATE, format="WAV")
    with pytest.raises(
        DecodeError,
        match=r"expected a file open for reading in binary mode, got BytesIO at its end: go back "
        r"to the start of the sound with seek\(0\)",
    ):
        Audio(buffer)
    buffer.seek(0)
    assert Audio(buffer).num_frames == 1600


def test_things_that_read_something_else_are_told(file: Path) -> None:
    """A decoder that returns arrays, and a class in the place of its instance, are refused."""
    with (
        soundfile.SoundFile(file) as sound,
        pytest.raises(
            AudioTypeError, match="got SoundFile, which reads ndarray: open it with mode"
        ),
    ):
        Audio(sound)
    with pytest.raises(AudioTypeError, match="got type: convert it"):
        Audio(io.BytesIO)


def test_a_buffer_may_read_any_bytes() -> None:
    """Readers that return bytearray or memoryview are binary files too."""
    buffer = io.BytesIO()
    soundfile.write(buffer, SINE, RATE, format="WAV")

    class Reader:
        def __init__(self, kind: Any) -> None:
            self.read = lambda: kind(buffer.getvalue())

    for kind in (bytes, bytearray, memoryview):
        assert Audio(Reader(kind)).num_frames == 1600


def test_a_list_with_a_gap_is_a_list() -> None:
    """`None` among the sounds is `None` in the answers."""
    audios = [Audio(SINE, RATE, "c"), None]
    assert Audio.durations(audios) == [0.1, None]
    assert Audio.sample_rates(audios) == [RATE, None]
    assert Audio.captions(audios) == ["c", None]
