"""Tensors on other devices: the lazy backend that every torch has, and CUDA where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from earmark import EarmarkError, EarmarkWarning, Run, convert, open_run
from earmark.captured import Captured
from earmark.draft import Draft
from earmark.memory import MIB, Memory
from earmark.notices import Notices
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


@needs_cuda
def test_what_is_written_into_a_cuda_tensor_later_is_not_heard(tmp_path: Path) -> None:
    """Neither in place nor by memory that is used again, however late the copy arrives."""
    sounds = noise((40, 4, 48_000), torch.float32)
    with Run(tmp_path, strict=True) as run:
        for step, sound in enumerate(sounds):
            batch = sound.cuda() * 1
            run.log_batch({"prediction": batch}, step=step, sample_rate=16_000)
            batch.fill_(1)
            del batch
            torch.full((4, 48_000), 0.5, device="cuda")

    heard_at = {(clip.step, int(clip.example)): clip.audio for clip in open_run(tmp_path).clips()}
    assert len(heard_at) == 160
    for (step, example), audio in heard_at.items():
        np.testing.assert_allclose(
            audio.samples[:, 0], sounds[step, example].numpy(), atol=2**-24, rtol=0
        )


@needs_cuda
def test_logging_waits_for_no_device() -> None:
    """Nothing synchronises: torch raises where something would."""
    batch, lengths = torch.zeros(4, 2, 48_000, device="cuda"), torch.full((4,), 100, device="cuda")
    memory = Memory(64 * MIB)
    for warm in (False, True):  # the first round makes pinned memory and the side stream
        draft = Draft(0, None, "", Notices(strict=True), memory)
        torch.cuda.set_sync_debug_mode("error" if warm else "default")
        try:
            draft.add_batch({"prediction": batch}, sample_rate=16_000, lengths=lengths)
            draft.add({"target": batch[0].mT}, sample_rate=16_000, layout="channels_last")
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert len(draft.entries) == 5
        draft.release()


@needs_cuda
def test_samples_arrive_in_pinned_memory_that_is_used_again() -> None:
    """Pinned buffers are warm the second time, and count as any others do."""
    memory, pointers = Memory(64 * MIB), list[int]()
    for _ in range(2):
        draft = Draft(0, None, "", Notices(strict=True), memory)
        draft.add_batch({"prediction": torch.zeros(4, 4800, device="cuda")}, sample_rate=16_000)
        sound = draft.entries[0].sound
        assert isinstance(sound, Captured)
        assert torch.from_numpy(sound.buffer).is_pinned()
        assert memory.in_use >= 4 * 4800 * 4
        pointers.append(sound.buffer.ctypes.data)
        assert sound.to_audio().num_frames == 4800
        draft.release()

    assert pointers[0] == pointers[1]
    assert memory.in_use == 0


@needs_cuda
def test_while_a_graph_is_captured_nothing_is_logged(tmp_path: Path) -> None:
    """One message says so, the graph is sound, and what it returns is logged after its replay."""
    given = torch.full((1600,), 0.25, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with Run(tmp_path) as run:
        message = "log what the graph returns, after its replay"
        with torch.cuda.graph(graph):
            result = given * 2
            with pytest.warns(EarmarkWarning, match=message):
                run.log({"prediction": result}, step=0, sample_rate=16_000)
            run.log({"prediction": result}, step=1, sample_rate=16_000)  # a warning would raise
        graph.replay()
        run.log({"prediction": result}, step=9, sample_rate=16_000)
        result.zero_()

    (clip,) = open_run(tmp_path).clips()
    assert clip.step == 9
    assert set(clip.audio.samples[:, 0]) == {0.5}
