"""One sound keeps neither its batch nor its graph, and leaves the caller's tensor alone."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from earmark import EarmarkError, convert
from earmark_integrations._tensor import TensorSource
from earmark_integrations.torch import source, sources, to_audio, to_audios, to_stems
from tests.integrations.test_torch import noise

CLIP_BYTES = 48_000 * 4


def tracked_batch() -> tuple[torch.Tensor, Callable[[], bool]]:
    """A batch (16, 1, 48000) whose memory is numpy's, and whether anyone still holds it."""
    owner = np.ones((16, 1, 48_000), np.float32)
    alive = weakref.ref(owner)
    return torch.from_numpy(owner), lambda: gc.collect() >= 0 and alive() is not None


SINGLE: dict[str, Callable[[torch.Tensor], Any]] = {
    "to_audio": lambda batch: to_audio(batch[3], 16_000),
    "to_audios": lambda batch: to_audios(batch, 16_000)[3],
    "to_audios with lengths": lambda batch: to_audios(batch, 16_000, lengths=[1.0] * 16)[3],
    "to_stems": lambda batch: to_stems(batch[:, None], 16_000, ["only"])[3],
}


@pytest.mark.parametrize("make", SINGLE.values(), ids=list(SINGLE))
def test_one_clip_does_not_keep_its_batch(make: Callable[[torch.Tensor], Any]) -> None:
    """Of a batch of 3 MB, one clip keeps its own 192 kB."""
    make(tracked_batch()[0])  # what a first call imports and caches is no clip's memory
    # Threads that other tests left behind allocate now and then.
    kept = min(kept_by(make) for _ in range(3))
    assert CLIP_BYTES <= kept < 1.05 * CLIP_BYTES


def kept_by(make: Callable[[torch.Tensor], Any]) -> int:
    """How many bytes more there are once a clip is made, and its batch let go of."""
    batch, alive = tracked_batch()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        clip = make(batch)
        del batch
        assert not alive()
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    del clip
    return kept


def test_padding_cut_off_behind_is_not_kept() -> None:
    """A clip trimmed after its copy keeps what was asked for, not the padding."""
    found = TensorSource(torch.zeros(48_000), "channels_first", num_frames=lambda: 100)
    samples = convert.read(found)
    assert samples.base is None
    assert samples.nbytes == 400


def test_what_outlives_a_source_holds_no_tensor() -> None:
    """`num_frames`, which is asked after the copy, does not keep the batch."""
    batch, alive = tracked_batch()
    found = sources(batch, lengths=[1000] * 16)[3]
    assert not isinstance(found, EarmarkError)
    num_frames = found.num_frames
    del batch, found
    assert not alive()
    assert num_frames() is None


def test_errors_do_not_keep_the_batch() -> None:
    """An error in the place of a sound may be kept for long; it holds no tensor."""
    batch, alive = tracked_batch()
    errors = sources(batch, lengths=[0] * 16) + sources([batch])
    del batch
    assert len(errors) == 17
    assert all(isinstance(error, EarmarkError) for error in errors)
    assert not alive()


def test_a_source_does_not_keep_the_graph() -> None:
    """A source is detached: what the graph saved for backward is let go of with it."""
    owner = np.ones(500, np.float32)
    alive = weakref.ref(owner)
    leaf = torch.from_numpy(owner).requires_grad_()
    output = leaf * leaf
    found = source(output)
    audio = to_audio(output, 16_000)
    assert output.grad_fn is not None
    del owner, leaf, output
    gc.collect()
    assert alive() is None
    np.testing.assert_array_equal(convert.read(found), audio.samples)


def test_the_callers_tensor_stays_as_it_was() -> None:
    """Making sounds writes nothing, and takes no gradient away."""
    batch = noise((4, 2, 500), torch.float32).requires_grad_() * 2
    before, version = batch.detach().clone(), batch._version
    to_audios(batch, 16_000, lengths=[1, 2, 0.5, 500])
    assert torch.equal(batch, before)
    assert batch._version == version
    assert batch.requires_grad
    assert batch.grad_fn is not None


def test_a_sound_does_not_follow_the_callers_tensor() -> None:
    """Training goes on in place; the sound stays what it was."""
    batch = torch.ones(2, 1, 500)
    [first, _] = to_audios(batch, 16_000)
    batch.zero_()
    assert (first.samples == 1).all()
