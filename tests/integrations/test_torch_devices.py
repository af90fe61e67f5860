"""Tensors on other devices: the lazy backend that every torch has, and CUDA where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from earmark import EarmarkError, convert
from earmark_integrations.torch import sources, to_audio, to_audios
from tests.integrations.test_torch import FLOATS, PCM, heard, noise

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.fixture(scope="module")
def lazy() -> str:
    """A second device, which computes on this machine's processor."""
    backend = pytest.importorskip(
        "torch._lazy.ts_backend", reason="this torch was built without the lazy backend"
    )
    backend.init()
    return "lazy"


@pytest.fixture(params=["lazy", pytest.param("cuda", marks=needs_cuda)])
def device(request: pytest.FixtureRequest) -> str:
    """A device other than the processor."""
    if request.param == "lazy":
        request.getfixturevalue("lazy")
    return str(request.param)


@pytest.mark.parametrize("dtype", FLOATS + PCM, ids=str)
def test_samples_arrive_from_a_device(device: str, dtype: torch.dtype) -> None:
    """Wherever a tensor is, its samples arrive exact."""
    tensor = noise((2, 500), dtype)
    np.testing.assert_array_equal(to_audio(tensor.to(device), 16_000).samples, heard(tensor).T)


@pytest.mark.parametrize("relative", [False, True])
def test_lengths_on_a_device_are_read_behind(device: str, relative: bool) -> None:
    """A source of lengths on a device is whole; how much of it is sound is known after the copy."""
    batch = noise((3, 2, 500), torch.float32).to(device)
    lengths = torch.tensor([0.2, 0.5, 1.0] if relative else [100, 250, 500], device=device)
    found = [one for one in sources(batch, lengths=lengths) if not isinstance(one, EarmarkError)]
    assert [one.shape for one in found] == [(2, 500)] * 3
    assert [len(convert.read(one)) for one in found] == [100, 250, 500]
    assert [one.num_frames() for one in found] == [100, 250, 500]


def test_lengths_on_a_device_count_hops(device: str) -> None:
    """A hop counts for lengths on a device as for those on the host."""
    lengths = torch.tensor([1, 2], device=device)
    audios = to_audios(torch.zeros(2, 1000), 16_000, lengths=lengths, hop_length=256)
    assert [audio.num_frames for audio in audios] == [256, 512]


def test_single_lengths_on_a_device_travel_together(device: str) -> None:
    """A list of numbers on a device, as some models return it, is as good as one tensor."""
    lengths = [torch.tensor(100, device=device), torch.tensor(250, device=device)]
    audios = to_audios(torch.zeros(2, 500), 16_000, lengths=lengths)
    assert [audio.num_frames for audio in audios] == [100, 250]


def test_a_bad_length_on_a_device_is_found_behind(device: str) -> None:
    """A length that leaves no sound is an error once it is known, and costs that sound."""
    lengths = torch.tensor([0, 250], device=device)
    first, second = sources(torch.zeros(2, 500), lengths=lengths)
    assert not isinstance(first, EarmarkError)
    assert not isinstance(second, EarmarkError)
    with pytest.raises(EarmarkError, match="expected a positive length in samples, got 0"):
        first.num_frames()
    assert second.num_frames() == 250


@needs_cuda
def test_a_copy_from_cuda_is_queued() -> None:
    """`copy_into` returns something to wait for, after which the buffer holds the samples."""
    tensor = noise((2, 500), torch.float32)
    found = convert.source(tensor.cuda() * 2)
    buffer = np.empty(found.num_bytes, np.uint8)
    wait = found.copy_into(buffer)
    assert wait is not None
    wait()
    np.testing.assert_array_equal(buffer.view(np.float32).reshape(2, 500), (tensor * 2).numpy())
