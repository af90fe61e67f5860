"""CUDA: samples leave the device behind the training thread, which waits for nothing.

current stream ---> a copy on the device ---> training goes on
                        \
side stream              ---> pinned memory ---> an event, which the background waits for
"""

from __future__ import annotations

import functools

import torch

from earmark.convert import Allocate, Buffer, Wait
from earmark.errors import GraphCaptureError


@functools.cache
def pinned(device: torch.device) -> Allocate:  # noqa: ARG001  # one function for each
    """What makes memory that a CUDA device copies into by itself.

    Each device has its own, so that copies into a buffer that is used again are in one stream's
    order, though nobody has waited for the first.
    """

    def allocate(num_bytes: int) -> Buffer:
        """Make a buffer; the array keeps the tensor, and so the memory."""
        return torch.empty(num_bytes, dtype=torch.uint8, device="cpu", pin_memory=True).numpy()

    return allocate


def copy_behind(tensor: torch.Tensor, buffer: Buffer) -> Wait:
    """Queue a copy from a CUDA device; nothing here waits for the device.

    Args:
        tensor: On a CUDA device, in any strides.
        buffer: Pinned, of the tensor's size in bytes.

    Returns:
        What to wait for before the buffer is read.
    """
    target = torch.from_numpy(buffer).view(tensor.dtype).view(tensor.shape)
    # A copy on the device first, which is quick: what is written into the tensor next, in place or
    # by the replay of a graph, must not be heard.
    kept = tensor.clone(memory_format=torch.contiguous_format)
    side = _side_stream(tensor.device)
    side.wait_stream(torch.cuda.current_stream(tensor.device))
    with torch.cuda.stream(side):
        target.copy_(kept, non_blocking=True)
    kept.record_stream(side)  # its memory may be used again once the side stream is done with it
    done = torch.cuda.Event(blocking=True)  # waiting sleeps: a spin would take a core from training
    done.record(side)
    return done.synchronize


def check_not_capturing(tensor: torch.Tensor) -> None:
    """Refuse to copy while a CUDA graph is captured: the copy would become a part of the graph.

    Raises:
        GraphCaptureError: If one is being captured on the current stream.
    """
    if tensor.is_cuda and torch.cuda.is_current_stream_capturing():
        raise GraphCaptureError(
            "expected to log outside of a CUDA graph, got a call while one is being captured: log "
            "what the graph returns, after its replay"
        )


@functools.cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)
