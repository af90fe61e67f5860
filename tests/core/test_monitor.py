"""The policy behind every framework's monitor: when, which, how many, under which names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark import Audio, Run, at_epochs, every_n_epochs, open_run
from earmark.monitor import Monitor
from earmark.outputs.finder import Finder
from tests.core.monitor_loops import RATE, drawn, logged, loop, sounds, told


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run to log to."""
    with Run(tmp_path / "run") as run:
        yield run


def test_a_loop_logs_each_role_of_the_first_examples(run: Run) -> None:
    """Two of three examples, each with input, prediction and target, sample by sample."""
    monitor = Monitor(max_examples=2, run=run, sample_rate=RATE)
    made, given = sounds(3, seed=1), {"input": sounds(3, seed=2), "target": sounds(3, seed=3)}
    loop(monitor, {"prediction": made}, given)
    for role, batch in {"prediction": made, **given}.items():
        clips = logged(run, role=role)
        assert [clip.example for clip in clips] == ["0", "1"]
        for clip, sound in zip(clips, batch, strict=False):
            np.testing.assert_array_equal(clip.audio.samples[:, 0], sound)


def test_an_array_alone_is_the_prediction(run: Run) -> None:
    """A step that returns nothing but sounds needs no keys, and the rate may come beside them."""
    monitor = Monitor(run=run, sample_rate=RATE)
    loop(monitor, sounds(2))
    loop(monitor, {"prediction": (sounds(2), RATE)}, epoch=1)
    loop(monitor, (sounds(2), RATE), epoch=2)
    assert [len(logged(run, epoch=epoch, role="prediction")) for epoch in range(3)] == [2, 2, 2]


def test_one_sound_is_a_batch_of_one(run: Run) -> None:
    """Loaders that do not batch, paths and `Audio` objects bring one example at a time."""
    monitor = Monitor(run=run, sample_rate=RATE)
    sound = sounds(1)[0]
    for epoch, prediction in enumerate([sound, (sound, RATE), Audio(sound, RATE)]):
        loop(monitor, {"prediction": prediction}, epoch=epoch)
        (clip,) = logged(run, epoch=epoch)
        np.testing.assert_array_equal(clip.audio.samples[:, 0], sound)


def test_roles_are_found_where_they_are_said_to_be(run: Run) -> None:
    """Keys of the outputs or the batch, attributes of a named tuple, functions of both."""
    roles: Mapping[str, Any] = {
        "prediction": "y_hat",
        "target": lambda outputs, batch: batch["pair"][1],
        "mixture": "x",
    }
    monitor = Monitor(finder=Finder(selectors=roles), run=run, sample_rate=RATE)
    batch = {"x": sounds(1, seed=1), "pair": (None, sounds(1, seed=2))}
    loop(monitor, {"y_hat": sounds(1, seed=3)}, batch)
    found = {clip.role: clip.audio.samples[:, 0].tolist() for clip in logged(run)}
    assert found == {
        "mixture": sounds(1, seed=1)[0].tolist(),
        "target": sounds(1, seed=2)[0].tolist(),
        "prediction": sounds(1, seed=3)[0].tolist(),
    }


def test_outputs_come_before_the_batch(run: Run) -> None:
    """A role that is in both is taken from what the model returned."""
    monitor = Monitor(run=run, sample_rate=RATE)
    outputs = {"prediction": sounds(1, seed=1), "target": sounds(1, seed=2)}
    loop(monitor, outputs, {"target": sounds(1, seed=3)})
    (target,) = logged(run, role="target")
    np.testing.assert_array_equal(target.audio.samples[:, 0], sounds(1, seed=2)[0])


@pytest.mark.parametrize(
    ("where", "lengths", "frames"),
    [
        ("lengths", [10, 64], [10, 64]),
        (lambda outputs, batch: batch["lengths"], [0.25, 1.0], [16, 64]),
        (("lengths", 8), [2, 5], [16, 40]),
    ],
    ids=["samples", "relative", "frames"],
)
def test_padding_is_cut_off(run: Run, where: Any, lengths: Any, frames: list[int]) -> None:
    """Lengths are found like roles; with a hop they count frames."""
    monitor = Monitor(finder=Finder(lengths=where), run=run, sample_rate=RATE)
    loop(monitor, {"prediction": sounds(2)}, {"lengths": np.array(lengths)})
    assert [clip.audio.num_frames for clip in logged(run)] == frames


def test_rates_may_differ_by_role(run: Run) -> None:
    """A model that doubles the rate is played at the right speed, and so is its input."""
    monitor = Monitor(run=run, sample_rate={"input": 8000, "prediction": 16_000})
    loop(monitor, {"prediction": sounds(1, 128)}, {"input": sounds(1, 64)})
    assert {clip.role: clip.audio.sample_rate for clip in logged(run)} == {
        "input": 8000,
        "prediction": 16_000,
    }
    assert {clip.audio.duration_seconds for clip in logged(run)} == {0.008}


def test_roles_that_are_not_named_have_the_rate_that_is_found(run: Run) -> None:
    """Those alone that say none: sounds in a list may each have their own."""
    monitor = Monitor(run=run, sample_rate={"input": 8000}, found_rate=16_000)
    one, other = sounds(2, 1024)
    outputs = {"prediction": [Audio(one, 48_000), (other, 24_000)], "target": [one, other]}
    loop(monitor, outputs, {"input": sounds(2)})
    assert [(clip.example, clip.role, clip.audio.sample_rate) for clip in logged(run)] == [
        ("0", "input", 8000),
        ("0", "prediction", 48_000),
        ("0", "target", 16_000),
        ("1", "input", 8000),
        ("1", "prediction", 24_000),
        ("1", "target", 16_000),
    ]


def test_captions_are_filled_in_for_each_example(run: Run) -> None:
    """A template knows the batch's words, the example and the place in the training."""
    monitor = Monitor(captions="{text} {example} {tag} {epoch} {step}", run=run, sample_rate=RATE)
    loop(monitor, sounds(2), {"text": ["one", "two"], "id": ["a", "b"]}, epoch=3, step=70)
    assert [clip.caption for clip in logged(run)] == ["one a val 3 70", "two b val 3 70"]


@pytest.mark.parametrize(
    ("captions", "reason"),
    [
        (lambda fields: fields["speaker"], "KeyError: 'speaker'"),
        (lambda fields: fields["epoch"], "expected text from the captions function, got 0 (int)"),
        ("{epoch:words}", "ValueError: Invalid format specifier"),
    ],
    ids=["raising", "no text", "format"],
)
def test_a_caption_that_fails_costs_no_sound(run: Run, captions: Any, reason: str) -> None:
    """The clip is logged without it, and the cause is told once for all examples."""
    monitor = Monitor(captions=captions, run=run, sample_rate=RATE)
    with told(f"earmark: the caption of '0' was not logged: {reason}") as warned:
        loop(monitor, sounds(3))
    assert len(warned) == 1
    assert [(clip.example, clip.caption) for clip in logged(run)] == [
        ("0", ""),
        ("1", ""),
        ("2", ""),
    ]


def test_examples_keep_their_identity_in_any_order(run: Run) -> None:
    """The same two are logged when the batch holds them elsewhere."""
    monitor = Monitor(max_examples=2, run=run, sample_rate=RATE)
    loop(monitor, sounds(3), {"id": ["a", "b", "c"]})
    loop(monitor, sounds(3), {"id": ["c", "b", "a"]}, epoch=1)
    assert [clip.example for clip in logged(run, epoch=1)] == ["a", "b"]


def test_each_tag_has_its_own_examples(run: Run) -> None:
    """Two loaders of one loop are two takes, and neither uses up the other's share."""
    monitor = Monitor(max_examples=1, run=run, sample_rate=RATE)
    monitor.begin(epoch=0, step=5)
    monitor.add("val/clean", sounds(2, seed=1), {"id": ["a", "b"]}, drawn)
    monitor.add("val/noisy", sounds(2, seed=2), {"id": ["c", "d"]}, drawn)
    monitor.end()
    assert [(clip.tag, clip.example) for clip in logged(run)] == [
        ("val/clean", "a"),
        ("val/noisy", "c"),
    ]
    assert len(list(open_run(run.path).takes())) == 2


def test_the_schedule_decides(run: Run) -> None:
    """Due at the first loop, at each second epoch, and at the last one."""
    monitor = Monitor(schedule=every_n_epochs(2), run=run, sample_rate=RATE)
    for epoch in range(6):
        loop(monitor, sounds(1), epoch=epoch, final=epoch == 5)
    assert [clip.epoch for clip in logged(run)] == [0, 2, 4, 5]


def test_a_loop_outside_the_training_does_not_count(run: Run) -> None:
    """A validation before the training is logged, and the first one within it is too."""
    monitor = Monitor(schedule=every_n_epochs(5), run=run, sample_rate=RATE)
    loop(monitor, sounds(1), epoch=0, step=0, forced=True)
    loop(monitor, sounds(1), epoch=0, step=10)
    loop(monitor, sounds(1), epoch=1, step=20)
    loop(monitor, sounds(1), epoch=1, step=21, forced=True)
    assert [clip.step for clip in logged(run)] == [0, 10, 21]


def test_a_training_that_begins_anew_is_due(run: Run) -> None:
    """Where the last training was logged is forgotten, and its examples are not."""
    monitor = Monitor(schedule=every_n_epochs(5), max_examples=1, run=run, sample_rate=RATE)
    loop(monitor, sounds(2), {"id": ["a", "b"]}, step=3)
    monitor.restart()
    loop(monitor, sounds(2), {"id": ["b", "a"]}, step=4)
    assert [(clip.step, clip.example) for clip in logged(run)] == [(3, "a"), (4, "a")]


def test_a_schedule_that_fails_is_not_due(run: Run) -> None:
    """Whatever a user's own schedule raises, the training does not see it."""

    class Broken:
        def due(self, now: Any, last: Any, *, final: bool = False) -> bool:
            raise RuntimeError("no idea")

    monitor = Monitor(schedule=Broken(), run=run, sample_rate=RATE)
    with told("earmark: the loop at step 0 was not logged: RuntimeError: no idea."):
        loop(monitor, sounds(1))
    assert not logged(run)


def test_a_cancelled_loop_leaves_nothing(run: Run) -> None:
    """Half a take is no take, and takes up no memory."""
    monitor = Monitor(run=run, sample_rate=RATE)

    def begin_anew() -> None:
        monitor.begin(epoch=1, step=1)
        assert monitor.wants("val")

    for leave in (monitor.cancel, begin_anew):
        monitor.begin(epoch=0, step=0)
        monitor.add("val", sounds(1), None, drawn)
        assert run.draft(step=0).memory.in_use > 0
        leave()
        assert run.draft(step=0).memory.in_use == 0
        monitor.end()
    assert not logged(run)


def test_without_a_run_the_loop_is_the_same() -> None:
    """Ranks that do not log want the same batches, since a model may hold collectives."""
    monitor = Monitor(max_examples=2)
    monitor.begin(epoch=0, step=0)
    monitor.add("val", sounds(8), None, drawn)
    assert monitor.active
    assert monitor.wants("val")
    monitor.end()


def test_a_state_of_plain_values_carries_everything_on(run: Run) -> None:
    """A checkpoint keeps the chosen examples and where the last take was."""
    first = Monitor(schedule=every_n_epochs(4), max_examples=2, run=run, sample_rate=RATE)
    loop(first, sounds(3), {"id": ["a", "b", "c"]}, epoch=1, step=10)
    state = json.loads(json.dumps(first.state()))
    second = Monitor(schedule=every_n_epochs(4), max_examples=2, run=run, sample_rate=RATE)
    second.restore(state)
    loop(second, sounds(3), {"id": ["c", "b", "a"]}, epoch=3, step=30)
    loop(second, sounds(3), {"id": ["c", "b", "a"]}, epoch=4, step=40)
    assert [(clip.step, clip.example) for clip in logged(run)] == [
        (10, "a"),
        (10, "b"),
        (40, "a"),
        (40, "b"),
    ]


def test_a_fresh_state_is_restored(run: Run) -> None:
    """Nothing chosen and nothing logged yet is a state as well."""
    monitor = Monitor(schedule=at_epochs([0]), run=run, sample_rate=RATE)
    monitor.restore(Monitor().state())
    monitor.restore({})
    loop(monitor, sounds(1))
    assert len(logged(run)) == 1


def test_examples_that_nobody_has_are_told_where_all_are_seen(run: Run) -> None:
    """A rank of several knows only its own, and another loop has other data."""
    message = "expected the examples '7', got none of them up to step 3: pass identities"
    monitor = Monitor(examples=[0, 7], run=run, sample_rate=RATE)
    loop(monitor, sounds(2), step=2, forced=True)
    with told(message):
        loop(monitor, sounds(2), step=3)
    spread = Monitor(examples=[0, 7], run=run, sample_rate=RATE)
    spread.join(rank=0, world_size=2)
    loop(spread, sounds(2), step=4)
    assert spread.notices.total == 0


def test_what_is_done_to_a_role_may_cost_that_role(run: Run) -> None:
    """A decoder that raises leaves the target as it is."""

    def fail(sounds: Any) -> Any:
        raise RuntimeError("no memory")

    finder = Finder(decode={"prediction": fail})
    monitor = Monitor(finder=finder, run=run, sample_rate=RATE)
    with told("the prediction of a batch at step 0 was not logged: RuntimeError: no memory"):
        loop(monitor, {"prediction": sounds(2), "target": sounds(2)})
    assert [clip.role for clip in logged(run)] == ["target", "target"]
