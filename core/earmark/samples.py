"""Arrays of any dtype and layout to float32 samples of shape `(frames, channels)`, full scale 1.0.

Shapes are judged before values: `resolve_layout` and `check_dtype` need no array, so that the
training thread can refuse what is not a sound without reading it.
"""

from __future__ import annotations

import functools
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from earmark.errors import ArgumentError, AudioTypeError, ShapeError, shown

Samples: TypeAlias = NDArray[np.float32]
"""Samples of one sound: float32, shape `(frames, channels)`, full scale 1.0."""

Layout: TypeAlias = Literal["channels_first", "channels_last"]
"""Which axis of a two-dimensional sound holds the channels."""

MAX_CHANNELS = 32
"""More channels than this are taken for a transposed or a spectral array unless declared."""

MAX_DECLARED_CHANNELS = 1024
"""The most channels that a sound file can hold."""

_FULL_SCALE = {"int8": 2**7, "uint8": 2**7, "int16": 2**15, "int32": 2**31}
_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64", "float96", "float128"})
_SHAPES: dict[Layout, str] = {
    "channels_last": "(frames,) or (frames, channels)",
    "channels_first": "(T,) or (C, T)",
}


@functools.lru_cache(maxsize=64)
def dtype_name(dtype: np.dtype[Any]) -> str:
    """The name of a dtype, which numpy puts together anew each time that it is asked."""
    return dtype.name


def check_dtype(dtype: str) -> None:
    """Refuse a dtype that has no full scale.

    Args:
        dtype: The dtype's name in numpy's or torch's spelling, for example `"int16"`.

    Raises:
        AudioTypeError: If samples of this dtype have no agreed full scale.
    """
    if dtype in _FLOATS or dtype in _FULL_SCALE:
        return
    expected = f"expected float samples, or PCM of {', '.join(_FULL_SCALE)}, got {dtype}"
    if dtype.startswith("complex"):
        raise AudioTypeError(f"{expected}: a spectrum is no waveform, decode= it (an inverse STFT)")
    if dtype.startswith(("int", "uint")):
        raise AudioTypeError(
            f"{expected}, which has no agreed full scale: divide by it to get floats in [-1, 1], "
            "convert to int16, or decode= them if these are codes"
        )
    raise AudioTypeError(f"{expected}: convert it to floats in [-1, 1]")


def check_layout(layout: object) -> None:
    """Refuse what is not a declaration of a layout.

    Args:
        layout: `"channels_first"`, `"channels_last"`, or None for no declaration.

    Raises:
        ArgumentError: If it is anything else.
    """
    if layout is None or (isinstance(layout, str) and layout in get_args(Layout)):
        return
    raise ArgumentError(
        f"expected layout='channels_first' or 'channels_last', got {shown(layout)}: leave it out "
        "where the shape says which axis holds the channels"
    )


def resolve_layout(
    shape: tuple[int, ...], layout: Layout | None = None, *, convention: Layout = "channels_last"
) -> Layout:
    """Say which axis of one sound holds its channels, without a guess.

    Args:
        shape: The shape of one sound.
        layout: The layout that the user declares, if any.
        convention: The layout of arrays of this kind when nothing is declared:
            `"channels_last"` for numpy (soundfile), `"channels_first"` for torch (torchaudio).

    Returns:
        The layout; for a one-dimensional shape, the convention.

    Raises:
        ArgumentError: If `layout` is not a layout.
        ShapeError: If the shape is not one sound, or is one only in another layout.
    """
    check_layout(layout)
    expected = f"expected one sound of shape {_SHAPES[layout or convention]}, got shape {shape}"
    if len(shape) not in (1, 2):
        raise ShapeError(
            f"{expected}: pick one sound, or log a batch with log_batch or to_audios"
            if shape
            else f"{expected}: a single number is no sound"
        )
    if 0 in shape:
        raise ShapeError(f"{expected}, which holds no frames: skip empty sounds")
    if len(shape) == 1:
        return convention
    return (
        _declared(shape, layout, expected) if layout else _undeclared(shape, convention, expected)
    )


def _declared(shape: tuple[int, ...], layout: Layout, expected: str) -> Layout:
    channels = shape[0] if layout == "channels_first" else shape[1]
    if channels > MAX_DECLARED_CHANNELS:
        raise ShapeError(
            f"{expected} with layout={layout!r}: {channels} channels are more than a file holds "
            f"({MAX_DECLARED_CHANNELS}); declare the other layout or log fewer channels"
        )
    return layout


def _undeclared(shape: tuple[int, ...], convention: Layout, expected: str) -> Layout:
    if shape[0] == 1:
        return "channels_first"
    if shape[1] == 1:
        return "channels_last"
    first = convention == "channels_first"
    channels, frames = (shape[0], shape[1]) if first else (shape[1], shape[0])
    if channels <= MAX_CHANNELS and channels < frames:
        return convention
    other = "channels_last" if first else "channels_first"
    raise ShapeError(
        f"{expected}, which would be {channels} channels of {frames} frames: if it is meant so, "
        f"pass layout={convention!r}; if it is transposed, pass layout={other!r}; "
        "if it is a mel, a spectrogram or a latent, decode= it first"
    )


def to_float32(array: NDArray[Any]) -> Samples:
    """Convert samples of any supported dtype, byte order and strides.

    Floats become the nearest float32 (infinite beyond its range, to be counted as non-finite);
    integers are divided by their full scale, uint8 being centred on 128 first.

    Args:
        array: Samples of any shape; never written to.

    Returns:
        A new C-contiguous float32 array of the same shape.

    Raises:
        AudioTypeError: If the dtype has no full scale.
    """
    name = dtype_name(array.dtype)
    check_dtype(name)
    with np.errstate(all="ignore"):
        samples = np.array(array, dtype=np.float32, order="C", copy=True)
    if name == "uint8":
        samples -= np.float32(128)
    if name in _FULL_SCALE:
        samples /= np.float32(_FULL_SCALE[name])
    return samples


def bfloat16_to_float32(bits: NDArray[np.uint16]) -> Samples:
    """Widen bfloat16, which numpy does not have, from its bits: the upper half of a float32."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def frames_first(samples: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Return a view of one sound as `(frames, channels)`.

    Args:
        samples: Shape `(frames,)`, or two-dimensional in the given layout.
        layout: The layout that `resolve_layout` returned for this shape.
    """
    if samples.ndim == 1:
        return samples[:, np.newaxis]
    return samples.T if layout == "channels_first" else samples
