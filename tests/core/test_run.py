from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import earmark
from earmark import Audio, EarmarkWarning, Run, open_run
from earmark.testing import MemorySink, noise

BATCH = torch.from_numpy(np.stack([noise(seed=seed)[:, 0] for seed in range(4)]))


def examples(path: Path, **wanted: Any) -> list[str]:
    """The examples of the clips that match, with every version."""
    return [clip.example for clip in open_run(path).clips(**wanted, all_versions=True)]


# --- what a loop logs


def test_a_plain_loop(tmp_path: Path) -> None:
    """The loop of the documentation: one example and a batch, by schedule, read back by epoch."""
    path, sink = tmp_path / "runs/vocoder", MemorySink()
    noisy, enhanced, clean = BATCH[0] * 0.5, BATCH[0] * 0.25, BATCH[0]
    with earmark.Run(path, schedule=earmark.every_n_epochs(5), sinks=[sink]) as run:
        for epoch in range(13):
            step = (epoch + 1) * 100
            if run.due(epoch=epoch, step=step):
                run.log(
                    {"input": noisy, "prediction": enhanced, "target": clean[None]},
                    step=step, epoch=epoch, tag="val", sample_rate=16_000,
                    caption="a sentence", example="utt-7",
                )  # fmt: skip
                run.log_batch(
                    {"prediction": BATCH.repeat_interleave(3, dim=-1), "target": BATCH[:, None]},
                    step=step, epoch=epoch, tag="val",
                    sample_rate={"prediction": 48_000, "target": 16_000},
                    lengths={"prediction": torch.tensor([3, 6, 9, 12]), "target": [1, 2, 3, 4]},
                    captions=["w", "x", "y", "z"], examples=["a", "b", "c", "d"],
                    metrics={"si_sdr": torch.arange(4.0), "epoch_loss": 0.5},
                )  # fmt: skip

    read = earmark.open_run(path)
    assert {clip.epoch for clip in read.clips()} == {0, 5, 10}
    assert len(sink.takes) == 6
    (prediction,) = read.clips(role="prediction", epoch=10, example="utt-7")
    assert (prediction.caption, prediction.step, prediction.tag) == ("a sentence", 1100, "val")
    np.testing.assert_array_equal(prediction.audio.samples[:, 0], enhanced)
    (last,) = read.clips(role="prediction", epoch=5, example="d")
    assert (last.caption, last.metrics) == ("z", {"si_sdr": 3.0, "epoch_loss": 0.5})
    assert (last.audio.sample_rate, last.audio.num_frames) == (48_000, 12)
    (target,) = read.clips(role="target", epoch=5, example="d")
    assert (target.audio.sample_rate, target.audio.num_frames) == (16_000, 4)
    assert len(list((path / "takes").glob("ref.utt-7.*"))) == 2


def test_everything_that_sounds_is_taken(tmp_path: Path) -> None:
    """Tensors, arrays, lists, files, bytes, URLs, pairs and `Audio`, mono and stereo."""
    stereo = noise(num_channels=2)
    soundfile.write(tmp_path / "a.wav", stereo, 44_100)
    sounds: dict[str, Any] = {
        "tensor": torch.from_numpy(stereo).mT,
        "array": stereo,
        "list": stereo[:, 0].tolist(),
        "path": tmp_path / "a.wav",
        "text": str(tmp_path / "a.wav"),
        "bytes": (tmp_path / "a.wav").read_bytes(),
        "view": memoryview((tmp_path / "a.wav").read_bytes()),
        "url": "https://sounds.invalid/a.flac",
        "pair": (torch.from_numpy(stereo).mT, 44_100),
        "audio": Audio(stereo, 44_100),
    }
    with (tmp_path / "a.wav").open("rb") as file, Run(tmp_path / "run", strict=True) as run:
        run.log(sounds | {"file": file}, step=1, sample_rate=44_100)
    clips = {clip.role: clip.audio for clip in open_run(tmp_path / "run").clips()}

    assert clips.pop("url").resolve_ref() == "https://sounds.invalid/a.flac"
    np.testing.assert_array_equal(clips.pop("list").samples, stereo[:, :1])
    assert clips.keys() == sounds.keys() - {"url", "list"} | {"file"}
    for audio in clips.values():
        assert audio.sample_rate == 44_100
        np.testing.assert_array_equal(audio.samples, stereo)


def test_a_run_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    """After `flush` everything that was logged is published."""
    with Run(tmp_path) as run:
        run.log({"prediction": BATCH[0]}, step=1, sample_rate=16_000)
        run.flush()

        assert len(list(open_run(tmp_path).clips())) == 1


def test_a_take_of_several_batches(tmp_path: Path) -> None:
    """What is added within `take` is published together, when the block ends."""
    with Run(tmp_path) as run:
        with run.take(step=5, epoch=1, tag="val") as take:
            take.add({"prediction": BATCH[0]}, sample_rate=16_000)
            take.add_batch({"prediction": BATCH[1:3]}, sample_rate=16_000)
            run.flush()
            assert list(open_run(tmp_path).takes()) == []
        run.log({"prediction": BATCH[3]}, step=5, tag="val", sample_rate=16_000)
    one, other = open_run(tmp_path).takes()

    assert [clip.example for clip in one.clips] == ["0", "1", "2"]
    assert [clip.example for clip in other.clips] == ["3"]
    assert (one.epoch, other.epoch) == (1, None)


def test_an_error_of_the_user_s_is_the_user_s(tmp_path: Path) -> None:
    """What fails within `take` is not swallowed; what was added before is published."""

    def validate(run: Run) -> None:
        with run.take(step=5) as take:
            take.add({"prediction": BATCH[0]}, sample_rate=16_000)
            take.add({"prediction": BATCH[1] * (1 / 0)}, sample_rate=16_000)

    with Run(tmp_path) as run, pytest.raises(ZeroDivisionError):
        validate(run)

    assert examples(tmp_path) == ["0"]


def test_a_take_without_clips_is_none(tmp_path: Path) -> None:
    """Nothing added, nothing published."""
    with Run(tmp_path) as run:
        with run.take(step=5):
            pass
        run.log({}, step=6)
        run.log_batch({"prediction": BATCH[:0]}, step=7, sample_rate=16_000)

    assert list((tmp_path / "takes").iterdir()) == []


# --- places


def test_the_epoch_alone_serves_as_the_step(tmp_path: Path) -> None:
    """A loop that counts no steps is placed by its epochs."""
    with Run(tmp_path) as run:
        run.log({"prediction": BATCH[0]}, epoch=3, sample_rate=16_000)
        run.log({"prediction": BATCH[0]}, step=8, sample_rate=16_000)

    assert [(clip.step, clip.epoch) for clip in open_run(tmp_path).clips()] == [(3, 3), (8, None)]


@pytest.mark.parametrize(
    "three", [3, 3.0, np.int64(3), torch.tensor(3), torch.tensor(3.0)], ids=repr
)
def test_steps_are_whole_numbers_of_any_kind(tmp_path: Path, three: Any) -> None:
    """Numpy scalars and 0-d tensors count as the integers they are, in files too."""
    with Run(tmp_path, strict=True) as run:
        run.log({"prediction": BATCH[0]}, step=three, epoch=three, sample_rate=16_000)
    (clip,) = open_run(tmp_path).clips()

    assert (clip.step, clip.epoch) == (3, 3)
    assert type(clip.step) is type(clip.epoch) is int


def test_examples_are_numbered_over_all_calls_of_a_step_and_tag(tmp_path: Path) -> None:
    """The batches of one validation go on numbering; the next step, and each tag, begin anew."""
    with Run(tmp_path) as run:
        for step in (1, 2):
            for tag in ("val", "test"):
                run.log_batch({"prediction": BATCH[:2]}, step=step, tag=tag, sample_rate=16_000)
                run.log({"prediction": BATCH[2]}, step=step, tag=tag, sample_rate=16_000)

    for step in (1, 2):
        for tag in ("val", "test"):
            assert examples(tmp_path, step=step, tag=tag) == ["0", "1", "2"]


def test_a_call_without_a_place_moves_no_number(tmp_path: Path) -> None:
    """A call that is lost as a whole leaves the numbers of the others as they are."""
    with Run(tmp_path) as run:
        run.log({"prediction": BATCH[0]}, step=0, sample_rate=16_000)
        with pytest.warns(EarmarkWarning, match="a call was not logged: expected the step as a"):
            run.log({"prediction": BATCH[1]}, step=-1, sample_rate=16_000)
        run.log({"prediction": BATCH[2]}, step=0, sample_rate=16_000)

    assert examples(tmp_path) == ["0", "1"]


def test_a_lost_clip_keeps_its_number(tmp_path: Path) -> None:
    """What could not be logged moves no other example to another number."""
    with Run(tmp_path) as run:
        with pytest.warns(EarmarkWarning, match="the prediction of example '1' at step 1 was not"):
            run.log_batch({"prediction": [BATCH[0], None, BATCH[2]]}, step=1, sample_rate=16_000)
        run.log({"prediction": BATCH[3]}, step=1, sample_rate=16_000)

    assert examples(tmp_path) == ["0", "2", "3"]
