from __future__ import annotations

import io
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earmark import Audio
from earmark.errors import (
    ArgumentTypeError,
    AudioFileNotFoundError,
    AudioTypeError,
    DecodeError,
    SampleRateError,
    ShapeError,
)
from earmark.samples import Layout

RATE = 16_000
SINE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(1600) / RATE)).astype(np.float32)
STEREO = np.stack([SINE, SINE / 2], axis=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A stereo file."""
    path = tmp_path / "sine.wav"
    soundfile.write(path, STEREO, RATE, subtype="FLOAT")
    return path


def test_an_array_is_a_sound_with_rate_and_caption() -> None:
    """The constructor's order is data, sample rate, caption, as trackers have it."""
    audio = Audio(STEREO, RATE, "a tone")
    np.testing.assert_array_equal(audio.samples, STEREO)
    assert audio.samples.dtype == np.float32
    assert (audio.sample_rate, audio.caption) == (RATE, "a tone")
    assert (audio.num_frames, audio.num_channels, audio.duration_seconds) == (1600, 2, 0.1)
    assert audio.path is None
    assert audio.level.peak_dbfs == pytest.approx(-6.02, abs=0.01)


def test_a_file_is_the_sound_in_it(file: Path) -> None:
    """A path as str, as Path, as any path object and as URL gives samples and rate of the file."""
    for path in (file, str(file), PurePosixPath(file), file.as_uri()):
        audio = Audio(path, caption="stored")
        np.testing.assert_array_equal(audio.samples, STEREO)
        assert (audio.sample_rate, audio.num_frames, audio.num_channels) == (RATE, 1600, 2)
        assert audio.path == file
        assert audio.caption == "stored"


def test_encoded_bytes_are_the_sound_in_them(file: Path) -> None:
    """A file's bytes, of every type of bytes, and binary files give its samples and rate."""
    data = file.read_bytes()
    with file.open("rb") as handle:
        for encoded in (data, bytearray(data), memoryview(data), io.BytesIO(data), handle):
            audio = Audio(encoded)
            np.testing.assert_array_equal(audio.samples, STEREO)
            assert audio.sample_rate == RATE
            assert audio.path is None


def test_a_pair_brings_its_own_rate() -> None:
    """`(waveform, sample_rate)`, as loaders return it, needs no further argument."""
    assert Audio((STEREO, 8000)).sample_rate == 8000
    assert Audio((STEREO, 8000), 8000, "same").samples.shape == (1600, 2)
    assert Audio((STEREO.T, 8000), layout="channels_first") == Audio(STEREO, 8000)


def test_an_audio_is_taken_as_it_is(file: Path) -> None:
    """Another Audio keeps its sound, rate and caption unless another caption is given."""
    for first in (Audio(SINE, RATE, "first"), Audio(file, caption="first")):
        assert Audio(first) == first
        second = Audio(first, caption="second")
        assert (second.caption, second.sample_rate) == ("second", RATE)
        np.testing.assert_array_equal(second.samples, first.samples)
        assert Audio(first, caption="").caption == ""
        with pytest.raises(SampleRateError, match="that the sound itself has, 16000 Hz, got 8000"):
            Audio(first, 8000)


def test_a_list_of_floats_is_an_array() -> None:
    """Lists and tuples of floats, nested or not, are frames."""
    assert Audio([0.5, -0.5], RATE).samples.tolist() == [[0.5], [-0.5]]
    assert Audio((0.5, -0.5, 0.0), RATE).samples.tolist() == [[0.5], [-0.5], [0.0]]
    assert Audio([[0.5], [-0.5]], RATE).samples.tolist() == [[0.5], [-0.5]]


def test_making_a_sound_reads_a_header_at_most(file: Path) -> None:
    """A file whose samples are damaged makes an Audio with a duration; reading it is an error."""
    flac = file.with_suffix(".flac")
    soundfile.write(flac, np.random.default_rng(0).uniform(-1, 1, 50_000), RATE)
    data = flac.read_bytes()
    flac.write_bytes(data[: len(data) // 2])
    audio = Audio(flac)
    assert audio.duration_seconds == 3.125
    with pytest.raises(DecodeError, match=r"got '.*sine.flac' \(.*lost sync\): write it anew"):
        _ = audio.samples


def test_making_a_sound_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file appears, whether the constructor takes the value or refuses it."""
    for variable in ("TMPDIR", "TEMP", "TMP", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)
    _ = Audio(SINE, RATE).level
    for wrong in (np.zeros(3, np.int64), np.zeros((2, 0)), np.zeros(()), b"text", "gone.wav"):
        with pytest.raises((TypeError, ValueError, FileNotFoundError)):
            Audio(wrong, RATE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        pytest.param(SINE, SINE[:, None], id="(frames,)"),
        pytest.param(SINE[:, None], SINE[:, None], id="(frames, 1)"),
        pytest.param(SINE[None, :], SINE[:, None], id="(1, frames)"),
        pytest.param(STEREO, STEREO, id="(frames, 2)"),
        pytest.param(np.tile(STEREO, 16), np.tile(STEREO, 16), id="(frames, 32)"),
    ],
)
def test_arrays_are_frames_by_channels(
    array: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    """Shapes that are one sound without a guess are taken as soundfile lays them out."""
    np.testing.assert_array_equal(Audio(array, RATE).samples, expected)


@pytest.mark.parametrize("shape", [(2, 800), (2, 2), (80, 400), (800, 33)])
def test_other_shapes_have_to_be_declared(shape: tuple[int, int]) -> None:
    """Too many channels are an error that names the shape; a declaration settles it."""
    array = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    with pytest.raises(
        ShapeError,
        match=rf"got shape \({shape[0]}, {shape[1]}\), which would be .* if it is meant so, pass "
        "layout='channels_last'; if it is transposed, pass layout='channels_first'; .*decode= it",
    ):
        Audio(array, RATE)
    np.testing.assert_array_equal(Audio(array, RATE, layout="channels_last").samples, array)
    np.testing.assert_array_equal(Audio(array, RATE, layout="channels_first").samples, array.T)


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_one_channel_is_one_channel_in_either_layout(layout: Layout) -> None:
    """A one-dimensional array has nothing to declare; the declaration changes nothing."""
    np.testing.assert_array_equal(Audio(SINE, RATE, layout=layout).samples[:, 0], SINE)


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (np.array([-128, 0, 64], np.int8), [-1.0, 0.0, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1.0, 0.0, 0.5]),
        (np.array([-32_768, 0, 16_384], np.int16), [-1.0, 0.0, 0.5]),
        (np.array([-(2**31), 0, 2**30], np.int32), [-1.0, 0.0, 0.5]),
        (np.array([-1, 0, 0.5], np.float16), [-1.0, 0.0, 0.5]),
        (np.array([-1, 0, 0.5], np.float32), [-1.0, 0.0, 0.5]),
        (np.array([-1, 0, 0.5], np.float64), [-1.0, 0.0, 0.5]),
        (np.array([-1, 0, 0.5], np.longdouble), [-1.0, 0.0, 0.5]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, np.ndarray) else "",
)
def test_dtypes_are_scaled_by_their_own_full_scale(
    array: NDArray[np.float32], values: list[float]
) -> None:
    """Floats are taken as they are, PCM is divided by its full scale, in any byte order."""
    assert Audio(array, RATE).samples[:, 0].tolist() == values
    swapped = array.astype(array.dtype.newbyteorder())
    assert Audio(swapped, RATE).samples[:, 0].tolist() == values


@pytest.mark.parametrize("dtype", ["int64", "uint16", "bool", "complex64", "object", "str"])
def test_dtypes_without_a_full_scale_are_refused(dtype: str) -> None:
    """The error names the dtype and says what to do."""
    with pytest.raises(AudioTypeError, match=rf"got {dtype}.*(divide|decode=|convert)"):
        Audio(np.zeros(100).astype(dtype), RATE)


def test_the_callers_array_is_never_touched() -> None:
    """Samples are a copy: the array can be changed afterwards, and the sound cannot."""
    array = SINE.copy()
    audio = Audio(array, RATE)
    assert not np.shares_memory(audio.samples, array)
    array[:] = 9
    np.testing.assert_array_equal(audio.samples[:, 0], SINE)
    with pytest.raises(ValueError, match="read-only"):
        audio.samples[0] = 1


def test_non_finite_samples_are_counted() -> None:
    """NaN, infinities, and float64 beyond float32 show up in the level."""
    audio = Audio(np.array([np.nan, np.inf, 1e300, -1e300, 0.5]), RATE)
    assert audio.level.num_nonfinite == 4
    assert audio.level.peak_dbfs == pytest.approx(-6.02, abs=0.01)


def test_samples_over_full_scale_are_kept_and_counted() -> None:
    """Nothing is clipped or normalised, in memory and from a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, SINE * 8, RATE, format="WAV", subtype="FLOAT")
    for audio in (Audio(SINE * 8, RATE), Audio(buffer.getvalue())):
        np.testing.assert_array_equal(audio.samples[:, 0], SINE * 8)
        assert audio.level.num_over == np.count_nonzero(np.abs(SINE * 8) > 1)
        assert audio.level.peak_dbfs == pytest.approx(12.04, abs=0.01)


@pytest.mark.parametrize("empty", [[], np.zeros(0), np.zeros((0, 2)), np.zeros((2, 0))])
def test_no_frames_are_no_sound(empty: object) -> None:
    """Emptiness is an error that says to skip it."""
    with pytest.raises(ShapeError, match=r"got shape \(.*\), which holds no frames: skip empty"):
        Audio(empty, RATE)


def test_raw_samples_need_a_rate() -> None:
    """Without a rate the error says what to pass."""
    for value in (SINE, [0.1, 0.2]):
        with pytest.raises(
            SampleRateError,
            match="expected a sample rate in Hz beside raw samples, got none: pass "
            "sample_rate=16000, or whatever these samples have",
        ):
            Audio(value)


@pytest.mark.parametrize("rate", [16_000, 16_000.0, np.int32(16_000), np.array(16_000)])
def test_the_rate_is_a_plain_integer(rate: object) -> None:
    """Whatever number the rate came as, it is an int afterwards."""
    audio = Audio(SINE, rate)
    assert type(audio.sample_rate) is int
    assert audio.sample_rate == 16_000


def test_a_rate_that_contradicts_the_sound_is_an_error(file: Path) -> None:
    """A rate beside a file, bytes or a pair has to be the one that they have."""
    for value in (file, file.read_bytes(), (SINE, RATE)):
        assert Audio(value, float(RATE)).sample_rate == RATE
        with pytest.raises(
            SampleRateError,
            match="expected the sample rate that the sound itself has, 16000 Hz, got 8000 Hz: "
            "leave sample_rate out, or resample the sound first",
        ):
            Audio(value, 8000)


@pytest.mark.parametrize(
    "caption", [5, 1.5, True, b"text", ["a"], {"a": 1}, np.float32(1), Path("a")]
)
def test_a_caption_is_text(caption: str) -> None:
    """Numbers, bytes, lists and token ids are an error that says how to make text of them."""
    with pytest.raises(
        ArgumentTypeError,
        match=r"expected the caption as text, got .* \(.*\): pass str\(caption\), or decode bytes "
        "and token ids first",
    ):
        Audio(SINE, RATE, caption)


@pytest.mark.parametrize(
    "caption", ["", "x" * 5000, "日本語 <b>html</b>\n\n**md**", np.str_("numpy")]
)
def test_any_text_is_a_caption(caption: str) -> None:
    """Long, empty, foreign and marked-up texts come back as they went in."""
    assert Audio(SINE, RATE, caption).caption == caption


def test_a_file_that_is_none_is_told_at_once(tmp_path: Path) -> None:
    """A missing file, a folder and a text file are errors when the Audio is made."""
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(AudioFileNotFoundError, match="got nothing there: check the path"):
        Audio(tmp_path / "gone.wav")
    with pytest.raises(AudioFileNotFoundError, match="got a directory: check the path"):
        Audio(tmp_path)
    with pytest.raises(DecodeError, match=r"got '.*notes.txt' \(.*\): write it anew"):
        Audio(str(tmp_path / "notes.txt"))
