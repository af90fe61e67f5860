"""One tensor: its samples, unread, and what of a tensor holds none."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from earmark.convert import Allocate, Buffer, Wait, pageable
from earmark.errors import AudioTypeError
from earmark.samples import Layout, check_dtype
from earmark_integrations._cuda import check_not_capturing, copy_behind, pinned

_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _all_frames() -> None:
    """Nothing is padding, or it is cut off already."""


@dataclass(frozen=True, eq=False)
class TensorSource:
    """One sound in a tensor that nobody has read yet.

    Args:
        tensor: Detached; shape `(T,)`, or two-dimensional in `layout`; on any device.
        layout: Which axis holds the channels.
        sample_rate: In Hz, where the value carried it.
        num_frames: Says, after the copy, how many leading frames are no padding; `None` for all.
            It holds no tensor, so that it may outlive the source.
    """

    tensor: torch.Tensor
    layout: Layout
    sample_rate: int | None = None
    num_frames: Callable[[], int | None] = _all_frames

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape."""
        return tuple(self.tensor.shape)

    @property
    def dtype(self) -> str:
        """The dtype's name, for example `"bfloat16"`."""
        return dtype_name(self.tensor.dtype)

    @property
    def num_bytes(self) -> int:
        """The size of the samples, which an expanded tensor holds only once."""
        return self.tensor.numel() * self.tensor.element_size()

    @property
    def time_axis(self) -> int:
        """The axis that counts frames."""
        return self.tensor.ndim - 1 if self.layout == "channels_first" else 0

    def trimmed(self, frames: int) -> TensorSource:
        """Keep the leading frames: a view, since nothing is read before the copy."""
        return replace(self, tensor=self.tensor.narrow(self.time_axis, 0, frames))

    @property
    def allocate(self) -> Allocate:
        """Pinned memory for what comes from a CUDA device, which copies behind into no other."""
        return pinned(self.tensor.device) if self.tensor.is_cuda else pageable

    def copy_into(self, buffer: Buffer) -> Wait | None:
        """Copy the samples, contiguous, in their own dtype; from a CUDA device, behind."""
        return start_copy(self.tensor, buffer[: self.num_bytes])


@functools.cache
def dtype_name(dtype: torch.dtype) -> str:
    """Name a dtype as numpy does, for example `"int16"`."""
    return str(dtype).removeprefix("torch.")


def start_copy(tensor: torch.Tensor, buffer: Buffer) -> Wait | None:
    """Copy a tensor to this machine, without waiting for a CUDA device.

    Args:
        tensor: On any device.
        buffer: Of the tensor's size in bytes; pinned, for a tensor on a CUDA device.

    Returns:
        What to wait for before the buffer is read, or `None` if it holds the values already.
    """
    if tensor.is_cuda:
        return copy_behind(tensor, buffer)
    # As integers, since numpy has no bfloat16. numpy copies on this thread: torch shares it out,
    # and waits where the cores are busy.
    integers = tensor.cpu().resolve_neg().view(_INTEGERS[tensor.element_size()]).numpy()
    np.copyto(buffer.view(integers.dtype).reshape(integers.shape), integers)
    return None


def checked_tensor(value: Any) -> torch.Tensor:
    """Let go of the graph, and refuse what holds no samples that could be copied.

    Raises:
        AudioTypeError: If it is no dense tensor, or its dtype has no full scale.
        GraphCaptureError: If a CUDA graph is being captured.
    """
    if not isinstance(value, torch.Tensor):
        raise AudioTypeError(
            f"expected a tensor, got {type(value).__name__}: torch.as_tensor makes one of an "
            "array, and earmark.Audio takes everything else"
        )
    reason = obstacle(value)
    if reason is not None:
        raise AudioTypeError(f"expected a dense tensor of samples, got {reason}")
    check_dtype(dtype_name(value.dtype))
    check_not_capturing(value)
    return value.detach()


def obstacle(tensor: torch.Tensor) -> str | None:
    """Say what keeps a tensor's values from being copied, with the way out; `None` if nothing."""
    if tensor.is_nested:
        return "a nested one: pass its sounds as a list, tensor.unbind()"
    if tensor.is_meta:
        return "one on the meta device, which holds no values: move the model to a real device"
    if tensor.is_quantized:
        return "a quantized one: pass tensor.dequantize()"
    if tensor.layout != torch.strided:
        return f"one of layout {tensor.layout}: pass tensor.to_dense()"
    kinds = type(tensor).__mro__
    if any("__torch_dispatch__" in vars(kind) for kind in kinds[: kinds.index(torch.Tensor)]):
        return (
            f"a {type(tensor).__name__}, which wraps others: pass a plain tensor, such as "
            "full_tensor() of a DTensor or to_tensor(0) of a MaskedTensor"
        )
    return None
