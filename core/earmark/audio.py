"""Audio: one sound, wherever its samples are, with its sample rate and its caption."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeAlias

from earmark.codec import Header, encode_exact
from earmark.errors import (
    ArgumentError,
    ArgumentTypeError,
    EarmarkError,
    SampleRateError,
    shown,
)
from earmark.lazy import lazy
from earmark.level import Level, measure
from earmark.origin import BytesOrigin, FileOrigin, Origin, RemoteOrigin, digest, origin_of
from earmark.rate import checked_rate
from earmark.reference import is_reference
from earmark.samples import Layout, Samples, check_layout

AudioLike: TypeAlias = Any
"""What `Audio` takes: a path, a URL, encoded bytes, a binary file, an array, a list, a tensor."""


class Audio:
    """One sound: samples, a file, or a reference (URL); its sample rate; its caption.

    Frozen. Making one reads a file's header at most and writes nothing; the samples are read
    when they are asked for. Nothing is normalised, clipped, resampled, downmixed or transposed.

    Args:
        data_or_path: A path (`str` or `os.PathLike`); a reference (`s3://`, `gs://`, `https://`,
            any remote scheme that fsspec knows); a numpy array of shape `(frames,)` or
            `(frames, channels)`, float, or PCM of int8, uint8, int16 or int32; a list of floats;
            the bytes of a sound file, or a binary file; a torch tensor of shape `(T,)` or
            `(C, T)`; a `(waveform, sample_rate)` pair; another `Audio`.
        sample_rate: In Hz. Needed for samples; read from the header for files.
        caption: What to show beside the sound.
        layout: `"channels_first"` or `"channels_last"`, where an array's shape alone does not say.

    Raises:
        AudioTypeError: If the value, or its dtype, holds no sound.
        ShapeError: If the shape is not that of one sound, or is one only in another layout.
        SampleRateError: If the rate is missing, impossible, or not the one in the file's header.
        AudioFileNotFoundError: If there is no such file.
        DecodeError: If no decoder reads the file or the bytes.
        ArgumentTypeError: If the caption is no text.
        ArgumentError: If the layout is none of the two.

    Example:
        >>> import numpy as np
        >>> tone = Audio(np.sin(np.arange(8000) / 5), 16_000, "a low tone")
        >>> tone
        Audio(1 channel, 0.500 s, 16000 Hz, caption='a low tone')
        >>> tone.samples.shape, tone.duration_seconds
        ((8000, 1), 0.5)
    """

    artifact_type: ClassVar[str] = "audio-file"
    __array_ufunc__: ClassVar[None] = None  # so that `array == audio` asks `Audio.__eq__`

    _origin: Origin
    _sample_rate: int | None
    _caption: str | None

    def __init__(
        self,
        data_or_path: AudioLike,
        sample_rate: Any = None,
        caption: str | None = None,
        *,
        layout: Layout | None = None,
    ) -> None:
        rate = None if sample_rate is None else checked_rate(sample_rate)
        check_layout(layout)
        if isinstance(data_or_path, Audio):
            origin, known = data_or_path._origin, data_or_path._sample_rate
            caption = data_or_path.caption if caption is None else caption
            _check_agrees(rate, data_or_path._known_rate)
        else:
            origin, known = origin_of(data_or_path, rate, layout)
            _check_agrees(rate, known)
        self._set(origin, known or rate, _checked_caption(caption))

    @classmethod
    def from_origin(
        cls,
        origin: Origin,
        sample_rate: int | None,
        caption: str | None,
        level: Level | None = None,
    ) -> Audio:
        """Make one of parts that are known to be right, without reading anything."""
        audio = cls.__new__(cls)
        audio._set(origin, sample_rate, caption)
        if level is not None:
            audio.__dict__["level"] = level
        return audio

    def _set(self, origin: Origin, sample_rate: int | None, caption: str | None) -> None:
        self.__dict__.update(_origin=origin, _sample_rate=sample_rate, _caption=caption)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Audio is frozen: make another one, Audio(audio, ...), to set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Audio is frozen: {name} cannot be deleted")

    def __copy__(self) -> Audio:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Audio:
        return self

    def __getstate__(self) -> dict[str, Any]:
        # What was read on demand is read again; a level may be known of a sound not read yet.
        kept = ("_origin", "_sample_rate", "_caption", "level")
        return {name: self.__dict__[name] for name in kept if name in self.__dict__}

    @lazy
    def samples(self) -> Samples:
        """The samples: float32, shape `(frames, channels)`, full scale 1.0, read-only.

        Files are decoded and references fetched when this is first asked for.
        """
        _ = self._header  # a reference whose rate is not the one that was given is no such sound
        return self._origin.read()

    @property
    def sample_rate(self) -> int:
        """The sample rate in Hz; a reference of unknown rate is fetched."""
        return self._known_rate or self._header.sample_rate

    @property
    def num_frames(self) -> int:
        """The number of samples in each channel; a reference is fetched."""
        return self._header.num_frames

    @property
    def num_channels(self) -> int:
        """The number of channels; a reference is fetched."""
        return self._header.num_channels

    @property
    def duration_seconds(self) -> float:
        """The duration in seconds; a reference is fetched."""
        return self._header.num_frames / self._header.sample_rate

    @property
    def caption(self) -> str | None:
        """What to show beside the sound, if anything."""
        return self._caption

    @lazy
    def level(self) -> Level:
        """Peak, RMS, samples over full scale, non-finite samples."""
        return measure(self.samples)

    @property
    def origin(self) -> Origin:
        """Where the samples are."""
        return self._origin

    @property
    def path(self) -> Path | None:
        """The file that holds the sound, if there is one on this machine."""
        return self._origin.path if isinstance(self._origin, FileOrigin) else None

    def resolve_ref(self) -> str | None:
        """The URL of a reference; `None` for a sound that is here."""
        return self._origin.url if isinstance(self._origin, RemoteOrigin) else None

    @classmethod
    def path_is_reference(cls, path: object) -> bool:
        """Say whether something is the URL of a sound on another machine."""
        return is_reference(path)

    @classmethod
    def durations(cls, audio_list: Iterable[Audio | None]) -> list[float | None]:
        """The durations in seconds; `None` for `None`, and for what nobody has fetched."""
        listed = _checked_list(audio_list)
        return [None if audio is None else audio._known_duration for audio in listed]

    @classmethod
    def sample_rates(cls, audio_list: Iterable[Audio | None]) -> list[int | None]:
        """The sample rates in Hz; `None` for `None`, and for a reference of unknown rate."""
        listed = _checked_list(audio_list)
        return [None if audio is None else audio._known_rate for audio in listed]

    @classmethod
    def captions(cls, audio_list: Iterable[Audio | None]) -> list[str | None]:
        """The captions; `None` where there is none."""
        listed = _checked_list(audio_list)
        return [None if audio is None else audio.caption for audio in listed]

    @property
    def _has_header(self) -> bool:
        return not isinstance(self._origin, RemoteOrigin) or self._origin.known is not None

    @property
    def _known_rate(self) -> int | None:
        return self._header.sample_rate if self._has_header else self._sample_rate

    @property
    def _known_duration(self) -> float | None:
        return self.duration_seconds if self._has_header else None

    @property
    def _header(self) -> Header:
        header = self._origin.header
        _check_agrees(self._sample_rate, header.sample_rate)
        return header

    def to_json(self) -> dict[str, Any]:
        """Describe the sound so that `from_json` gives back an equal one.

        Returns:
            Strict JSON: by path or URL where there is one, else with the encoded sound inside.
        """
        record: dict[str, Any] = {"_type": self.artifact_type}
        if self._sample_rate is not None:
            record["sample_rate"] = self._sample_rate
        if self.caption is not None:
            record["caption"] = self.caption
        match self._origin:
            case FileOrigin(path=path):
                return record | {"path": str(path)}
            case RemoteOrigin(url=url):
                return record | {"url": url}
            case BytesOrigin(data=data):
                pass
            case _:
                data = encode_exact(self.samples, self.sample_rate)
        return record | {"data": base64.b64encode(data).decode()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Audio:
        """Make the sound that `to_json` described.

        Raises:
            ArgumentError: If the record is not one of an `Audio`.
            EarmarkError: Whatever the constructor raises, if what it names is gone or has changed.
        """
        return cls(_sound_of(record), record.get("sample_rate"), record.get("caption"))

    @lazy
    def _content(self) -> tuple[str, str]:
        if isinstance(self._origin, RemoteOrigin):
            return "url", self._origin.url
        try:
            # Not `self.samples`: comparing many sounds must not keep them all in memory.
            return "sound", digest(self._origin.read())
        except EarmarkError:  # gone or damaged: what is left of it is compared
            if isinstance(self._origin, BytesOrigin):
                return "bytes", hashlib.sha256(self._origin.data).hexdigest()
            return "path", str(self.path)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Audio):
            return False
        return (self._sample_rate, self.caption, self._content) == (
            (other._sample_rate, other.caption, other._content)
        )

    def __hash__(self) -> int:
        return hash((self._sample_rate, self.caption, self._content))

    def __repr__(self) -> str:
        where = self.resolve_ref() or self.path
        parts = [repr(str(where))] if where else []
        rate = self._sample_rate
        if self._has_header:
            header = self._origin.header
            rate = header.sample_rate
            parts.append(f"{header.num_channels} channel{'s' * (header.num_channels != 1)}")
            parts.append(f"{header.num_frames / rate:.3f} s")
        if rate is not None:
            parts.append(f"{rate} Hz")
        if self.caption is not None:
            parts.append(f"caption={self.caption!r}")
        return f"Audio({', '.join(parts)})"

    def _repr_html_(self) -> str:
        from earmark.notebook import player  # noqa: PLC0415  # only a notebook draws

        url = self.resolve_ref()
        if url is not None:
            return player(url=url, caption=self.caption)
        return player(self.samples, self.sample_rate, caption=self.caption)


def _sound_of(record: object) -> str | bytes:
    if isinstance(record, Mapping) and record.get("_type") == Audio.artifact_type:
        match [(key, record[key]) for key in ("path", "url", "data") if key in record]:
            case [("path", str(path))]:
                return path
            case [("url", str(url))] if is_reference(url):
                return url
            case [("data", str(data))]:
                with contextlib.suppress(ValueError):
                    return base64.b64decode(data, validate=True)
            case _:
                pass
    raise ArgumentError(
        f"expected a record of an Audio, with _type {Audio.artifact_type!r} and one of path, url "
        f"or data (base64), got {shown(record)}: pass what Audio.to_json returned"
    )


def _checked_list(audio_list: object) -> list[Audio | None]:
    listed: list[Audio | None] = []
    if not isinstance(audio_list, Iterable):
        raise _no_list(audio_list)
    for audio in audio_list:
        if not isinstance(audio, Audio | None):
            raise _no_list(audio)
        listed.append(audio)
    return listed


def _no_list(got: object) -> ArgumentTypeError:
    return ArgumentTypeError(
        f"expected a list of Audio, got {shown(got)}: pass [audio, ...], and make an Audio of each "
        "sound first"
    )


def _check_agrees(given: int | None, known: int | None) -> None:
    if given is not None and known is not None and given != known:
        raise SampleRateError(
            f"expected the sample rate that the sound itself has, {known} Hz, got {given} Hz: "
            "leave sample_rate out, or resample the sound first"
        )


def _checked_caption(caption: object) -> str | None:
    if caption is None or isinstance(caption, str):
        return caption
    raise ArgumentTypeError(
        f"expected the caption as text, got {shown(caption)}: pass str(caption), or decode bytes "
        "and token ids first"
    )
