"""The source that core copies from, and the tensors that hold no samples."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from earmark import convert
from earmark.errors import AudioTypeError
from earmark_integrations._tensor import TensorSource
from earmark_integrations.torch import source, to_audio


def test_a_source_fills_the_front_of_a_larger_buffer() -> None:
    """A warm buffer may be larger than the sound: what lies behind stays as it was."""
    found = source(torch.tensor([1, -2, 3], dtype=torch.int16))
    buffer = np.full(8, 7, np.uint8)
    assert found.copy_into(buffer) is None
    assert buffer[:6].view(np.int16).tolist() == [1, -2, 3]
    assert buffer[6:].tolist() == [7, 7]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int16, torch.float64])
def test_a_source_copies_the_bits_of_its_own_dtype(dtype: torch.dtype) -> None:
    """The buffer holds the samples contiguous, bit by bit as the tensor held them."""
    tensor = torch.linspace(-100, 100, 500).to(dtype).reshape(250, 2).T
    found = source(tensor)
    buffer = np.empty(found.num_bytes, np.uint8)
    found.copy_into(buffer)
    bits = tensor.contiguous().view(torch.uint8).flatten().numpy()
    np.testing.assert_array_equal(buffer, bits)


def test_core_finds_the_source_of_a_tensor() -> None:
    """`earmark.convert` leads from a tensor's type to its source."""
    found: convert.Source = convert.source(torch.zeros(2, 500, dtype=torch.bfloat16))
    assert isinstance(found, TensorSource)
    assert (found.shape, found.dtype, found.num_bytes) == ((2, 500), "bfloat16", 2000)
    assert found.sample_rate is None
    assert found.num_frames() is None


@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_lengths_known_behind_cut_off_the_padding(layout: str) -> None:
    """What `num_frames` says after the copy is the length of the sound that is read."""
    stereo = torch.arange(12, dtype=torch.float32).reshape(2, 6)
    first = TensorSource(stereo, "channels_first", num_frames=lambda: 4)
    last = TensorSource(stereo.T, "channels_last", num_frames=lambda: 4)
    samples = convert.read(first if layout == "channels_first" else last)
    assert samples.T.tolist() == stereo[:, :4].tolist()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged], ids=str)
def test_nested_tensors_are_refused(layout: torch.layout) -> None:
    """The way out of a nested tensor is a list of sounds."""
    nested = torch.nested.nested_tensor([torch.zeros(5), torch.zeros(7)], layout=layout)
    with pytest.raises(
        AudioTypeError,
        match=r"^expected a dense tensor of samples, got a nested one: pass its sounds as a list, "
        r"tensor\.unbind\(\)$",
    ):
        to_audio(nested, 16_000)


def test_meta_tensors_are_refused() -> None:
    """A tensor without values is no sound."""
    with pytest.raises(
        AudioTypeError,
        match=r"^expected a dense tensor of samples, got one on the meta device, which holds no "
        r"values: move the model to a real device$",
    ):
        to_audio(torch.zeros(500, device="meta"), 16_000)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantized_tensors_are_refused() -> None:
    """The way out of a quantized tensor is a float one."""
    quantized = torch.quantize_per_tensor(torch.zeros(500), 0.1, 0, torch.qint8)
    with pytest.raises(
        AudioTypeError,
        match=r"^expected a dense tensor of samples, got a quantized one: pass "
        r"tensor\.dequantize\(\)$",
    ):
        to_audio(quantized, 16_000)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr], ids=str)
def test_sparse_tensors_are_refused(layout: torch.layout) -> None:
    """The way out of a sparse tensor is a dense one."""
    message = f"expected a dense tensor of samples, got one of layout {layout}: pass"
    sparse = torch.eye(5).to_sparse(layout=layout)
    with pytest.raises(AudioTypeError, match=rf"^{re.escape(message)} tensor\.to_dense\(\)$"):
        to_audio(sparse, 16_000)


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors")
def test_wrapped_tensors_are_refused() -> None:
    """A tensor that stands for others, as a masked or distributed one does, must be unwrapped."""
    masked = torch.masked.masked_tensor(torch.zeros(500), torch.ones(500, dtype=torch.bool))
    with pytest.raises(
        AudioTypeError,
        match=r"^expected a dense tensor of samples, got a MaskedTensor, which wraps others: pass "
        r"a plain tensor, such as full_tensor\(\) of a DTensor or to_tensor\(0\) of a "
        r"MaskedTensor$",
    ):
        to_audio(masked, 16_000)
