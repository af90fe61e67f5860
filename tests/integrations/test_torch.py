"""One tensor, one sound: every dtype, layout and kind of tensor, against plain arithmetic."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from earmark import Audio
from earmark.errors import AudioTypeError, EarmarkError, SampleRateError, ShapeError
from earmark.samples import Layout
from earmark_integrations.torch import source, to_audio

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
PCM = [torch.int8, torch.uint8, torch.int16, torch.int32]
NO_SAMPLES = [torch.bool, torch.int64, torch.complex64, torch.float8_e4m3fn]


def noise(shape: tuple[int, ...], dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    """Random samples over the whole range of a PCM dtype, beyond full scale for floats."""
    generator = torch.Generator().manual_seed(seed)
    if dtype in PCM:
        info = torch.iinfo(dtype)
        return torch.randint(info.min, info.max + 1, shape, generator=generator).to(dtype)
    return (2 * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)


def heard(tensor: torch.Tensor) -> NDArray[np.float32]:
    """The nearest float32 to each sample over its full scale, by float64 arithmetic."""
    values = tensor.detach().to(torch.float64)
    if tensor.dtype == torch.uint8:
        values = (values - 128) / 128
    elif tensor.dtype in PCM:
        values = values / -float(torch.iinfo(tensor.dtype).min)
    return values.to(torch.float32).numpy()


def raises(error: type[EarmarkError], message: str) -> pytest.RaisesExc[EarmarkError]:
    """Expect an error with exactly this message."""
    return pytest.raises(error, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("dtype", FLOATS + PCM, ids=str)
@pytest.mark.parametrize("shape", [(500,), (1, 500), (2, 500), (32, 500)])
def test_samples_are_exact_in_every_dtype(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Each sample is the nearest float32 of value over full scale; channels come last."""
    tensor = noise(shape, dtype)
    audio = to_audio(tensor, 16_000)
    np.testing.assert_array_equal(audio.samples, heard(tensor).reshape(-1, 500).T)


@pytest.mark.parametrize("dtype", FLOATS + PCM, ids=str)
def test_channels_last_is_taken_when_declared(dtype: torch.dtype) -> None:
    """A tensor of shape (T, C) is the sound of its transpose once the layout is declared."""
    tensor = noise((500, 2), dtype)
    audio = to_audio(tensor, 16_000, layout="channels_last")
    np.testing.assert_array_equal(audio.samples, heard(tensor))


def test_a_declared_layout_holds_for_the_shortest_sound() -> None:
    """Two channels of one frame, which no shape rule could tell, are what they are declared as."""
    audio = to_audio(torch.tensor([[0.25], [0.5]]), 16_000, layout="channels_first")
    assert audio.samples.tolist() == [[0.25, 0.5]]


def test_mono_is_one_sound_in_all_its_shapes() -> None:
    """Shapes (T,), (1, T) and (T, 1) are equal sounds."""
    mono = noise((500,), torch.float32)
    assert to_audio(mono, 8_000) == to_audio(mono[None], 8_000) == to_audio(mono[:, None], 8_000)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_every_half_precision_number_is_exact(dtype: torch.dtype) -> None:
    """All 65,536 bit patterns become the float32 that torch makes of them, NaNs included."""
    tensor = torch.arange(-(2**15), 2**15).to(torch.int16).view(dtype)
    audio = to_audio(tensor, 16_000)
    np.testing.assert_array_equal(audio.samples[:, 0], tensor.to(torch.float32).numpy())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_outputs_are_exact(dtype: torch.dtype) -> None:
    """What a layer returns under autocast is heard as torch itself widens it."""
    layer = torch.nn.Conv1d(1, 2, 9, padding=4)
    with torch.autocast("cpu", dtype=dtype):
        output = layer(noise((1, 1, 4000), torch.float32))
    assert output.dtype == dtype
    audio = to_audio(output[0], 16_000)
    np.testing.assert_array_equal(audio.samples.T, output[0].detach().to(torch.float32).numpy())


def inference_made() -> torch.Tensor:
    """A tensor that no in-place operation may touch outside of inference mode."""
    with torch.inference_mode():
        return noise((2, 500), torch.float32)


def negated_view() -> torch.Tensor:
    """A real tensor whose sign torch has not applied yet."""
    view = noise((2, 500), torch.float32).to(torch.complex64).mul(1j).conj().imag
    assert view.is_neg()
    return view


class Waveform(torch.Tensor):
    """A subclass as libraries make them, to carry more than samples."""


UNUSUAL = {
    "requires_grad": lambda: noise((2, 500), torch.float32).requires_grad_(),
    "graph": lambda: noise((2, 500), torch.float32).requires_grad_() * 2,
    "parameter": lambda: torch.nn.Parameter(noise((2, 500), torch.float32)),
    "subclass": lambda: noise((2, 500), torch.float32).as_subclass(Waveform),
    "inference": inference_made,
    "transposed": lambda: noise((500, 2), torch.float32).T,
    "stepped": lambda: noise((4, 1000), torch.float32)[::2, ::2],
    "offset": lambda: noise((1001,), torch.int16)[1:],
    "expanded": lambda: noise((1, 500), torch.float32).expand(2, 500),
    "negated": negated_view,
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_every_kind_of_dense_tensor_is_taken(kind: str) -> None:
    """Gradients, strides, modes, lazy signs and subclasses change nothing about the samples."""
    tensor = UNUSUAL[kind]()
    rows = heard(tensor).reshape(-1, tensor.shape[-1])
    np.testing.assert_array_equal(to_audio(tensor, 16_000).samples, rows.T)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_modes_around_the_call_change_nothing(mode: Any) -> None:
    """A sound is the same within no_grad, inference_mode and enable_grad."""
    tensor = noise((2, 500), torch.float32).requires_grad_()
    with mode():
        audio = to_audio(tensor, 16_000)
    np.testing.assert_array_equal(audio.samples, heard(tensor).T)


def test_a_default_device_changes_nothing() -> None:
    """Under `torch.device("meta")`, where new tensors hold no values, samples still arrive."""
    tensor = noise((2, 500), torch.float32)
    with torch.device("meta"):
        audio = to_audio(tensor, 16_000)
    np.testing.assert_array_equal(audio.samples, heard(tensor).T)


def test_audio_takes_tensors_itself() -> None:
    """`earmark.Audio` and `to_audio` make equal sounds of a tensor."""
    tensor = noise((2, 500), torch.bfloat16)
    assert Audio(tensor, 16_000, "a") == to_audio(tensor, 16_000, "a")


@pytest.mark.parametrize("rate", [22_050, 22_050.0, torch.tensor(22_050), np.int32(22_050)])
def test_pairs_carry_their_rate(rate: Any) -> None:
    """A (waveform, sample_rate) pair needs no other rate, whatever type its own has."""
    audio = to_audio((torch.zeros(1, 500), rate), caption="silence")
    assert (audio.sample_rate, audio.num_frames, audio.caption) == (22_050, 500, "silence")


def test_a_contradicting_rate_is_refused() -> None:
    """A rate beside a pair must be the pair's own."""
    message = (
        "expected the sample rate that the sound itself has, 8000 Hz, got 16000 Hz: leave "
        "sample_rate out, or resample the sound first"
    )
    with raises(SampleRateError, message):
        to_audio((torch.zeros(1, 500), 8_000), 16_000)


def test_a_missing_rate_is_refused() -> None:
    """No rate is ever guessed."""
    with pytest.raises(SampleRateError, match="got none: pass sample_rate=16000"):
        to_audio(torch.zeros(500))


PCM_OR_FLOATS = "expected float samples, or PCM of int8, uint8, int16, int32, got"


@pytest.mark.parametrize(
    ("dtype", "way_out"),
    [
        (torch.int64, "or decode= them if these are codes"),
        (torch.complex64, "a spectrum is no waveform, decode= it (an inverse STFT)"),
        (torch.bool, "convert it to floats in [-1, 1]"),
        (torch.float8_e4m3fn, "convert it to floats in [-1, 1]"),
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(500,), (2, 500), (4, 8, 50), (1, 2, 3, 4)])
def test_dtypes_without_a_full_scale_are_refused(
    shape: tuple[int, ...], dtype: torch.dtype, way_out: str
) -> None:
    """Codes, spectra, masks and float8 are recognised by their dtype, whatever their shape."""
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(
        AudioTypeError, match=f"^{re.escape(f'{PCM_OR_FLOATS} {name}')}.*{re.escape(way_out)}$"
    ):
        to_audio(torch.zeros(shape).to(dtype), 16_000)


@pytest.mark.parametrize("shape", [(1, 2, 500), (80, 1, 400), (1, 1, 513, 40), (1, 1, 513, 40, 2)])
def test_more_than_two_axes_are_refused(shape: tuple[int, ...]) -> None:
    """A batch, and a spectrogram with or without real and imaginary parts, is not one sound."""
    message = (
        f"expected one sound of shape (T,) or (C, T), got shape {shape}: pick one sound, or log a "
        "batch with log_batch or to_audios; decode= a spectrogram or latent first"
    )
    with raises(ShapeError, message):
        to_audio(torch.zeros(shape), 16_000)


@pytest.mark.parametrize("shape", [(80, 400), (33, 16_000), (500, 2), (2, 2), (500, 500)])
def test_too_many_channels_are_refused(shape: tuple[int, ...]) -> None:
    """A mel, a transposed sound or a square is named, never played or transposed by a guess."""
    message = (
        f"expected one sound of shape (T,) or (C, T), got shape {shape}, which would be "
        f"{shape[0]} channels of {shape[1]} frames: if it is meant so, pass "
        "layout='channels_first'; if it is transposed, pass layout='channels_last'; if it is a "
        "mel, a spectrogram or a latent, decode= it first"
    )
    with raises(ShapeError, message):
        to_audio(torch.zeros(shape), 16_000)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 500)])
def test_empty_sounds_are_refused(shape: tuple[int, ...]) -> None:
    """A sound without frames, or without channels, is an error."""
    message = (
        f"expected one sound of shape (T,) or (C, T), got shape {shape}, which holds no frames: "
        "skip empty sounds"
    )
    with raises(ShapeError, message):
        to_audio(torch.zeros(shape), 16_000)


def test_a_single_number_is_refused() -> None:
    """A tensor without axes is no sound."""
    message = (
        "expected one sound of shape (T,) or (C, T), got shape (): a single number is no sound"
    )
    with raises(ShapeError, message):
        to_audio(torch.tensor(0.5), 16_000)


def test_what_is_no_tensor_is_refused() -> None:
    """The converter says what else to do with another value."""
    message = (
        "expected a tensor, got UntypedStorage: torch.as_tensor makes one of an array, and "
        "earmark.Audio takes everything else"
    )
    with raises(AudioTypeError, message):
        Audio(torch.zeros(5).untyped_storage(), 16_000)


@st.composite
def tensors(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """A tensor of up to four axes, stepped through or transposed, and the one it is a view of."""
    shape = draw(st.lists(st.integers(0, 70), max_size=4))
    step = draw(st.integers(1, 3))
    dtype = draw(st.sampled_from(FLOATS + PCM + NO_SAMPLES))
    whole = noise(tuple(size * step for size in shape), dtype, draw(st.integers(0, 2**16)))
    view = whole[tuple(slice(None, None, step) for _ in shape)]
    axes = tuple(range(view.ndim))
    return view.permute(draw(st.sampled_from([axes, axes[::-1]]))), whole


@settings(deadline=None)
@given(tensors(), st.sampled_from([None, "channels_first", "channels_last"]))
def test_any_tensor_is_exact_or_refused(
    pair: tuple[torch.Tensor, torch.Tensor], layout: Layout | None
) -> None:
    """Whatever comes: the exact samples, or our error naming shape or dtype; never a change."""
    tensor, whole = pair
    before, shape = whole.clone(), tuple(tensor.shape)
    if is_sound(shape, tensor.dtype, layout):
        samples = to_audio(tensor, 16_000, layout=layout).samples
        expected = heard(tensor) if tensor.ndim == 2 else heard(tensor)[:, None]
        turned = tensor.ndim == 2 and is_channels_first(shape, layout)
        np.testing.assert_array_equal(samples, expected.T if turned else expected)
    else:
        names = f"{re.escape(str(shape))}|{str(tensor.dtype).removeprefix('torch.')}"
        with pytest.raises(EarmarkError, match=names):
            to_audio(tensor, 16_000, layout=layout)
    assert torch.equal(whole.flatten().view(torch.uint8), before.flatten().view(torch.uint8))


def is_channels_first(shape: tuple[int, ...], layout: Layout | None) -> bool:
    """Which axis holds the channels of a two-dimensional sound, as the design says it."""
    if layout is None:
        return shape[0] == 1 or shape[1] != 1
    return layout == "channels_first"


def is_sound(shape: tuple[int, ...], dtype: torch.dtype, layout: Layout | None) -> bool:
    """Whether the design takes it for one sound."""
    if dtype in NO_SAMPLES or len(shape) not in (1, 2) or math.prod(shape) == 0:
        return False
    if len(shape) == 1 or layout is not None or 1 in shape:
        return True
    return shape[0] <= 32 and shape[0] < shape[1]


def test_a_source_reads_nothing() -> None:
    """Eight terabytes of samples, one number expanded, are described without being read."""
    found = source(torch.zeros(1).expand(2, 10**12))
    assert (found.shape, found.dtype, found.layout) == ((2, 10**12), "float32", "channels_first")
    assert found.num_bytes == 8 * 10**12
