from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark.errors import ArgumentError, AudioTypeError, EarmarkError, ShapeError
from earmark.samples import (
    Layout,
    bfloat16_to_float32,
    check_dtype,
    check_layout,
    frames_first,
    resolve_layout,
    to_float32,
)

FULL_SCALE = {"int8": 2**7, "uint8": 2**7, "int16": 2**15, "int32": 2**31}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", *FULL_SCALE])
def test_floats_and_pcm_have_a_full_scale(dtype: str) -> None:
    """Every float dtype and PCM of 8, 16 and 32 bits is taken."""
    check_dtype(dtype)


@pytest.mark.parametrize("dtype", ["int64", "uint16", "uint32", "uint64"])
def test_integers_without_a_full_scale_are_refused(dtype: str) -> None:
    """Nobody knows what full scale is for these, so that the user has to say it."""
    with pytest.raises(
        AudioTypeError,
        match=f"expected float samples, or PCM of int8, uint8, int16, int32, got {dtype}, which "
        r"has no agreed full scale: divide by it to get floats in \[-1, 1\], convert to int16, or "
        "decode= them if these are codes",
    ):
        check_dtype(dtype)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_a_spectrum_is_no_waveform(dtype: str) -> None:
    """Complex samples ask for an inverse STFT."""
    with pytest.raises(
        AudioTypeError,
        match=rf"got {dtype}: a spectrum is no waveform, decode= it \(an inverse STFT\)",
    ):
        check_dtype(dtype)


@pytest.mark.parametrize("dtype", ["bool", "object", "str32", "float8_e4m3fn", "datetime64[ns]"])
def test_other_dtypes_are_refused(dtype: str) -> None:
    """What holds no samples is refused by its name."""
    with pytest.raises(AudioTypeError) as caught:
        check_dtype(dtype)
    assert str(caught.value).endswith(f"got {dtype}: convert it to floats in [-1, 1]")


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((5,), "channels_last"),
        ((1,), "channels_last"),
        ((100, 2), "channels_last"),
        ((100, 1), "channels_last"),
        ((1, 1), "channels_first"),
        ((1, 100), "channels_first"),
        ((1, 1_000_000), "channels_first"),
        ((33, 32), "channels_last"),
        ((2, 1), "channels_last"),
    ],
)
def test_arrays_are_frames_by_channels(shape: tuple[int, ...], layout: Layout) -> None:
    """Numpy's axis of channels is the last one; `(1, frames)` is mono either way."""
    assert resolve_layout(shape) == layout


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((5,), "channels_first"),
        ((2, 100), "channels_first"),
        ((1, 100), "channels_first"),
        ((100, 1), "channels_last"),
        ((32, 33), "channels_first"),
    ],
)
def test_tensors_are_channels_by_frames(shape: tuple[int, ...], layout: Layout) -> None:
    """Torch's axis of channels is the first one; `(T, 1)` is mono either way."""
    assert resolve_layout(shape, convention="channels_first") == layout


@pytest.mark.parametrize("shape", [(2, 100), (2, 2), (80, 400), (32, 32), (1000, 33)])
@pytest.mark.parametrize("convention", ["channels_first", "channels_last"])
def test_shapes_that_would_be_a_guess_are_refused(
    shape: tuple[int, int], convention: Layout
) -> None:
    """Too many channels, or as many as frames: the error shows both ways to declare the layout."""
    frames_axis = 1 if convention == "channels_first" else 0
    shape = shape if frames_axis == 0 else (shape[1], shape[0])
    other = "channels_last" if convention == "channels_first" else "channels_first"
    with pytest.raises(ShapeError) as caught:
        resolve_layout(shape, convention=convention)
    names = "(T,) or (C, T)" if frames_axis else "(frames,) or (frames, channels)"
    assert str(caught.value) == (
        f"expected one sound of shape {names}, got shape {shape}, which would be "
        f"{shape[1 - frames_axis]} channels of {shape[frames_axis]} frames: if it is meant so, "
        f"pass layout='{convention}'; if it is transposed, pass layout='{other}'; if it is a mel, "
        "a spectrogram or a latent, decode= it first"
    )


@pytest.mark.parametrize(
    "shape", [(2, 100), (2, 2), (80, 400), (1, 7), (7, 1), (400, 33), (1024, 1024)]
)
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_a_declared_layout_is_taken_at_its_word(shape: tuple[int, int], layout: Layout) -> None:
    """Whoever declares the layout gets it, for whatever shape a file can hold."""
    assert resolve_layout(shape, layout) == layout


def test_a_declared_layout_still_has_to_fit_into_a_file() -> None:
    """Declared channels beyond what a sound file holds are refused, naming the shape."""
    for shape, layout in [((1025, 4000), "channels_first"), ((9, 1025), "channels_last")]:
        with pytest.raises(ShapeError) as caught:
            resolve_layout(shape, "channels_first" if shape[0] > 9 else "channels_last")
        assert (
            f"got shape {shape} with layout='{layout}': 1025 channels are more than a file holds "
            "(1024); declare the other layout or log fewer channels"
        ) in str(caught.value)


@pytest.mark.parametrize("shape", [(0,), (0, 2), (2, 0), (0, 0)])
def test_sounds_without_frames_are_refused(shape: tuple[int, ...]) -> None:
    """An empty array is an error that says to skip it."""
    with pytest.raises(ShapeError) as caught:
        resolve_layout(shape)
    assert f"got shape {shape}, which holds no frames: skip empty sounds" in str(caught.value)


def test_numbers_and_batches_are_no_sound() -> None:
    """A scalar and a batch are refused, the batch with the names of what takes one."""
    with pytest.raises(ShapeError, match=r"got shape \(\): a single number is no sound"):
        resolve_layout(())
    with pytest.raises(
        ShapeError,
        match=r"got shape \(4, 2, 100\): pick one sound, or log a batch with log_batch or to_aud",
    ):
        resolve_layout((4, 2, 100))


@pytest.mark.parametrize("layout", ["CHANNELS_FIRST", "ct", "", 0, ["channels_first"], np.zeros(2)])
def test_only_two_words_declare_a_layout(layout: object) -> None:
    """Anything else is an error that spells both words, whatever its type."""
    with pytest.raises(
        ArgumentError,
        match=r"expected layout='channels_first' or 'channels_last', got .*: leave it out where "
        "the shape says which axis holds the channels",
    ):
        check_layout(layout)


@pytest.mark.parametrize("name", FULL_SCALE)
def test_pcm_is_divided_by_its_full_scale(name: str) -> None:
    """The extremes, the middle and their neighbours are value / full scale, in any byte order."""
    limits = np.iinfo(name)
    middle = 128 if name == "uint8" else 0
    values = [limits.min, limits.min + 1, middle - 1, middle, middle + 1, limits.max]
    array = np.array(values, name)
    expected = [np.float32((value - middle) / FULL_SCALE[name]) for value in values]
    assert to_float32(array).tolist() == expected
    assert to_float32(array.astype(array.dtype.newbyteorder())).tolist() == expected


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats_become_the_nearest_float32(dtype: type[np.floating[Any]]) -> None:
    """Floats are rounded and not scaled; what is beyond float32 becomes infinite."""
    values = np.array([0.1, -1 / 3, 1.0, 2.5, 6e-8, np.nan, np.inf, -np.inf], dtype)
    for order in (values.dtype, values.dtype.newbyteorder()):
        samples = to_float32(values.astype(order))
        assert samples.dtype == np.dtype("=f4")
        np.testing.assert_array_equal(samples, values.astype(np.float64).astype(np.float32))
    assert to_float32(np.array([1e39, -1e39])).tolist() == [np.inf, -np.inf]


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[::-1],
        lambda x: x[::2],
        lambda x: x[:, ::-1],
        lambda x: x.T,
        np.asfortranarray,
        lambda x: np.broadcast_to(x[:1], (7, 3)),
    ],
    ids=["reversed", "every second", "swapped", "transposed", "Fortran", "broadcast"],
)
def test_any_strides_give_a_new_contiguous_array(
    view: Callable[[NDArray[np.int16]], NDArray[np.int16]],
) -> None:
    """Views of any kind are copied, in the order in which they are seen."""
    array = view(np.arange(30, dtype=np.int16).reshape(10, 3))
    samples = to_float32(array)
    assert samples.flags.c_contiguous
    assert not np.shares_memory(samples, array)
    assert (samples * 32_768).tolist() == array.tolist()


def test_conversion_is_deaf_to_numpys_error_settings() -> None:
    """A user who makes numpy raise on every floating-point event meets no exception of ours."""
    signalling = np.array([0x7FF0000000000001], np.uint64).view(np.float64)
    with np.errstate(all="raise"):
        samples = to_float32(np.concatenate([np.array([1e-300, 1e300, 1e-42, np.nan]), signalling]))
    assert samples[:2].tolist() == [0.0, np.inf]
    assert np.isnan(samples[3:]).all()


def test_conversion_refuses_what_has_no_full_scale() -> None:
    """The array's own dtype is asked, so that no caller can forget to."""
    with pytest.raises(AudioTypeError, match="got int64, which has no agreed full scale"):
        to_float32(np.arange(3))


def test_bfloat16_is_the_upper_half_of_float32() -> None:
    """Numbers of at most 8 significant bits survive the way through bfloat16's bits."""
    numbers = np.array([0.0, -0.0, 1.0, -0.5, 0.0078125, 3.0e38, np.inf], np.float32)
    bits = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    widened = bfloat16_to_float32(bits)
    np.testing.assert_array_equal(widened[:5], numbers[:5])
    assert widened[6] == np.inf
    assert np.isnan(bfloat16_to_float32(np.array([0x7FC0], np.uint16))).all()


def test_frames_come_first_without_a_copy() -> None:
    """One sound is seen as (frames, channels), whichever axis held its channels."""
    mono, planar = np.zeros(5, np.float32), np.zeros((2, 5), np.float32)
    assert frames_first(mono, "channels_last").shape == (5, 1)
    assert frames_first(mono, "channels_first").shape == (5, 1)
    assert frames_first(planar.T, "channels_last").shape == (5, 2)
    assert frames_first(planar, "channels_first").shape == (5, 2)
    assert np.shares_memory(frames_first(planar, "channels_first"), planar)


def test_every_refusal_is_one_of_ours() -> None:
    """Shapes of every rank, with any layout, are taken or refused by name."""
    layouts: tuple[Layout | None, ...] = (None, "channels_first", "channels_last")
    for shape in [(), (0,), (3,), (3, 0), (9, 9), (2, 9), (9, 2), (1, 1, 9), (0, 0, 0, 0)]:
        for layout in layouts:
            try:
                resolve_layout(shape, layout)
            except EarmarkError as error:
                assert str(shape) in str(error)  # noqa: PT017 - not every combination is refused
