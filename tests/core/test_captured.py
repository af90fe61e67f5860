from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from earmark import Audio
from earmark.captured import Captured
from earmark.draft import Draft
from earmark.memory import MIB, Memory
from earmark.notices import Notices

NOISE = np.random.default_rng(0).uniform(-0.9, 0.9, (4, 2000)).astype(np.float32)
BATCHES: dict[str, Any] = {
    "array": NOISE,
    "int16": (NOISE * 2**15).astype(np.int16),
    "stereo": NOISE.reshape(4, 1000, 2),
    "strided": NOISE[:, ::-2],
    "tensor": torch.from_numpy(NOISE),
    "stereo tensor": torch.from_numpy(NOISE).reshape(4, 1000, 2).mT,
    "bfloat16": torch.from_numpy(NOISE).bfloat16(),
    "expanded": torch.from_numpy(NOISE[:1]).expand(4, 2000),
}


def draft(memory: Memory, *, strict: bool = True) -> Draft:
    """An empty draft whose sounds are copied into some memory."""
    return Draft(7, None, "val", Notices(strict=strict), memory)


def audio_of(sound: Captured | Audio) -> Audio:
    """The sound of an entry, which was copied."""
    assert isinstance(sound, Captured)
    return sound.to_audio()


@pytest.mark.parametrize("batch", BATCHES.values(), ids=list(BATCHES))
def test_sounds_of_a_batch_share_memory_and_sound_as_alone(batch: Any) -> None:
    """One buffer of the batch's size holds all, and each comes out as it does by itself."""
    memory = Memory(MIB)
    taken = draft(memory)
    taken.add_batch({"prediction": batch}, sample_rate=16_000)

    sounds = [entry.sound for entry in taken.entries]
    assert len({sound.loan for sound in sounds if isinstance(sound, Captured)}) == 1
    for sound, alone in zip(sounds, batch, strict=True):
        np.testing.assert_array_equal(audio_of(sound).samples, Audio(alone, 16_000).samples)
    taken.release()
    assert memory.in_use == 0


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))][::5])
def test_memory_comes_back_with_the_last_sound(order: tuple[int, ...]) -> None:
    """Whichever sounds of a batch are published first, the last one gives the memory back."""
    memory = Memory(MIB)
    taken = draft(memory)
    taken.add_batch({"prediction": NOISE}, sample_rate=16_000)
    in_use = []
    for position in order:
        taken.give_back(taken.entries[position])
        in_use.append(memory.in_use > 0)

    assert in_use == [True, True, True, False]


def test_sounds_that_are_not_added_hold_no_memory() -> None:
    """A batch of which every caption is refused leaves nothing behind."""
    memory = Memory(MIB)
    taken = draft(memory, strict=False)
    captions: list[Any] = [1, 2, 3, 4]
    with pytest.warns(match="expected the caption as text"):
        taken.add_batch({"prediction": NOISE}, sample_rate=16_000, captions=captions)

    assert taken.entries == []
    assert memory.in_use == 0


@pytest.mark.parametrize("as_tensor", [False, True])
def test_padding_takes_no_room(as_tensor: bool) -> None:
    """Of a batch with lengths on this machine only what is sound is copied."""
    memory = Memory(MIB)
    taken = draft(memory)
    batch = torch.from_numpy(NOISE) if as_tensor else NOISE
    taken.add_batch({"prediction": batch}, sample_rate=16_000, lengths=[10, 20, 30, 40])

    assert [audio_of(entry.sound).num_frames for entry in taken.entries] == [10, 20, 30, 40]
    assert memory.in_use <= 4 * 4096


def test_what_is_not_picked_takes_no_room() -> None:
    """Two sounds of a batch cost the memory of two."""
    memory = Memory(MIB)
    taken = draft(memory)
    taken.add_batch({"prediction": NOISE}, sample_rate=16_000, picked=[1, 3])

    assert memory.in_use <= 2 * 1.125 * NOISE[0].nbytes
    for entry, position in zip(taken.entries, (1, 3), strict=True):
        np.testing.assert_array_equal(audio_of(entry.sound).samples[:, 0], NOISE[position])


def test_a_batch_above_the_bound_is_copied_sound_by_sound() -> None:
    """What there is room for is taken, and no more room than there is."""
    memory = Memory(2 * NOISE[0].nbytes + 4096)
    taken = draft(memory, strict=False)
    with pytest.warns(match="expected room for 0.0 MiB more"):
        taken.add_batch({"prediction": NOISE}, sample_rate=16_000)

    assert [entry.example for entry in taken.entries] == ["0", "1"]
    assert memory.in_use <= memory.limit


def test_a_copy_that_fails_keeps_no_memory() -> None:
    """A device that fails in the middle of a batch costs the batch, and no room."""

    class Failing(torch.Tensor):
        def cpu(self, *_: Any, **__: Any) -> torch.Tensor:
            raise RuntimeError("out of reach")

    memory = Memory(MIB)
    taken = draft(memory, strict=False)
    failing = torch.from_numpy(NOISE).as_subclass(Failing)
    with pytest.warns(match="out of reach"):
        taken.add_batch({"prediction": failing}, sample_rate=16_000)

    assert taken.entries == []
    assert memory.in_use == 0
