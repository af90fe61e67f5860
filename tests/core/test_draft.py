from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from earmark import Audio
from earmark.captured import Captured
from earmark.draft import Draft
from earmark.errors import EarmarkError
from earmark.memory import MIB, Memory
from earmark.notices import Notices
from earmark.samples import Samples
from earmark.testing import noise, sine


def draft(**rest: Any) -> Draft:
    """An empty draft that raises what it cannot take in."""
    return Draft(7, None, "val", Notices(strict=True), Memory(MIB), **rest)


def heard(taken: Draft) -> dict[tuple[str, str], Samples]:
    """The samples of every entry, by example and role."""
    return {(entry.example, entry.role): audio_of(entry.sound).samples for entry in taken.entries}


def audio_of(sound: Captured | Audio) -> Audio:
    """The sound of an entry."""
    return sound if isinstance(sound, Audio) else sound.to_audio()


BATCH = np.stack([noise(seed=seed)[:, 0] for seed in range(3)])


@pytest.mark.parametrize(
    "sound",
    [
        noise(num_channels=2),
        noise(num_channels=2)[::-1].astype(">f8"),
        np.asfortranarray(noise(num_channels=2)),
        (noise(num_channels=2) * 2**15).astype(np.int16),
        torch.from_numpy(noise(num_channels=2)).mT,
        torch.from_numpy(noise(num_channels=2)).mT.to(torch.bfloat16),
        (torch.from_numpy(noise()[:, 0]), 16_000),
        noise()[:, 0].tolist(),
        Audio(noise(), 16_000),
    ],
    ids=["array", "strided", "columns", "int16", "tensor", "bfloat16", "pair", "list", "Audio"],
)
def test_a_sound_is_heard_as_it_was_given(sound: Any) -> None:
    """Whatever comes along sounds as `Audio` of the same value does."""
    taken = draft()
    taken.add({"prediction": sound}, sample_rate=16_000, example="a")

    np.testing.assert_array_equal(heard(taken)["a", "prediction"], Audio(sound, 16_000).samples)


@pytest.mark.parametrize("as_tensor", [False, True], ids=["array", "tensor"])
def test_what_happens_to_a_sound_later_is_not_heard(as_tensor: bool) -> None:
    """Samples are copied before the call returns: training may write over them at once."""
    array = noise()[:, 0]
    sound = torch.from_numpy(array) if as_tensor else array
    taken = draft()
    taken.add({"prediction": sound}, sample_rate=16_000, example="a")
    taken.add_batch({"prediction": sound[None]}, sample_rate=16_000, examples=["b"])
    sound[:] = 9

    for samples in heard(taken).values():
        np.testing.assert_array_equal(samples, noise())


def test_what_happens_to_metrics_later_does_not_count() -> None:
    """One dictionary may be filled anew for each example."""
    taken, metrics = draft(), {"si_sdr": 1.0}
    taken.add({"prediction": noise()}, sample_rate=16_000, metrics=metrics)
    metrics["si_sdr"] = 2.0

    assert taken.entries[0].metrics == {"si_sdr": 1.0}


def test_metrics_are_those_at_the_time_of_the_call() -> None:
    """Who goes on counting in the same tensor or array changes no clip, and keeps no graph."""
    weight = torch.ones(3, requires_grad=True)
    one, each, array, listed = torch.tensor(1.0), weight * 2, np.array(3.0), [torch.tensor(4.0)] * 3
    taken = draft()
    given = {"one": one, "each": each, "array": array, "listed": listed, "function": max}
    taken.add_batch({"prediction": BATCH}, sample_rate=16_000, metrics=given)
    with torch.no_grad():
        for tensor in (one, each, *listed):
            tensor.add_(100)
    array += 100

    for entry in taken.entries:
        numbers = {name: float(entry.metrics[name]) for name in ("one", "each", "array", "listed")}
        assert numbers == {"one": 1.0, "each": 2.0, "array": 3.0, "listed": 4.0}
        assert not entry.metrics["each"].requires_grad
        assert entry.metrics["function"] is max


def test_a_batch_is_taken_apart() -> None:
    """Each example has its own sound of every role, caption and metrics."""
    taken = draft()
    taken.add_batch(
        {"prediction": BATCH, "target": torch.from_numpy(BATCH)[:, None]},
        sample_rate=16_000,
        captions=["x", "y", "z"],
        examples=torch.tensor([10, 11, 12]),
        metrics={"loss": 0.5, "si_sdr": np.array([1.0, 2.0, 3.0])},
    )

    for index, example in enumerate(["10", "11", "12"]):
        for role in ("prediction", "target"):
            np.testing.assert_array_equal(heard(taken)[example, role][:, 0], BATCH[index])
    assert [entry.caption for entry in taken.entries] == ["x", "x", "y", "y", "z", "z"]
    assert [dict(entry.metrics) for entry in taken.entries[::2]] == [
        {"loss": 0.5, "si_sdr": 1.0},
        {"loss": 0.5, "si_sdr": 2.0},
        {"loss": 0.5, "si_sdr": 3.0},
    ]


def test_picked_examples_alone_are_copied() -> None:
    """Of a batch only the positions that are asked for are taken, with what belongs to them."""
    taken = draft()
    taken.add_batch(
        {"prediction": BATCH},
        sample_rate=16_000,
        captions=["x", "y", "z"],
        examples=["a", "b", "c"],
        metrics={"n": [0, 1, 2]},
        picked=[2, 0],
    )

    assert [(entry.example, entry.caption, entry.metrics) for entry in taken.entries] == [
        ("c", "z", {"n": 2}),
        ("a", "x", {"n": 0}),
    ]
    np.testing.assert_array_equal(heard(taken)["c", "prediction"][:, 0], BATCH[2])


def test_a_list_is_a_batch_of_anything(tmp_path: Path) -> None:
    """Sounds of a batch may differ in length, rate and kind when they come as a list."""
    soundfile.write(tmp_path / "a.wav", noise(), 8000)
    sounds = [
        noise()[:100],
        (noise(), 22_050),
        tmp_path / "a.wav",
        Audio(sine(), 16_000),
        [0.1, 0.2],
    ]
    taken = draft()
    taken.add_batch({"prediction": sounds[:1] + sounds[4:]}, sample_rate=16_000)
    taken.add_batch({"prediction": sounds[1:4]})

    assert [audio_of(entry.sound).sample_rate for entry in taken.entries] == [
        16_000,
        16_000,
        22_050,
        8000,
        16_000,
    ]
    assert [audio_of(entry.sound).num_frames for entry in taken.entries] == [
        100,
        2,
        1600,
        1600,
        1600,
    ]


def test_a_batch_and_its_rate_may_be_a_pair() -> None:
    """A batch that carries its rate needs no other."""
    taken = draft()
    taken.add_batch({"prediction": (BATCH, 8000)})

    assert {audio_of(entry.sound).sample_rate for entry in taken.entries} == {8000}


def test_rates_and_lengths_may_differ_by_role() -> None:
    """A model that resamples has one rate and one length for its input, others for its output."""
    taken = draft()
    taken.add_batch(
        {"input": BATCH, "prediction": np.repeat(BATCH, 2, axis=1)},
        sample_rate={"input": 8000, "prediction": 16_000},
        lengths={"input": [100, 200, 300], "prediction": torch.tensor([0.5, 0.25, 1.0])},
    )

    found = {(entry.example, entry.role): audio_of(entry.sound) for entry in taken.entries}
    assert [found[example, "input"].num_frames for example in "012"] == [100, 200, 300]
    assert [found[example, "prediction"].num_frames for example in "012"] == [1600, 800, 3200]
    assert found["0", "input"].sample_rate == 8000
    assert found["0", "prediction"].sample_rate == 16_000


def test_lengths_may_count_frames_of_a_hop() -> None:
    """With hop_length, integer lengths count the frames that many models count in."""
    taken = draft()
    taken.add_batch({"prediction": BATCH}, sample_rate=8000, lengths=[1, 2, 3], hop_length=256)

    assert [audio_of(entry.sound).num_frames for entry in taken.entries] == [256, 512, 768]


def test_layouts_may_differ_by_role() -> None:
    """A declared layout holds for all roles, or for its own."""
    sounds = {"input": noise(num_channels=2).T, "prediction": noise(num_channels=2)}
    taken = draft()
    taken.add(sounds, sample_rate=8000, example="a", layout={"input": "channels_first"})

    for samples in heard(taken).values():
        np.testing.assert_array_equal(samples, noise(num_channels=2))


def test_examples_without_a_name_are_numbered() -> None:
    """Numbers go on over all calls; a name takes no number."""
    taken = draft(numbers=itertools.count(5))
    taken.add({"prediction": noise(), "target": noise()}, sample_rate=8000)
    taken.add_batch({"prediction": BATCH}, sample_rate=8000)
    taken.add({"prediction": noise()}, sample_rate=8000, example="named")
    taken.add_batch({"prediction": BATCH[:2]}, sample_rate=8000, examples=["x", None])

    assert " ".join(entry.example for entry in taken.entries) == "5 5 6 7 8 named x 9"
    assert next(taken.numbers) == 10


@pytest.mark.parametrize(
    ("example", "name"),
    [("utt", "utt"), (3, "3"), (np.int64(3), "3"), (torch.tensor(3), "3"), (("a", 1), "('a', 1)")],
)
def test_an_identity_is_text(example: Any, name: str) -> None:
    """Numbers, on any device and of any kind, become their digits; other values their text."""
    taken = draft()
    taken.add({"prediction": noise()}, sample_rate=8000, example=example)

    assert taken.entries[0].example == name


def test_a_caption_may_come_with_its_sound() -> None:
    """An `Audio` keeps its caption, unless the call has another one."""
    taken, sound = draft(), Audio(noise(), 16_000, "its own")
    taken.add({"prediction": sound, "target": noise()}, sample_rate=16_000)
    taken.add({"prediction": sound}, caption="the call's")
    taken.add({"prediction": sound}, caption="")
    taken.add({"prediction": Audio(noise(), 16_000)})

    assert [entry.caption for entry in taken.entries] == ["its own", "", "the call's", "", ""]


@pytest.mark.parametrize(
    ("role", "rest"), [("", {}), ("prediction", {"caption": 5}), ("prediction", {"layout": "CT"})]
)
def test_what_is_left_out_keeps_no_memory(role: str, rest: dict[str, Any]) -> None:
    """A sound that is refused for what stands beside it takes up no room, however often."""
    taken = draft()
    with pytest.raises(EarmarkError):
        taken.add({role: noise()}, sample_rate=16_000, **rest)

    assert taken.memory.in_use == 0


def test_released_sounds_keep_no_memory() -> None:
    """A draft that is given up makes room for others."""
    taken = draft()
    taken.add_batch({"prediction": BATCH}, sample_rate=16_000)
    assert taken.memory.in_use >= BATCH.nbytes
    taken.release()

    assert (taken.memory.in_use, taken.entries) == (0, [])


def test_a_void_draft_takes_nothing_in() -> None:
    """When nothing could come of it, no value is as much as looked at."""
    taken = draft(void=True)
    taken.add({"prediction": object()}, example=object())
    taken.add_batch({"prediction": object()}, captions=5)  # type: ignore[arg-type]  # never seen

    assert taken.entries == []
