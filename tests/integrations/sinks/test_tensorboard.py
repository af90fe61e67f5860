from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter
from werkzeug.test import Client

from earmark import Audio, Clip, Run, open_run
from earmark.errors import ArgumentError, ArgumentTypeError
from earmark.spectrogram import spectrogram
from earmark.testing import noise, sine, varied_takes
from earmark.upload.push import push_sink
from earmark_integrations.sinks.tensorboard import TensorBoardSink, open_sink
from tests.integrations.sinks.trackers import decoded


def logged(writer: SummaryWriter, name: str) -> list[tuple[int, bytes]]:
    """What TensorBoard's reader finds under a name: the steps, and the sound or the text."""
    events = EventAccumulator(writer.get_logdir(), size_guidance={"tensors": 0}).Reload()
    return [(event.step, event.tensor_proto.string_val[0]) for event in events.Tensors(name)]


def name_of(clip: Clip) -> str:
    """The name under which a clip is."""
    return "/".join(part for part in (clip.tag, clip.role, clip.example) if part)


def test_needs_a_writer() -> None:
    """There is no active writer, so the error says how to pass one."""
    way_out = "pass earmark.Run(..., sinks=[TensorBoardSink(writer)])"
    with pytest.raises(ArgumentError, match=re.escape(way_out)):
        open_sink()


def test_refuses_what_is_no_writer() -> None:
    """A logger in the place of its writer is refused with the way out."""
    logger: Any = object()
    with pytest.raises(ArgumentTypeError, match=r"got object: pass that, or TensorBoardLogger\.e"):
        open_sink(logger)


def test_a_missed_run_is_pushed_to_a_log_directory(tmp_path: Path) -> None:
    """`earmark push` names a directory, whose events hold every sound when it has ended."""
    with Run(tmp_path / "run", strict=True) as run:
        for step in (3, 5):
            run.log({"out": noise(seed=step)}, step=step, sample_rate=16_000, example="a")
    assert push_sink(tmp_path / "run", "tensorboard", str(tmp_path / "logs")) == (
        "tensorboard: 2 takes sent"
    )
    events = EventAccumulator(str(tmp_path / "logs"), size_guidance={"tensors": 0}).Reload()
    found = {each.step: each.tensor_proto.string_val[0] for each in events.Tensors("out/a")}
    assert sorted(found) == [3, 5]
    for step, sound in found.items():
        np.testing.assert_array_equal(decoded(io.BytesIO(sound)), noise(seed=step))


def test_every_log_directory_gets_all_that_it_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the training's writer, and two others: each has every step once, in the end."""
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(Path("live")) as writer:
        for steps, sinks in (([3, 5], [TensorBoardSink(writer)]), ([7], [])):
            with Run(tmp_path / "run", strict=True, sinks=sinks) as run:
                for step in steps:
                    sounds = {"out": noise(seed=step), "target": noise(seed=1)}
                    run.log(sounds, step=step, sample_rate=16_000, example="a")
    for sent in ("1 take sent, 2 had", "0 takes sent, 3 had"):
        assert push_sink(tmp_path / "run", "tensorboard", "live") == (
            f"tensorboard: {sent} been sent before"
        )
    for target in ("one", "other"):
        assert push_sink(tmp_path / "run", "tensorboard", target) == "tensorboard: 3 takes sent"
        assert push_sink(tmp_path / "run", "tensorboard", target) == (
            "tensorboard: 0 takes sent, 3 had been sent before"
        )
    for target in ("live", "one", "other"):
        events = EventAccumulator(target, size_guidance={"tensors": 0}).Reload()
        assert [each.step for each in events.Tensors("out/a")] == [3, 5, 7]
        assert [each.step for each in events.Tensors("target/a")] == [3]
        for each in events.Tensors("out/a"):
            sound = decoded(io.BytesIO(each.tensor_proto.string_val[0]))
            np.testing.assert_array_equal(sound, noise(seed=each.step))


def test_a_push_needs_a_log_directory() -> None:
    """Without one, nothing is written into the directory that one happens to be in."""
    with pytest.raises(ArgumentError, match="a log directory, got none: pass --target, such as"):
        open_sink("")


def test_hands_over_files_as_they_are(writer: SummaryWriter, tmp_path: Path) -> None:
    """Every kind of sound is found byte for byte under its name, at its step, with its caption."""
    sink = open_sink(writer)
    clips: dict[str, list[Clip]] = {}
    for take in varied_takes(tmp_path / "run"):
        sink.write(take)
        for clip in take.clips:
            clips.setdefault(name_of(clip), []).append(clip)
    for name, expected in clips.items():
        files = [(clip.step, clip.audio.path.read_bytes()) for clip in expected if clip.audio.path]
        captions = [(clip.step, clip.caption.encode()) for clip in expected if clip.caption]
        if files:
            assert logged(writer, name) == files
        if captions:
            assert logged(writer, f"{name}/caption/text_summary") == captions


def test_sounds_are_those_that_were_logged(writer: SummaryWriter, tmp_path: Path) -> None:
    """16-bit sound is exact, 24-bit sound within 6e-8, sound over full scale exact; in stereo."""
    quiet, loud = sine(num_channels=2, peak=0.1), sine(num_channels=2, peak=1.5)
    sounds = {"recorded": noise(num_channels=2), "quiet": quiet, "loud": loud}
    with Run(tmp_path / "run", sinks=[TensorBoardSink(writer)], strict=True) as run:
        run.log(sounds, step=7, tag="val", sample_rate=16_000, example="utt")
    got = {}
    for role in sounds:
        ((step, sound),) = logged(writer, f"val/{role}/utt")
        assert step == 7
        got[role] = decoded(io.BytesIO(sound))
    np.testing.assert_array_equal(got["recorded"], sounds["recorded"])
    np.testing.assert_array_equal(got["loud"], loud)
    np.testing.assert_allclose(got["quiet"], quiet, rtol=0, atol=6e-8)
    assert got["quiet"].shape == (1600, 2)


def test_scalars_are_beside_the_sounds(writer: SummaryWriter, tmp_path: Path) -> None:
    """Scalars of the same writer keep their values and steps, takes between them or not."""
    with Run(tmp_path / "run", sinks=[TensorBoardSink(writer)], strict=True) as run:
        for step in range(1000):
            writer.add_scalar("loss", step / 8, step)
            if step % 100 == 0:
                run.log({"prediction": noise(seed=step)}, step=step, sample_rate=16_000)
    writer.flush()
    events = EventAccumulator(writer.get_logdir(), size_guidance={"scalars": 0}).Reload()
    scalars = [(event.step, event.value) for event in events.Scalars("loss")]
    assert scalars == [(step, step / 8) for step in range(1000)]
    assert [step for step, _ in logged(writer, "prediction/0")] == list(range(0, 1000, 100))


def test_a_reference_is_passed_on_as_a_text(writer: SummaryWriter, tmp_path: Path) -> None:
    """TensorBoard holds no references, so the URL is shown beside the caption."""
    url = "https://sounds.invalid/a.flac"
    with Run(tmp_path / "run", sinks=[TensorBoardSink(writer)], strict=True) as run:
        run.log({"target": Audio(url)}, step=3, sample_rate=None, caption="hello", example="utt")
    assert logged(writer, "target/utt/caption/text_summary") == [(3, f"hello {url}".encode())]


def test_closing_leaves_the_writer_open(writer: SummaryWriter) -> None:
    """The writer goes on taking scalars after the sink is closed."""
    TensorBoardSink(writer).close()
    writer.add_scalar("loss", 1.0, 0)
    writer.flush()
    assert EventAccumulator(writer.get_logdir()).Reload().Scalars("loss")[0].value == 1.0


@pytest.mark.filterwarnings("ignore:html5lib's sanitizer:DeprecationWarning")  # TensorBoard's copy
def test_tensorboard_serves_what_was_logged(writer: SummaryWriter, tmp_path: Path) -> None:
    """TensorBoard's server lists the sounds of all steps and serves them to browsers as audio."""
    with Run(tmp_path / "run", sinks=[TensorBoardSink(writer)], strict=True) as run:
        for step in range(40):
            sound = {"prediction": sine(num_channels=2, frequency=100 + step)}
            run.log(sound, step=step, tag="val", sample_rate=16_000, example="utt/ä 1", caption="c")
    clips = open_run(tmp_path / "run").clips()
    browser = Client(served(writer.get_logdir()))
    name = "val/prediction/utt/ä 1"
    audio = "/data/plugin/audio"
    about = json.loads(browser.get(f"{audio}/tags").data)["."][name]
    assert about["displayName"] == name
    assert "Captions are in the Text tab" in about["description"]
    query = {"run": ".", "tag": name}
    entries = json.loads(browser.get(f"{audio}/audio", query_string=query).data)
    assert [entry["step"] for entry in entries] == list(range(40))
    for entry, clip in zip(entries, clips, strict=True):
        response = browser.get(f"{audio}/individualAudio?{entry['query']}")
        assert response.content_type == "audio/wav"
        assert clip.audio.path is not None
        assert response.data == clip.audio.path.read_bytes()


def served(logdir: str) -> Any:
    """TensorBoard's own server on a log directory, as a WSGI application."""
    from tensorboard import default, program
    from tensorboard.backend.application import TensorBoardWSGIApp
    from tensorboard.backend.event_processing.data_ingester import LocalDataIngester

    board = program.TensorBoard(default.get_plugins())
    options = {
        "logdir": logdir,
        "samples_per_plugin": "audio=1000",
        "reload_task": "blocking",
        "reload_interval": "0",
    }
    board.configure(["tensorboard", *(f"--{name}={value}" for name, value in options.items())])
    ingester = LocalDataIngester(board.flags)
    ingester.start()
    return TensorBoardWSGIApp(board.flags, default.get_plugins(), ingester.data_provider)


def test_pictures_are_beside_their_sounds(writer: SummaryWriter, tmp_path: Path) -> None:
    """TensorBoard's own reader finds each at its step, pixel by pixel."""
    sink = open_sink(writer)
    (take, *_) = (take for take in varied_takes(tmp_path / "run") if take.clips[0].audio.path)
    pictures = [(clip, spectrogram(clip.audio)) for clip in take.clips if clip.audio.path]
    sink.write_pictures(pictures)

    events = EventAccumulator(writer.get_logdir()).Reload()
    for clip, picture in pictures:
        (event,) = events.Images(f"{name_of(clip)}/spectrogram")
        assert event.step == take.step
        pixels = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
        np.testing.assert_array_equal(pixels[..., 0] if pixels.ndim == 3 else pixels, picture)
