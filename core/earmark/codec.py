"""Samples to sound files and back: what is stored how, and nothing lost unsaid.

    every sample is a 16-bit value                                 FLAC, 16 bit   exact
    everything else                                                FLAC, 24 bit   error <= 6e-8
    over full scale, > 8 channels, a rate that FLAC has not        WAV, float32   exact

With 24 bits a sample of exactly +1.0 becomes 1 - 2^-23. Float64 WAV is never written, since
browsers decode it to garbage.
"""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import soundfile
from numpy.typing import NDArray

from earmark.blocks import Blocks, blocks_of
from earmark.errors import ArgumentError, AudioFileNotFoundError, DecodeError
from earmark.samples import Samples

SoundFile: TypeAlias = Path | bytes
"""An encoded sound: a path, or the bytes of a file."""

_FLAC_MAX_CHANNELS = 8
_FLAC_MAX_RATE = 655_350
_UNKNOWN_LENGTH = 2**63 - 1
_LOSSY_OR_FLAC = {"FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3"}


class Writable(Protocol):
    """What a sound is written into."""

    def write(self, data: bytes, /) -> int:
        """Write at the current place, and say how much that was."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to another place, and say which."""
        ...

    def tell(self) -> int:
        """Say which place is the current one."""
        ...


@dataclass(frozen=True)
class Header:
    """What a sound file says of itself."""

    sample_rate: int
    """In Hz."""
    num_frames: int
    """In each channel; of an MP3 without an index, an estimate."""
    num_channels: int
    format: str
    """The container in soundfile's spelling, for example `"FLAC"`."""
    subtype: str
    """The encoding in soundfile's spelling, for example `"PCM_24"`."""


@dataclass(frozen=True)
class Encoding:
    """How one sound is written."""

    format: str
    subtype: str

    @property
    def suffix(self) -> str:
        """The file name's suffix, for example `".flac"`."""
        return f".{self.format.lower()}"


FLAC_16 = Encoding("FLAC", "PCM_16")
FLAC_24 = Encoding("FLAC", "PCM_24")
WAV_FLOAT = Encoding("WAV", "FLOAT")


def choose(
    samples: Samples | Blocks,
    sample_rate: int,
    bit_depth: int | None = None,
    *,
    over: bool | None = None,
) -> Encoding:
    """Choose the smallest encoding that holds the sound.

    Args:
        samples: Shape `(frames, channels)`, finite.
        sample_rate: In Hz.
        bit_depth: 16 to round to 16 bits, 24 to always use 24, None for the smallest that holds
            the sound. What FLAC cannot hold is WAV float32 in any case.
        over: Whether any sample exceeds full scale, where that has been measured.

    Raises:
        ArgumentError: If `bit_depth` is none of these.
    """
    if bit_depth not in (None, 16, 24):
        raise ArgumentError(
            f"expected bit_depth to be 16, 24 or None, got {bit_depth!r}: leave it out for the "
            "smallest that holds the sound"
        )
    if over or not _flac_has(samples, sample_rate) or (over is None and _exceeds(samples)):
        return WAV_FLOAT
    if bit_depth is not None:
        return FLAC_16 if bit_depth == 16 else FLAC_24
    return FLAC_16 if _is_pcm(samples, 16) else FLAC_24


def choose_exact(samples: Samples | Blocks, sample_rate: int) -> Encoding:
    """Choose the smallest encoding that gives back equal float32 samples (NaN as NaN)."""
    if _flac_has(samples, sample_rate) and not _exceeds(samples):
        if _is_pcm(samples, 16):
            return FLAC_16
        if _is_pcm(samples, 24):
            return FLAC_24
    return WAV_FLOAT


def _flac_has(samples: Samples | Blocks, sample_rate: int) -> bool:
    # FLAC's header has 16 bits for a rate in Hz, or for one in tens of Hz.
    rate_fits = sample_rate < 1 << 16 or (sample_rate % 10 == 0 and sample_rate <= _FLAC_MAX_RATE)
    return rate_fits and samples.shape[1] <= _FLAC_MAX_CHANNELS


def _exceeds(samples: Samples | Blocks) -> bool:
    """Whether any sample is over full scale, or not a number."""
    with np.errstate(invalid="ignore"):  # as of NaN
        return not all(block.max() <= 1 and block.min() >= -1 for block in blocks_of(samples))


def _is_pcm(samples: Samples | Blocks, bits: int) -> bool:
    scale = np.float32(1 << (bits - 1))
    for block in blocks_of(samples):
        scaled = block * scale
        if not np.array_equal(scaled, np.rint(scaled)) or scaled.max() >= scale:
            return False
    return True


def encode(
    file: Writable | str | os.PathLike[str],
    samples: Samples | Blocks,
    sample_rate: int,
    encoding: Encoding,
) -> None:
    """Write one sound.

    Args:
        file: A path, or a binary file open for writing and seeking; what its methods raise is not
            raised here.
        samples: Shape `(frames, channels)`, finite where the encoding is PCM.
        sample_rate: In Hz.
        encoding: As `choose` returned it. PCM rounds to the nearest value.
    """
    target: Any = file  # soundfile's own types name concrete files only
    with soundfile.SoundFile(
        target,
        "w",
        samplerate=sample_rate,
        channels=samples.shape[1],
        format=encoding.format,
        subtype=encoding.subtype,
    ) as out:
        rounded = blocks_of(samples) if encoding == WAV_FLOAT else _rounded(samples, encoding)
        for block in rounded:
            out.write(block)


def _rounded(samples: Samples | Blocks, encoding: Encoding) -> Iterator[NDArray[Any]]:
    """Round each block to the nearest integers, in memory that the next one uses again."""
    scale = 1 << (15 if encoding == FLAC_16 else 23)
    # libsndfile takes the upper bits of an int32: moved up, those of 24 arrive as they are.
    dtype, up = (np.int16, 1) if encoding == FLAC_16 else (np.int32, 256)
    scratch, integers = np.empty(0, np.float32), np.empty(0, dtype)
    for block in blocks_of(samples):
        if block.size > scratch.size:
            scratch, integers = np.empty(block.size, np.float32), np.empty(block.size, dtype)
        scaled = scratch[: block.size].reshape(block.shape)
        # float32 is exact here: powers of two scale, and what is rounded has 24 bits at most.
        if block.flags.c_contiguous:
            np.multiply(block, np.float32(scale), out=scaled)
        else:  # a channel at a time: numpy would go frame by frame
            for channel in range(block.shape[1]):
                np.multiply(block[:, channel], np.float32(scale), out=scaled[:, channel])
        np.rint(scaled, out=scaled)
        np.clip(scaled, -scale, scale - 1, out=scaled)
        np.multiply(scaled, np.float32(up), out=scaled)
        rounded = integers[: block.size].reshape(block.shape)
        np.copyto(rounded, scaled, casting="unsafe")
        yield rounded


def encode_exact(samples: Samples, sample_rate: int) -> bytes:
    """Encode one sound so that decoding gives back equal float32 samples (NaN as NaN)."""
    buffer = io.BytesIO()
    encode(buffer, samples, sample_rate, choose_exact(samples, sample_rate))
    return buffer.getvalue()


def decode(file: SoundFile) -> tuple[Samples, int]:
    """Read one sound.

    Args:
        file: A path or encoded bytes, in any format that libsndfile reads.

    Returns:
        The samples, shape `(frames, channels)`, and the sample rate in Hz.

    Raises:
        AudioFileNotFoundError: If there is no such file.
        DecodeError: If libsndfile cannot read it.
    """
    with _open(file) as sound:
        samples = sound.read(dtype="float32", always_2d=True)
        return np.asarray(samples, np.float32), sound.samplerate


def read_header(file: SoundFile) -> Header:
    """Read what a sound file says of itself, and no sample.

    Raises:
        AudioFileNotFoundError: If there is no such file.
        DecodeError: If libsndfile cannot read it, or it holds no frames.
    """
    with _open(file) as sound:
        if sound.frames <= 0:
            raise DecodeError(f"expected a sound, got {_name(file)} with no frames: skip it")
        return Header(sound.samplerate, sound.frames, sound.channels, sound.format, sound.subtype)


def kept_suffix(header: Header) -> str | None:
    """The suffix under which a file is stored byte for byte, or None if it is encoded anew.

    Files that are compressed already (FLAC, Ogg, MP3) are kept as they are: every browser plays
    them, and another generation would lose samples or space.
    """
    return _LOSSY_OR_FLAC.get(header.format)


@contextmanager
def _open(file: SoundFile) -> Generator[soundfile.SoundFile]:
    """Open a sound; what libsndfile says meanwhile becomes an error of ours."""
    if isinstance(file, Path):
        _check_file(file)
    try:
        with soundfile.SoundFile(_handle(file)) as sound:
            if sound.frames == _UNKNOWN_LENGTH:
                raise _unreadable(file, "a stream whose header does not say how long it is")
            yield sound
    except soundfile.LibsndfileError as error:
        raise _unreadable(file, error.error_string.rstrip(".")) from error
    except (MemoryError, TypeError) as error:
        raise _unreadable(file, str(error)) from error


def _handle(file: SoundFile) -> Any:
    if isinstance(file, bytes):
        return io.BytesIO(file)
    # soundfile encodes a str strictly, and so fails on names that are no UTF-8.
    return str(file) if os.name == "nt" else os.fsencode(file)


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        found = "nothing there"
    except (OSError, ValueError) as error:  # a name that is too long, or with a null character
        found = str(error)
    else:
        if stat.S_ISREG(mode):
            return
        found = "a directory" if stat.S_ISDIR(mode) else "something that is no regular file"
    raise AudioFileNotFoundError(
        f"expected a sound file at {str(path)!r}, got {found}: check the path"
    )


def _unreadable(file: SoundFile, reason: str) -> DecodeError:
    return DecodeError(
        f"expected a sound file that libsndfile reads (WAV, FLAC, Ogg, MP3, AIFF, ...), got "
        f"{_name(file)} ({reason}): write it anew in one of these, or pass decoded samples"
    )


def _name(file: SoundFile) -> str:
    return f"{len(file)} bytes" if isinstance(file, bytes) else repr(str(file))


_SOUNDFILE_LOCK = "_sf_error_lock"


def _free_soundfile() -> None:
    # soundfile opens files under one lock, which a thread of the forked parent may have held.
    if hasattr(soundfile.SoundFile, _SOUNDFILE_LOCK):
        setattr(soundfile.SoundFile, _SOUNDFILE_LOCK, threading.Lock())


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_free_soundfile)
