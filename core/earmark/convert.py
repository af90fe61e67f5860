"""The seam: who turns a tensor, or any other foreign value, into sound.

A converter is found by the value's type when one first comes along, so that core imports no
framework: a `torch.Tensor` is asked of `earmark_integrations.torch`, an `AudioSamples` of
`earmark_integrations.torchcodec`, anything else of the entry points `earmark.converters`, under
the name of the top-level package that defines the type.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import numbers
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from earmark.blocks import Blocks
from earmark.errors import AudioTypeError, EarmarkError, ShapeError, shown
from earmark.lengths import checked_hop, num_frames
from earmark.rate import checked_rate, is_rate
from earmark.samples import (
    Layout,
    Samples,
    check_dtype,
    dtype_name,
    frames_first,
    resolve_layout,
)

Buffer = NDArray[np.uint8]
"""One-dimensional memory that a source copies itself into."""

Allocate = Callable[[int], Buffer]
"""Makes a buffer of so many bytes."""

Wait = Callable[[], None]
"""Waits until a copy is complete."""

_MASKED = "expected plain samples, got a masked array: fill what is masked, array.filled(0)"


class Form(Protocol):
    """What the samples in a buffer are: enough to decode them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """One- or two-dimensional, in `layout`."""
        ...

    @property
    def dtype(self) -> str:
        """The dtype's name, for example `"bfloat16"`."""
        ...

    @property
    def layout(self) -> Layout:
        """Which axis holds the channels."""
        ...

    @property
    def num_bytes(self) -> int:
        """Their size."""
        ...

    @property
    def num_frames(self) -> Callable[[], int | None]:
        """Says how many leading frames are sound and not padding, once the samples are there.

        It outlives the source, and holds nothing of it.
        """
        ...


class Source(Form, Protocol):
    """One sound that nobody has read yet: its form is known, its values are not."""

    @property
    def sample_rate(self) -> int | None:
        """In Hz, where the value carries it."""
        ...

    @property
    def allocate(self) -> Allocate:
        """Makes the kind of memory that it copies itself into best: `pageable`, or pinned."""
        ...

    def copy_into(self, buffer: Buffer) -> Wait | None:
        """Copy the samples, contiguous, as they are; return what to wait for, or nothing."""
        ...


class Converter(Protocol):
    """What a module that converts foreign values offers: two functions.

    A third one is its own choice: `whole(batch) -> Source | None`, a batch as one source of shape
    `(batch, ...)`, so that one copy takes all of it.
    """

    def source(self, value: Any, *, layout: Layout | None = None) -> Source:
        """One sound."""
        ...

    def sources(
        self, value: Any, *, lengths: Any = None, hop_length: int | None = None
    ) -> Sequence[Source | EarmarkError]:
        """A batch of sounds, along the first axis; an error in the place of what is none."""
        ...


def pageable(num_bytes: int) -> Buffer:
    """Memory as any other."""
    return np.empty(num_bytes, np.uint8)


def all_frames() -> None:
    """None of the frames is padding, or what was is cut off already."""


@dataclass(frozen=True, eq=False)
class ArraySource:
    """A numpy array, part of one, or a batch, that has not been read yet."""

    array: NDArray[Any]
    layout: Layout
    sample_rate: int | None = None
    num_frames: Callable[[], int | None] = all_frames  # padding is cut off before the copy

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return self.array.shape

    @property
    def dtype(self) -> str:
        """The array's dtype, whatever its byte order."""
        return dtype_name(self.array.dtype)

    @property
    def num_bytes(self) -> int:
        """The size of the samples."""
        return self.array.nbytes

    @property
    def allocate(self) -> Allocate:
        """Memory as any other."""
        return pageable

    def copy_into(self, buffer: Buffer) -> None:
        """Copy the samples, in this machine's byte order."""
        native = self.array.dtype.newbyteorder("=")
        np.copyto(buffer.view(native).reshape(self.shape), self.array)


def unpair(value: Any) -> tuple[Any, int | None]:
    """Take apart a `(waveform, sample_rate)` pair, as `torchaudio.load` returns it.

    Returns:
        The waveform and its sample rate in Hz; for anything else, the value and `None`.
    """
    if not (isinstance(value, tuple) and len(value) == 2 and is_rate(value[1])):
        return value, None
    if isinstance(value[0], numbers.Number | np.generic):  # two numbers are two samples
        return value, None
    return value[0], checked_rate(value[1])


def source(value: Any, *, layout: Layout | None = None) -> Source:
    """Find out how one sound is read, without reading it.

    Args:
        value: A numpy array, a list of numbers, or any value that a converter knows.
        layout: Which axis holds the channels, where the shape alone does not say.

    Raises:
        AudioTypeError: If nobody knows the value's type, or its dtype has no full scale.
        ShapeError: If the shape is not one sound.
    """
    if isinstance(value, list | tuple):
        value = _array_of(value)
    if not isinstance(value, np.ndarray):
        return _converter_of(value).source(value, layout=layout)
    _check_array(value)
    # A view without the ideas that a subclass, such as a matrix, has of copying and indexing.
    return ArraySource(np.asarray(value), resolve_layout(value.shape, layout))


def sources(
    batch: Any, *, lengths: Any = None, hop_length: int | None = None
) -> Sequence[Source | EarmarkError]:
    """Find out how each sound of a batch is read, without reading one.

    Args:
        batch: A numpy array of shape `(batch, frames)` or `(batch, frames, channels)`, or any
            batch that a converter knows, such as a tensor `(B, T)` or `(B, C, T)`.
        lengths: How much of each sound is not padding; see `earmark.lengths`.
        hop_length: What integer lengths count, in samples; 1 if not given.

    Returns:
        One source for each sound, or the error that says why it is none.

    Raises:
        AudioTypeError: If nobody knows the value's type, or its dtype has no full scale.
        ShapeError: If the shape is not a batch, or the lengths are not one for each sound.
    """
    if not isinstance(batch, np.ndarray):
        return _converter_of(batch).sources(batch, lengths=lengths, hop_length=hop_length)
    checked_hop(hop_length)
    _check_array(batch)
    if batch.ndim not in (2, 3):
        raise ShapeError(
            f"expected a batch of shape (batch, frames) or (batch, frames, channels), got shape "
            f"{batch.shape}: log one sound with log, or a list of sounds of any shapes"
        )
    given = [None] * len(batch) if lengths is None else host_lengths(lengths, len(batch))
    items = zip(np.asarray(batch), given, strict=True)
    return [_item(array, length, hop_length) for array, length in items]


def whole(batch: Any) -> Source | None:
    """Find out how all sounds of a batch that `sources` has taken are copied at once, if so."""
    if isinstance(batch, np.ndarray):
        return ArraySource(np.asarray(batch), "channels_last")
    offered: Callable[[Any], Source | None] | None = getattr(_converter_of(batch), "whole", None)
    return None if offered is None else offered(batch)


def _item(array: NDArray[Any], length: Any, hop_length: int | None) -> ArraySource | EarmarkError:
    try:
        layout = resolve_layout(array.shape)
        if length is None:
            return ArraySource(array, layout)
        frames = 1 if layout == "channels_first" and array.ndim == 2 else 0
        kept = num_frames(length, array.shape[frames], hop_length)
        return ArraySource(array[:, :kept] if frames else array[:kept], layout)
    except EarmarkError as error:
        return error.with_traceback(None)  # its frames would keep the batch alive


def host_lengths(lengths: Any, count: int) -> list[Any]:
    """Make a list of lengths that are on this machine: a list, an array, or a CPU tensor.

    Raises:
        ShapeError: If there is not one for each sound.
    """
    listed = lengths.tolist() if hasattr(lengths, "tolist") else lengths
    if not isinstance(listed, list | tuple) or len(listed) != count:
        got = f"{len(listed)} lengths" if isinstance(listed, list | tuple) else shown(lengths)
        raise ShapeError(
            f"expected one length for each of {count} sounds, got {got}: pass a list or a "
            "one-dimensional tensor of as many"
        )
    return list(listed)


def read(found: Source) -> Samples:
    """Read one sound now.

    Returns:
        A new float32 array of shape `(frames, channels)`, full scale 1.0.
    """
    buffer = found.allocate(found.num_bytes)
    wait = found.copy_into(buffer)
    if wait is not None:
        wait()
    return decode_buffer(buffer, found).joined()


def decode_buffer(buffer: Buffer, found: Form) -> Blocks:
    """Find the samples, without the padding, in a buffer that a source has filled."""
    dtype = "uint16" if found.dtype == "bfloat16" else found.dtype
    raw = buffer[: found.num_bytes].view(dtype).reshape(found.shape)
    return Blocks(frames_first(raw, found.layout)[: found.num_frames()], found.dtype)


def _is_masked(value: object) -> bool:
    # Where nobody has imported numpy.ma nothing is masked; the first log must not be the one to.
    return isinstance(value, getattr(sys.modules.get("numpy.ma"), "MaskedArray", ()))


def _check_array(array: NDArray[Any]) -> None:
    if _is_masked(array):
        raise AudioTypeError(_MASKED)
    check_dtype(dtype_name(array.dtype))


def _array_of(listed: Sequence[Any]) -> NDArray[Any]:
    try:
        array = np.asarray(listed)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise ShapeError(
            f"expected a list of numbers, got a {type(listed).__name__} of {len(listed)} items "
            f"that make no array ({error}): pass sounds one by one, or log_batch a list of them"
        ) from error
    if array.ndim > 1 and any(map(_is_masked, listed)):
        raise AudioTypeError(_MASKED)
    if array.dtype.kind in "iu":
        raise AudioTypeError(
            "expected a list of floats in [-1, 1], got integers, which have no agreed full scale: "
            "divide by it, or pass a numpy array of int16"
        )
    return array


def _converter_of(value: Any) -> Converter:
    for kind in type(value).__mro__:
        package = str(kind.__module__).partition(".")[0]
        converter = _find(package)
        if converter is not None:
            return converter
    raise AudioTypeError(
        f"expected a path, a URL, encoded bytes, a binary file, an array, a list of floats, a "
        f"tensor, or a (waveform, sample_rate) pair, got {type(value).__name__}: convert it to a "
        "numpy array of shape (frames,) or (frames, channels)"
    )


@functools.cache
def _find(package: str) -> Converter | None:
    if package in ("builtins", "earmark", "earmark_integrations"):
        return None
    name = f"earmark_integrations.{package}"
    if importlib.util.find_spec(name) is not None:
        module = importlib.import_module(name)
        if hasattr(module, "sources"):  # the file may be a framework's monitor
            return cast(Converter, module)
    from importlib.metadata import entry_points  # noqa: PLC0415  # slow to import, seldom needed

    for entry in entry_points(group="earmark.converters", name=package):
        return cast(Converter, entry.load())
    return None
