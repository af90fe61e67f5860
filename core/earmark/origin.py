"""Where the samples of a sound are: in memory, in a file, in encoded bytes, or at a URL.

An origin is the part of an `Audio` that knows how to be heard. Making one reads a file's header
at most; samples are read when they are asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote

import numpy as np

from earmark import convert
from earmark.blocks import Blocks, blocks_of
from earmark.codec import Header, decode, read_header
from earmark.errors import AudioFileNotFoundError, AudioTypeError, DecodeError
from earmark.lazy import lazy
from earmark.rate import missing_rate
from earmark.reference import fetch, has_unknown_scheme, is_file_url, is_reference
from earmark.samples import Layout, Samples

_Stamp: TypeAlias = tuple[int, int, int]


class Origin(Protocol):
    """Where the samples of one sound are."""

    @property
    def header(self) -> Header:
        """Rate, frames, channels and encoding."""
        ...

    def read(self) -> Samples:
        """The samples, shape `(frames, channels)`, read-only."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayOrigin:
    """Samples in memory, which nobody else holds."""

    samples: Samples
    sample_rate: int

    @property
    def header(self) -> Header:
        """What the array's shape says."""
        frames, channels = self.samples.shape
        return Header(self.sample_rate, frames, channels, "ARRAY", "FLOAT")

    def read(self) -> Samples:
        """The samples themselves."""
        return frozen(self.samples)  # a copied or unpickled array is writable again


@dataclass(frozen=True, eq=False)
class BlocksOrigin:
    """Samples as they were logged, in memory that is lent until the sound is published."""

    blocks: Blocks
    sample_rate: int

    @property
    def header(self) -> Header:
        """What the shape says."""
        return Header(self.sample_rate, *self.blocks.shape, "ARRAY", "FLOAT")

    def read(self) -> Samples:
        """A copy, which outlives the memory."""
        return frozen(self.blocks.joined())


@dataclass(frozen=True, eq=False)
class FileOrigin:
    """A sound file on this machine."""

    file: str | Path
    header: Header
    stamp: _Stamp | None = None
    """What tells that it was written since; `None` for a file of a run, which never changes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return FileOrigin, (self.file, self.header)  # a copy on another machine has its own stamp

    @lazy
    def path(self) -> Path:
        """Its path, made when it is asked for: of the clips that are listed, few are heard."""
        return Path(self.file)

    @classmethod
    def open(cls, path: Path) -> FileOrigin:
        """Read the file's header, and no sample."""
        stamp = _stamp_of(path)
        return cls(path, read_header(path), stamp)

    def read(self) -> Samples:
        """Decode the file, if it is still the one whose header was read."""
        now = read_header(self.path)
        if _extent(now) != _extent(self.header):
            raise self._changed(f", {_extent(self.header)}, got {_extent(now)}")
        samples = decode(self.path)[0]
        self._check_unchanged()
        return frozen(samples)

    def read_encoded(self) -> bytes:
        """The file's bytes, if it is still the one whose header was read."""
        data = self.path.read_bytes()
        self._check_unchanged()
        return data

    def _check_unchanged(self) -> None:
        if self.stamp is not None and self.stamp != _stamp_of(self.path):
            raise self._changed(", got one that was written since")

    def _changed(self, how: str) -> DecodeError:
        return DecodeError(
            f"expected {str(self.path)!r} as it was when this Audio was made{how}: give each sound "
            "a file of its own, or make the Audio anew"
        )


@dataclass(frozen=True, eq=False)
class BytesOrigin:
    """An encoded sound in memory."""

    data: bytes
    header: Header

    @classmethod
    def open(cls, data: bytes) -> BytesOrigin:
        """Read the header, and no sample."""
        return cls(data, read_header(data))

    def read(self) -> Samples:
        """Decode the bytes."""
        return frozen(decode(self.data)[0])


@dataclass(frozen=True, eq=False)
class RemoteOrigin:
    """A sound at a URL, fetched when it is asked for, once."""

    url: str
    recorded: Header | None = None
    """Its header, where a record says it."""

    @lazy
    def fetched(self) -> BytesOrigin:
        """What the URL leads to."""
        data = fetch(self.url)
        try:
            return BytesOrigin.open(data)
        except DecodeError as error:
            raise DecodeError(f"{error}; fetched from {self.url!r}") from error

    @property
    def header(self) -> Header:
        """The header of what the URL leads to, fetched if no record says it."""
        return self.known or self.fetched.header

    @property
    def known(self) -> Header | None:
        """The header, as far as it is known without fetching anything."""
        if self.recorded is None and "fetched" in self.__dict__:  # where `lazy` leaves its value
            return self.fetched.header
        return self.recorded

    def read(self) -> Samples:
        """Decode what the URL leads to, if it is what the record says."""
        now = self.fetched.header
        if _extent(now) != _extent(self.header):
            raise DecodeError(
                f"expected {self.url!r} as it was recorded, {_extent(self.header)}, got "
                f"{_extent(now)}: earmark check says what is damaged"
            )
        return self.fetched.read()


def origin_of(value: Any, rate: int | None, layout: Layout | None) -> tuple[Origin, int | None]:
    """Find out where the samples of a value are, reading a file's header at most.

    Args:
        value: Whatever `Audio` takes, but for another `Audio`.
        rate: The sample rate in Hz that the user gave, which raw samples need.
        layout: The layout that the user declared, for arrays.

    Returns:
        The origin, and the sample rate in Hz that the value itself has, if any.

    Raises:
        EarmarkError: What `Audio` raises.
    """
    if isinstance(value, os.PathLike):
        value = os.fsdecode(value)
    if is_reference(value):
        return RemoteOrigin(str(value)), None
    if isinstance(value, str):
        opened = FileOrigin.open(local_path(value))
        return opened, opened.header.sample_rate
    data = _bytes_of(value)
    if data is not None:
        encoded = BytesOrigin.open(data)
        return encoded, encoded.header.sample_rate
    return _array_origin(value, rate, layout)


def _array_origin(value: Any, rate: int | None, layout: Layout | None) -> tuple[Origin, int | None]:
    waveform, own_rate = convert.unpair(value)
    source = convert.source(waveform, layout=layout)
    known = own_rate or source.sample_rate
    sample_rate = known or rate
    if sample_rate is None:
        raise missing_rate()
    return ArrayOrigin(frozen(convert.read(source)), sample_rate), known


def _bytes_of(value: Any) -> bytes | None:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    read = getattr(value, "read", None)
    if not callable(read) or isinstance(value, type):
        return None
    expected = f"expected a file open for reading in binary mode, got {type(value).__name__}"
    try:
        data = read()
    except (OSError, ValueError, TypeError) as error:
        raise AudioTypeError(
            f"{expected}, which cannot be read ({error}): open it with mode 'rb'"
        ) from error
    if not isinstance(data, bytes | bytearray | memoryview):
        raise AudioTypeError(
            f"{expected}, which reads {type(data).__name__}: open it with mode 'rb'"
        )
    if not data:
        raise DecodeError(f"{expected} at its end: go back to the start of the sound with seek(0)")
    return bytes(data)


def local_path(text: str) -> Path:
    """Make the absolute path of a file on this machine, which outlives a change of directory.

    Args:
        text: A path, perhaps with `~`, or a `file://` URL.

    Raises:
        AudioFileNotFoundError: If it is a URL that leads to no file.
    """
    if has_unknown_scheme(text):
        raise AudioFileNotFoundError(
            f"expected a path or a URL, got {text!r}, whose scheme leads neither to a file nor to "
            "a known storage: use one such as file://, s3://, gs:// or https://"
        )
    if is_file_url(text):
        located = re.sub("^[^:]*://(localhost(?=/))?", "", text)
        text = unquote(located, errors="surrogateescape")
    path = Path(text)
    with contextlib.suppress(RuntimeError):  # "~name" of nobody is a name like any other
        path = path.expanduser()
    if is_reference(text.replace(":/", "://", 1)) and not path.exists():
        raise AudioFileNotFoundError(
            f"expected a sound file, got {text!r}, a URL that lost a slash in a Path: pass URLs "
            "as str"
        )
    return path.absolute()


def _stamp_of(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except (OSError, ValueError):  # who reads it says what is wrong with it
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _extent(header: Header) -> str:
    shape = f"({header.num_frames}, {header.num_channels})"
    return f"(frames, channels) = {shape} at {header.sample_rate} Hz"


def frozen(samples: Samples) -> Samples:
    """Make an array read-only, since every holder of one `Audio` sees the same samples."""
    samples.flags.writeable = False
    return samples


def digest(samples: Samples | Blocks) -> str:
    """Name one sound by its content: equal samples have equal digests, however they are stored.

    Args:
        samples: Shape `(frames, channels)`; 0 and -0 are the same sample, as are all NaNs.

    Returns:
        A SHA-256 in hexadecimal.
    """
    content = hashlib.sha256(repr(samples.shape).encode())
    for block in blocks_of(samples):
        with np.errstate(all="ignore"):
            canonical = block + np.float32(0)
        canonical[np.isnan(canonical)] = np.nan
        content.update(np.ascontiguousarray(canonical, dtype="<f4").data)
    return content.hexdigest()
