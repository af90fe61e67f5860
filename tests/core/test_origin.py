from __future__ import annotations

import os
import pickle
import re
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import soundfile

from earmark.errors import AudioFileNotFoundError, DecodeError
from earmark.origin import (
    ArrayOrigin,
    BytesOrigin,
    FileOrigin,
    Origin,
    RemoteOrigin,
    digest,
    frozen,
    local_path,
    origin_of,
)

NOISE = np.random.default_rng(0).integers(-9000, 9000, (500, 2), dtype=np.int16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A stereo file."""
    path = tmp_path / "noise.wav"
    soundfile.write(path, NOISE, 8000)
    return path


def test_a_value_is_sorted_by_where_its_samples_are(file: Path) -> None:
    """Arrays, files, encoded bytes and URLs each have their origin; files tell their rate."""
    found: list[tuple[Origin, int | None]] = [
        origin_of(value, 8000, None) for value in (NOISE, file, file.read_bytes(), "s3://b/k.wav")
    ]
    assert [type(origin) for origin, _ in found] == [
        ArrayOrigin,
        FileOrigin,
        BytesOrigin,
        RemoteOrigin,
    ]
    assert [rate for _, rate in found] == [None, 8000, 8000, None]


def test_every_origin_gives_the_same_header_and_samples(file: Path) -> None:
    """A sound is the same wherever it is, and nobody can write into it."""
    for value in (NOISE, file, str(file), file.read_bytes()):
        origin, _ = origin_of(value, 8000, None)
        header = origin.header
        assert (header.sample_rate, header.num_frames, header.num_channels) == (8000, 500, 2)
        samples = origin.read()
        np.testing.assert_array_equal(samples * 32_768, NOISE)
        with pytest.raises(ValueError, match="read-only"):
            samples[0] = 0


def test_a_path_becomes_absolute(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is that of the directory in which it was given, for good."""
    monkeypatch.chdir(file.parent)
    origin, _ = origin_of("noise.wav", None, None)
    monkeypatch.chdir("/")
    assert isinstance(origin, FileOrigin)
    assert origin.path == file
    assert origin.read().shape == (500, 2)


def test_a_tilde_is_the_home_directory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is expanded; the name of a user who does not exist is a name like any other."""
    monkeypatch.setenv("HOME", str(file.parent))
    assert local_path("~/noise.wav") == file
    monkeypatch.chdir(file.parent)
    assert local_path("~nobody-of-that-name/a.wav") == file.parent / "~nobody-of-that-name/a.wav"


@pytest.mark.parametrize(
    "name", ["a.wav", "with space.wav", "grün 100%.wav", "#1?.wav", "a%20b.wav"]
)
def test_file_urls_are_paths(name: str, tmp_path: Path) -> None:
    """The URL that Python, a browser or a file manager makes of a path leads back to it."""
    path = tmp_path / name
    url = path.as_uri()
    assert local_path(str(path)) == local_path(url) == path
    assert local_path(url.replace("file://", "FILE://localhost")) == path


def test_an_unknown_scheme_is_an_error_that_lists_known_ones() -> None:
    """A URL of a scheme that leads nowhere is not taken for a file's name."""
    with pytest.raises(
        AudioFileNotFoundError,
        match=r"expected a path or a URL, got 'foo://bar/a.wav', whose scheme leads neither to a "
        r"file nor to a known storage: use one such as file://, s3://, gs:// or https://",
    ):
        local_path("foo://bar/a.wav")


@pytest.mark.parametrize("url", ["s3://bucket/a.wav", "https://host/a.wav"])
def test_a_url_inside_a_path_is_an_error_that_says_so(url: str) -> None:
    """`pathlib` turns `//` into `/`: the error names what happened."""
    collapsed = re.escape(str(PurePosixPath(url)))
    with pytest.raises(
        AudioFileNotFoundError,
        match=rf"expected a sound file, got '{collapsed}', a URL that lost a slash in a Path: pass "
        "URLs as str",
    ):
        origin_of(PurePosixPath(url), None, None)


def test_a_folder_may_be_called_like_a_scheme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is there is read, even below a folder named `s3:`."""
    (tmp_path / "s3:").mkdir()
    soundfile.write(tmp_path / "s3:" / "a.wav", NOISE, 8000)
    monkeypatch.chdir(tmp_path)
    assert local_path("s3:/a.wav") == tmp_path / "s3:" / "a.wav"


def test_a_path_object_may_hold_a_url() -> None:
    """A path type for object stores that keeps its slashes is a reference."""

    class CloudPath(os.PathLike[str]):
        def __fspath__(self) -> str:
            return "s3://bucket/a.wav"

    origin, _ = origin_of(CloudPath(), None, None)
    assert isinstance(origin, RemoteOrigin)
    assert origin.url == "s3://bucket/a.wav"


@pytest.mark.parametrize(("frames", "rate"), [(400, 8000), (500, 16_000)])
def test_a_file_that_became_another_sound_is_an_error(frames: int, rate: int, file: Path) -> None:
    """A file that was overwritten is not played at the old rate or length."""
    origin = FileOrigin.open(file)
    soundfile.write(file, NOISE[:frames], rate)
    with pytest.raises(
        DecodeError,
        match=r"expected '.*noise.wav' as it was when this Audio was made, \(frames, channels\) = "
        rf"\(500, 2\) at 8000 Hz, got .* = \({frames}, 2\) at {rate} Hz: give each sound a file of "
        "its own, or make the Audio anew",
    ):
        origin.read()


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_file_that_was_written_again_is_an_error(tmp_path: Path, suffix: str) -> None:
    """Another sound of the same rate and length is not taken for the one that was meant."""
    file = tmp_path / f"noise.{suffix}"
    soundfile.write(file, NOISE, 8000)
    origin = FileOrigin.open(file)
    np.testing.assert_array_equal(origin.read(), soundfile.read(file, dtype="float32")[0])
    assert origin.read_encoded() == file.read_bytes()
    soundfile.write(file, NOISE[::-1], 8000)
    later = file.stat().st_mtime_ns + 1  # clocks of file systems are coarse
    os.utime(file, ns=(later, later))

    for read in (origin.read, origin.read_encoded):
        with pytest.raises(
            DecodeError,
            match=r"expected '.*noise\.\w+' as it was when this Audio was made, got one that was "
            "written since: give each sound a file of its own, or make the Audio anew",
        ):
            read()


def test_a_file_that_was_copied_elsewhere_is_the_same_sound(file: Path) -> None:
    """An `Audio` may be unpickled on another machine, where its file has another date."""
    origin = pickle.loads(pickle.dumps(FileOrigin.open(file)))  # noqa: S301 - our own
    os.utime(file, ns=(1, 1))

    assert len(origin.read()) == 500


def test_a_file_that_is_gone_is_an_error_when_it_is_read(file: Path) -> None:
    """The header is remembered, the samples are gone with the file."""
    origin = FileOrigin.open(file)
    file.unlink()
    assert origin.header.num_frames == 500
    with pytest.raises(AudioFileNotFoundError, match="got nothing there: check the path"):
        origin.read()


def test_an_array_stays_frozen_through_pickle() -> None:
    """Unpickled arrays are writable again; the samples of a sound are not."""
    origin = ArrayOrigin(frozen(np.zeros((3, 1), np.float32)), 8000)
    arrived = pickle.loads(pickle.dumps(origin))  # noqa: S301 - our own
    assert not arrived.read().flags.writeable


def test_equal_samples_have_equal_digests() -> None:
    """Zero and minus zero, and all NaNs, are the same sample; strides do not matter."""
    one = np.array([[0.0, 0.5], [np.nan, -1.0]], np.float32)
    other = np.asfortranarray(one * 1)
    other[0, 0] = -0.0
    other[1, 0] = np.array(0x7F800001, np.uint32).view(np.float32)
    with np.errstate(all="raise"):
        assert digest(one) == digest(other)


def test_different_samples_have_different_digests() -> None:
    """Another sample, another shape and another order of channels are another sound."""
    samples = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    nearly = samples.copy()
    nearly[1, 1] = np.nextafter(nearly[1, 1], np.float32(1))
    shapes = [samples[:, ::-1], samples.reshape(4, 1), samples.reshape(1, 4), samples[:1]]
    tiny = [samples * np.float32(1e-30), samples * np.float32(2e-30)]
    assert len({digest(other) for other in [samples, nearly, *shapes, *tiny]}) == 8
