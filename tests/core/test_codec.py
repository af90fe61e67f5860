from __future__ import annotations

import contextlib
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.codec import (
    FLAC_16,
    FLAC_24,
    WAV_FLOAT,
    Encoding,
    choose,
    choose_exact,
    decode,
    encode,
    encode_exact,
    kept_suffix,
    read_header,
)
from earmark.errors import ArgumentError, AudioFileNotFoundError, DecodeError
from earmark.samples import Samples

RATE = 16_000
PCM_16 = (np.array([[-32_768], [-1], [0], [1], [32_767]]) / 32_768).astype(np.float32)
PCM_24 = (np.array([[-(2**23)], [-1], [0], [1], [2**23 - 1]]) / 2**23).astype(np.float32)
FINER = np.array([[0.1], [1e-9], [-1 / 3]], np.float32)
OVER = np.array([[1.5], [-2.0], [0.1]], np.float32)


def written(samples: Samples, encoding: Encoding, rate: int = RATE) -> io.BytesIO:
    """A file that our encoder wrote."""
    buffer = io.BytesIO()
    encode(buffer, samples, rate, encoding)
    buffer.seek(0)
    return buffer


def through(samples: Samples, rate: int = RATE, bit_depth: int | None = None) -> Samples:
    """Samples as soundfile, and nothing of ours, reads them back."""
    file = written(samples, choose(samples, rate, bit_depth), rate)
    back, back_rate = soundfile.read(file, dtype="float32", always_2d=True)
    assert back_rate == rate
    return np.asarray(back, np.float32)


@pytest.mark.parametrize(
    ("samples", "encoding"),
    [
        pytest.param(PCM_16, FLAC_16, id="16-bit values"),
        pytest.param(np.zeros((5, 2), np.float32), FLAC_16, id="silence"),
        pytest.param(np.array([[-1.0]], np.float32), FLAC_16, id="-1.0"),
        pytest.param(np.array([[1.0]], np.float32), FLAC_24, id="+1.0"),
        pytest.param(np.array([[2**-15]], np.float32), FLAC_16, id="a step of 16 bits"),
        pytest.param(np.array([[2**-16]], np.float32), FLAC_24, id="half a step of 16 bits"),
        pytest.param(PCM_24, FLAC_24, id="24-bit values"),
        pytest.param(FINER, FLAC_24, id="floats"),
        pytest.param(OVER, WAV_FLOAT, id="over full scale"),
        pytest.param(np.zeros((5, 9), np.float32), WAV_FLOAT, id="9 channels"),
    ],
)
def test_the_smallest_encoding_that_holds_the_sound_is_chosen(
    samples: Samples, encoding: Encoding
) -> None:
    """16-bit sounds become 16-bit FLAC, others 24-bit FLAC, what FLAC cannot hold float WAV."""
    assert choose(samples, RATE) == encoding


@pytest.mark.parametrize(
    ("rate", "encoding"),
    [
        *[(rate, FLAC_16) for rate in (1, 8000, 44_100, 65_535, 88_200, 192_000, 655_350)],
        *[(rate, WAV_FLOAT) for rate in (65_536, 65_537, 96_001, 655_360, 705_600, 2**31 - 1)],
    ],
)
def test_rates_that_flac_has_not_are_stored_as_wav(rate: int, encoding: Encoding) -> None:
    """FLAC's header holds rates up to 65535 Hz, above that tens of Hz; soundfile reads all back."""
    assert choose(PCM_16, rate) == encoding
    np.testing.assert_array_equal(through(PCM_16, rate), PCM_16)


@pytest.mark.parametrize("channels", [1, 2, 6, 8, 9, 32, 1024])
def test_every_number_of_channels_comes_back_exactly(channels: int) -> None:
    """Up to 8 channels are FLAC, more are WAV; channels keep their order."""
    samples = (np.arange(3 * channels).reshape(3, channels) / 32_768).astype(np.float32)
    assert choose(samples, RATE) == (FLAC_16 if channels <= 8 else WAV_FLOAT)
    np.testing.assert_array_equal(through(samples), samples)


@pytest.mark.parametrize("samples", [PCM_16, PCM_24, FINER, OVER], ids=["16", "24", "fine", "over"])
def test_one_frame_is_a_sound(samples: Samples) -> None:
    """Each encoding holds a sound of a single frame."""
    np.testing.assert_allclose(through(samples[:1]), samples[:1], atol=2**-24, rtol=0)
    assert read_header(encode_exact(samples[:1], RATE)).num_frames == 1


@pytest.mark.parametrize(
    ("samples", "subtype", "bytes_per_sample"),
    [(PCM_16, "PCM_16", 2), (FINER, "PCM_24", 3), (OVER, "FLOAT", 4)],
)
def test_soundfile_sees_the_depth_that_was_chosen(
    samples: Samples, subtype: str, bytes_per_sample: int
) -> None:
    """The file says its depth, and noise of it takes about as many bytes, so that it is real."""
    file = written(samples, choose(samples, RATE))
    info = soundfile.info(file)
    assert (info.subtype, info.samplerate, info.frames) == (subtype, RATE, len(samples))
    noise = np.random.default_rng(0).uniform(-1, 1, (50_000, 1)).astype(np.float32)
    if subtype == "PCM_16":
        noise = (np.round(noise * 32_000) / 32_768).astype(np.float32)
    elif subtype == "FLOAT":
        noise *= 2
    size = len(written(noise, choose(noise, RATE)).getvalue())
    assert size == pytest.approx(bytes_per_sample * len(noise), rel=0.03)


def test_24_bits_are_rounded_to_the_nearest_value() -> None:
    """The error is at most half of a 24-bit step, 6e-8, and without a bias."""
    noise = np.random.default_rng(0).uniform(-1, 1, (200_000, 1)).astype(np.float32) * 0.01
    error = through(noise).astype(np.float64) - noise
    assert np.abs(error).max() <= 2**-24
    assert abs(error.mean()) < 2**-24 / 100


def test_full_scale_is_kept_as_closely_as_24_bits_can() -> None:
    """A sample of exactly +1.0 becomes 1 - 2^-23, and -1.0 stays what it is."""
    samples = np.array([[1.0], [-1.0], [1 - 2**-24], [0.3]], np.float32)
    back = through(samples).astype(np.float64)
    assert back[:3, 0].tolist() == [1 - 2**-23, -1.0, 1 - 2**-23]


def test_samples_over_full_scale_are_kept() -> None:
    """Nothing is clipped: WAV float32 gives back every sample exactly, subnormals too."""
    samples = np.array([[3.4e38], [-1.0000001], [1e-45], [0.1], [-0.0]], np.float32)
    assert through(samples).tobytes() == samples.tobytes()


def test_16_bits_on_request_are_rounded_and_not_floored() -> None:
    """At 16 bits the error is at most half a step, without the bias that flooring has."""
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, (200_000, 1)).astype(np.float32)
    error = through(noise, bit_depth=16).astype(np.float64) - noise
    assert np.abs(error).max() <= 2**-16
    assert abs(error.mean()) < 2**-16 / 100


@pytest.mark.parametrize(
    ("samples", "bit_depth", "encoding"),
    [(FINER, 16, FLAC_16), (PCM_16, 24, FLAC_24), (OVER, 16, WAV_FLOAT), (OVER, 24, WAV_FLOAT)],
)
def test_a_depth_on_request_never_costs_samples_over_full_scale(
    samples: Samples, bit_depth: int, encoding: Encoding
) -> None:
    """The depth is obeyed where FLAC can hold the sound, and only there."""
    assert choose(samples, RATE, bit_depth) == encoding


@pytest.mark.parametrize("bit_depth", [8, 32, 0, "16", True])
def test_other_depths_are_refused(bit_depth: int) -> None:
    """There are 16 and 24 bits, and the automatic choice."""
    with pytest.raises(
        ArgumentError,
        match=r"expected bit_depth to be 16, 24 or None, got ('16'|True|\d+): "
        "leave it out for the smallest that holds the sound",
    ):
        choose(PCM_16, RATE, bit_depth)


def test_long_sounds_are_written_as_one() -> None:
    """A sound longer than the blocks it is written in has no seams."""
    samples = np.sin(np.arange(200_001) / 7).astype(np.float32)[:, np.newaxis] * np.float32(0.9)
    assert np.abs(through(samples) - samples).max() <= 2**-24
    late = np.zeros((200_001, 1), np.float32)
    late[-1] = 1.25
    assert choose(late, RATE) == WAV_FLOAT
    np.testing.assert_array_equal(through(late), late)


@pytest.mark.parametrize("encoding", [FLAC_16, FLAC_24, WAV_FLOAT])
def test_an_encoding_from_another_process_writes_the_same_samples(encoding: Encoding) -> None:
    """Encodings are compared by value: one that was pickled writes what the original writes."""
    twin = pickle.loads(pickle.dumps(encoding))  # noqa: S301 - our own
    original, _ = soundfile.read(written(PCM_16, encoding))
    copied, _ = soundfile.read(written(PCM_16, twin))
    np.testing.assert_array_equal(copied, original)
    assert twin.suffix == {"FLAC": ".flac", "WAV": ".wav"}[encoding.format]


@pytest.mark.parametrize(
    ("samples", "encoding"),
    [
        pytest.param(PCM_16, FLAC_16, id="16 bit"),
        pytest.param(np.array([[2**-16]], np.float32), FLAC_24, id="17 bit"),
        pytest.param(PCM_24, FLAC_24, id="24 bit"),
        pytest.param(np.array([[2**-24]], np.float32), WAV_FLOAT, id="25 bit"),
        pytest.param(FINER, WAV_FLOAT, id="finer"),
        pytest.param(np.array([[1.0]], np.float32), WAV_FLOAT, id="+1.0"),
        pytest.param(OVER, WAV_FLOAT, id="over"),
        pytest.param(np.array([[np.nan], [np.inf], [-np.inf]], np.float32), WAV_FLOAT, id="NaN"),
    ],
)
def test_exact_encoding_gives_back_every_sample(samples: Samples, encoding: Encoding) -> None:
    """Where equality matters the smallest lossless encoding is used, also for NaN."""
    assert choose_exact(samples, RATE) == encoding
    back, rate = soundfile.read(io.BytesIO(encode_exact(samples, RATE)), dtype="float32")
    assert rate == RATE
    np.testing.assert_array_equal(back, samples[:, 0])


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"]
)
def test_wav_of_every_depth_decodes_to_the_nearest_float32(subtype: str) -> None:
    """Our float32 samples are the nearest ones to what soundfile reads as float64."""
    noise = np.random.default_rng(0).uniform(-1, 1, (10_000, 2))
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, RATE, format="WAV", subtype=subtype)
    buffer.seek(0)
    wide, _ = soundfile.read(buffer, dtype="float64")
    samples, rate = decode(buffer.getvalue())
    assert samples.dtype == np.float32
    assert (samples.shape, rate) == ((10_000, 2), RATE)
    np.testing.assert_array_equal(samples, wide.astype(np.float32))


def test_float64_wav_beyond_float32_is_not_clipped() -> None:
    """What no float32 holds becomes infinite, to be counted, and NaN stays NaN."""
    buffer = io.BytesIO()
    values = np.array([1e300, -1e300, np.nan, 2.5, 0.1])
    soundfile.write(buffer, values, RATE, format="WAV", subtype="DOUBLE")
    samples, _ = decode(buffer.getvalue())
    np.testing.assert_array_equal(
        samples[:, 0], np.array([np.inf, -np.inf, np.nan, 2.5, 0.1], np.float32)
    )


@pytest.mark.parametrize(
    ("format_", "subtype"),
    [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_24")],
)
@pytest.mark.parametrize("suffix", ["", ".bin", ".wav"])
def test_compressed_files_are_read_whatever_their_name(
    format_: str, subtype: str, suffix: str, tmp_path: Path
) -> None:
    """The header and the samples of Ogg, MP3 and FLAC files are those that soundfile reads."""
    sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    path = tmp_path / f"sine{suffix}"
    soundfile.write(path, sine, 48_000, format=format_, subtype=subtype)
    header = read_header(path)
    assert (header.format, header.subtype) == (format_, subtype)
    assert (header.sample_rate, header.num_frames, header.num_channels) == (48_000, 48_000, 1)
    samples, _ = decode(path)
    assert samples.shape == (48_000, 1)
    middle = slice(1000, -1000)
    assert np.abs(samples[middle, 0] - sine[middle]).max() < 0.05
    assert kept_suffix(header) == {"OGG": ".ogg", "MP3": ".mp3", "FLAC": ".flac"}[format_]


def test_uncompressed_files_are_not_kept_as_they_are(tmp_path: Path) -> None:
    """WAV and AIFF are encoded anew, since FLAC is half their size."""
    for format_ in ("WAV", "AIFF", "W64"):
        path = tmp_path / format_
        soundfile.write(path, np.zeros(10), RATE, format=format_)
        assert kept_suffix(read_header(path)) is None


def test_what_is_not_there_is_told_apart_from_what_is_unreadable(tmp_path: Path) -> None:
    """A missing file, a directory, a pipe and an impossible name are each told as such."""
    os.mkfifo(tmp_path / "pipe")
    for path, found in [
        (tmp_path / "gone.wav", "nothing there"),
        (tmp_path, "a directory"),
        (tmp_path / "pipe", "something that is no regular file"),
        (tmp_path / ("x" * 5000), "File name too long"),
        (tmp_path / "a\0b.wav", "null"),
    ]:
        for read in (read_header, decode):
            with pytest.raises(
                AudioFileNotFoundError,
                match=rf"expected a sound file at '.*', got .*{found}.*: check the path",
            ):
                read(path)


@pytest.mark.parametrize("content", [b"", b"hello, this is no sound", b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_sound_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    """Text, empty and torn files are an error with the file's name and what to do about it."""
    path = tmp_path / "fake.wav"
    path.write_bytes(content)
    ending = r" \(.+\): write it anew in one of these, or pass decoded samples"
    expected = r"expected a sound file that libsndfile reads \(WAV, FLAC, Ogg, MP3, AIFF, ...\), "
    for read in (read_header, decode):
        with pytest.raises(DecodeError, match=f"{expected}got '.*fake.wav'{ending}"):
            read(path)
        with pytest.raises(DecodeError, match=f"{expected}got {len(content)} bytes{ending}"):
            read(content)


def test_a_sound_without_frames_is_refused() -> None:
    """A header with nothing behind it is no sound."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(0), RATE, format="WAV")
    with pytest.raises(
        DecodeError, match=r"expected a sound, got 44 bytes with no frames: skip it"
    ):
        read_header(buffer.getvalue())


def test_a_damaged_file_is_an_error_and_never_half_a_sound() -> None:
    """A FLAC file that was cut off has a good header; reading it says what happened."""
    flac = written(PCM_16.repeat(9000, axis=0), FLAC_16).getvalue()
    assert read_header(flac[: len(flac) // 2]).num_frames == 45_000
    with pytest.raises(DecodeError, match=r"got \d+ bytes \(Error : flac decoder lost sync\): "):
        decode(flac[: len(flac) // 2])
    assert len(decode(flac)[0]) == 45_000


def of_length(length: int) -> bytes:
    """A FLAC file of 5 frames whose header says otherwise."""
    flac = bytearray(written(PCM_16, FLAC_16).getvalue())
    # STREAMINFO's 36 bits of total samples follow 4 + 4 + 13.5 bytes.
    flac[21:26] = ((flac[21] & 0xF0) << 32 | length).to_bytes(5, "big")
    return bytes(flac)


def test_a_stream_of_unknown_length_is_an_error() -> None:
    """FLAC that was written into a pipe does not say how long it is, and libsndfile cannot tell."""
    with pytest.raises(
        DecodeError,
        match=r"got \d+ bytes \(a stream whose header does not say how long it is\): write it anew",
    ):
        read_header(of_length(0))


def test_a_header_that_promises_a_year_of_sound_does_no_harm() -> None:
    """A damaged length is no reason to run out of memory: an error of ours, or what is there."""
    with contextlib.suppress(DecodeError):  # unless this machine promises memory it has not
        assert len(decode(of_length(2**36 - 1))[0]) == 5


def test_names_that_are_no_text_are_names_too(tmp_path: Path) -> None:
    """A file whose name is no UTF-8, as old data sets have them, is read like any other."""
    path = tmp_path / os.fsdecode(b"gr\xfc\xdfe.wav")
    try:
        path.write_bytes(encode_exact(OVER, RATE))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    np.testing.assert_array_equal(decode(path)[0], OVER)
