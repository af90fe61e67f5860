from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import soundfile
import torch

from earmark import Run, open_run
from earmark.convert import Allocate, pageable
from earmark.errors import EarmarkError
from earmark.testing import noise
from tests.core.faults import flushing, told

GOOD = noise()[:, 0]
BATCH = np.stack([GOOD, GOOD, GOOD])

UNKNOWN = (
    r"expected a path, a URL, encoded bytes, a binary file, an array, a list of floats, a tensor, "
    r"or a \(waveform, sample_rate\) pair, got {}: convert it to a numpy array"
)
DTYPE = "expected float samples, or PCM of int8, uint8, int16, int32, got {}"
SHAPE = r"expected one sound of shape \(frames,\) or \(frames, channels\), got shape {}"
TENSOR = r"expected one sound of shape \(T,\) or \(C, T\), got shape {}"
ENCODED = r"expected a sound file that libsndfile reads \(WAV, FLAC, Ogg, MP3, AIFF, ...\), got {}"

NO_SOUNDS: dict[str, tuple[Any, str]] = {
    "None": (None, UNKNOWN.format("NoneType")),
    "object": (object(), UNKNOWN.format("object")),
    "number": (0.5, UNKNOWN.format("float")),
    "numpy scalar": (np.float32(1), UNKNOWN.format("float32")),
    "dict": ({"array": GOOD}, UNKNOWN.format("dict")),
    "set": ({0.5}, UNKNOWN.format("set")),
    "generator": ((sample for sample in GOOD), UNKNOWN.format("generator")),
    "missing file": ("gone.wav", r"expected a sound file at '.*gone\.wav', got nothing there"),
    "folder": (Path("folder"), "expected a sound file at '.*folder', got a directory"),
    "scheme": (
        "foo://a.wav",
        "expected a path or a URL, got 'foo://a.wav', whose scheme",
    ),
    "text file": ("notes.txt", ENCODED.format(r"'.*notes\.txt'")),
    "empty file": ("empty.wav", ENCODED.format(r"'.*empty\.wav'")),
    "junk bytes": (b"junk", ENCODED.format("4 bytes")),
    "no bytes": (b"", ENCODED.format("0 bytes")),
    "int64": (np.zeros(9, np.int64), DTYPE.format("int64, which has no agreed full scale")),
    "bool": (np.zeros(9, bool), DTYPE.format(r"bool: convert it to floats in \[-1, 1\]")),
    "complex": (np.zeros(9, complex), DTYPE.format("complex128: a spectrum is no waveform")),
    "texts": (np.array(["a", "b"]), DTYPE.format("str")),
    "codes": (torch.zeros(9, dtype=torch.long), DTYPE.format("int64")),
    "masked": (np.ma.masked_array(GOOD), r"got a masked array: fill what is masked, array\.filled"),
    "integers": ([1, 2, 3], r"expected a list of floats in \[-1, 1\], got integers"),
    "sparse": (torch.zeros(9).to_sparse(), r"expected a dense tensor of samples, got .*to_dense"),
    "meta": (
        torch.zeros(9, device="meta"),
        "expected a dense tensor of samples, got one on the meta",
    ),
    "no frames": (GOOD[:0], SHAPE.format(r"\(0,\), which holds no frames: skip empty sounds")),
    "empty list": ([], SHAPE.format(r"\(0,\), which holds no frames: skip empty sounds")),
    "no axis": (np.array(0.5), SHAPE.format(r"\(\): a single number is no sound")),
    "batch": (np.zeros((2, 1, 9)), SHAPE.format(r"\(2, 1, 9\): pick one sound, or log a batch")),
    "transposed": (
        np.zeros((2, 9)),
        SHAPE.format(r"\(2, 9\), which would be 9 channels of 2 frames"),
    ),
    "transposed tensor": (torch.zeros(9, 2), TENSOR.format(r"\(9, 2\), which would be 9 channels")),
    "mel": (torch.zeros(80, 100), TENSOR.format(r"\(80, 100\), .*; if it is a mel, .* decode= it")),
    "ragged": ([[0.1], [0.1, 0.2]], "expected a list of numbers, got a list of 2 items"),
    "rate of 0": ((GOOD, 0), r"expected a sample rate in Hz, .* such as 16000, got 0 \(int\)"),
    "other rate": (
        (GOOD, 8000),
        "expected the sample rate that the sound itself has, 8000 Hz, got",
    ),
    "file and rate": (
        "tone.wav",
        "expected the sample rate that the sound itself has, 8000 Hz, got",
    ),
}
"""What may come along as a sound and is none, and what is said of it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files in it that hold a sound, or none."""
    path = tmp_path_factory.mktemp("bad_input")
    soundfile.write(path / "tone.wav", GOOD, 8000)
    (path / "notes.txt").write_text("no sound at all")
    (path / "empty.wav").touch()
    (path / "folder").mkdir()
    return path


@pytest.fixture(scope="module")
def opened(folder: Path) -> Iterator[Run]:
    """A run that all tests log to, each under a tag of its own."""
    with Run(folder / "run") as run:
        yield run


@pytest.fixture
def strict() -> Iterator[Run]:
    """A run that raises what is wrong, and writes nothing."""
    with Run("unwritten", strict=True, dry_run=True) as run:
        yield run


@pytest.fixture
def run(opened: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """That run, within the folder of files."""
    monkeypatch.chdir(folder)
    return opened


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> str:
    """A tag of this test's own."""
    return str(request.node.name)


def assert_told(messages: list[str], lost: str, message: str) -> None:
    """One warning was given: what was lost, what was expected, what came, the way out."""
    (telling,) = messages
    assert telling.startswith(f"earmark: {lost} was not logged: ")
    assert re.search(message, telling), telling
    assert telling.endswith(
        ". Training goes on, and more of the same is passed over silently; strict=True raises "
        "instead"
    )


@pytest.mark.parametrize(("value", "message"), NO_SOUNDS.values(), ids=NO_SOUNDS)
def test_what_is_no_sound_costs_one_clip(run: Run, tag: str, value: Any, message: str) -> None:
    """It is told once however often it comes, and the other clips of the call are published."""
    sounds = {"input": GOOD, "prediction": value, "target": GOOD}
    with told() as messages, flushing(run):
        for step in range(2):
            run.log(sounds, step=step, tag=tag, sample_rate=16_000, example="utt")

    assert_told(messages, "the prediction of example 'utt' at step 0", message)
    assert [clip.role for clip in open_run(run.path).clips(tag=tag)] == ["input", "target"] * 2


@pytest.mark.parametrize(("value", "message"), NO_SOUNDS.values(), ids=NO_SOUNDS)
def test_what_is_no_sound_costs_one_clip_of_a_batch(
    run: Run, tag: str, value: Any, message: str
) -> None:
    """Among the sounds of a list it is left out, and all others are logged."""
    with told() as messages, flushing(run):
        batch = {"prediction": [GOOD, value, GOOD], "other": BATCH}
        run.log_batch(batch, step=0, tag=tag, sample_rate=16_000)

    assert_told(messages, "the prediction of example '1' at step 0", message)
    clips = list(open_run(run.path).clips(tag=tag))
    assert [clip.example for clip in clips if clip.role == "prediction"] == ["0", "2"]
    assert [clip.example for clip in clips if clip.role == "other"] == ["0", "1", "2"]


@pytest.mark.parametrize(("value", "message"), NO_SOUNDS.values(), ids=NO_SOUNDS)
def test_what_is_no_sound_is_an_error_if_wanted(
    run: Run, strict: Run, value: Any, message: str
) -> None:
    """With strict=True the error itself is raised, always one of ours."""
    with pytest.raises(EarmarkError, match=message), flushing(strict):
        strict.log({"prediction": value}, step=1, sample_rate=16_000)


NO_RATE = "expected a sample rate in Hz, a positive integer such as 16000, got {}"
ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "no rate": ({"sample_rate": None}, "expected a sample rate in Hz beside raw samples, got none"),
    "another role's": (
        {"sample_rate": {"x": 8000}},
        r"expected a sample rate .*: pass sample_rate=\{'x': 8000, 'prediction': \.\.\.\},",
    ),
    "0": ({"sample_rate": 0}, NO_RATE.format(r"0 \(int\)")),
    "-1": ({"sample_rate": -1}, NO_RATE.format(r"-1 \(int\)")),
    "0.5": ({"sample_rate": 0.5}, NO_RATE.format(r"0\.5 \(float\)")),
    "16k": ({"sample_rate": "16k"}, NO_RATE.format(r"'16k' \(str\)")),
    "nan": ({"sample_rate": np.nan}, NO_RATE.format(r"nan \(float\)")),
    "2**40": ({"sample_rate": 2**40}, NO_RATE.format(r"1099511627776 \(int\)")),
    "rates": ({"sample_rate": [8000]}, NO_RATE.format(r"\[8000\] \(list\)")),
    "layout": (
        {"layout": "CT"},
        "expected layout='channels_first' or 'channels_last', got 'CT'",
    ),
    "caption": (
        {"caption": 5},
        r"expected the caption as text, got 5 \(int\): pass str\(caption\)",
    ),
    "bytes": (
        {"caption": b"a"},
        r"expected the caption as text, got b'a' \(bytes\): .* decode bytes",
    ),
    "token ids": (
        {"caption": torch.zeros(2)},
        "expected the caption as text, got tensor.*token ids",
    ),
    "captions": ({"caption": ["a"]}, r"expected the caption as text, got \['a'\] \(list\)"),
    "metric": (
        {"metrics": {"m": "high"}},
        "expected one number as the metric 'm' of each clip, got",
    ),
}
"""Arguments of a clip that are wrong, and what is said of them."""


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_a_wrong_argument_costs_its_clip(
    run: Run, strict: Run, tag: str, arguments: dict[str, Any], message: str
) -> None:
    """It is told once, the next call is logged, and with strict=True it is an error."""
    usual: dict[str, Any] = {"example": "utt", "sample_rate": 16_000, "tag": tag}
    with told() as messages, flushing(run):
        for step in range(2):
            run.log({"prediction": GOOD}, step=step, **(usual | arguments))
        run.log({"prediction": GOOD}, step=9, **usual)

    assert_told(messages, "the prediction of example 'utt' at step 0", message)
    assert [clip.step for clip in open_run(run.path).clips(tag=tag)] == [9]
    with pytest.raises(EarmarkError, match=message), flushing(strict):
        strict.log({"prediction": GOOD}, step=1, **(usual | arguments))


@pytest.mark.parametrize("role", ["", 5, None])
def test_a_role_is_a_name(tmp_path: Path, role: Any) -> None:
    """A sound whose part has no name is told, and the other one is logged."""
    with told() as messages, Run(tmp_path) as run:
        run.log({role: GOOD, "target": GOOD}, step=1, sample_rate=16_000, example="utt")

    message = r"expected a role's name, such as 'prediction', got .*: pass \{'prediction': sound\}"
    assert_told(messages, f"the {role} of example 'utt' at step 1", message)
    assert [clip.role for clip in open_run(tmp_path).clips()] == ["target"]


class FailingFile:
    """A file on a disk that is gone."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self) -> NoReturn:
        """Fail."""
        raise self.error


class FailingDevice:
    """A sound on a device that has failed: its shape is known, its samples are out of reach."""

    shape, dtype, layout, sample_rate, num_bytes = (100,), "float32", "channels_last", None, 400

    @property
    def allocate(self) -> Allocate:
        return pageable

    def copy_into(self, buffer: object) -> NoReturn:
        """Fail, as CUDA does after a device-side assert."""
        raise RuntimeError("CUDA error: device-side assert triggered")

    def num_frames(self) -> None:
        """All of them."""


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (FailingFile(LookupError("gone")), LookupError, "LookupError: gone"),
        (FailingFile(ZeroDivisionError("?")), ZeroDivisionError, r"ZeroDivisionError: \?"),
        (FailingDevice(), RuntimeError, "RuntimeError: CUDA error: device-side assert triggered"),
    ],
)
def test_a_foreign_failure_costs_one_clip(
    tmp_path: Path, value: Any, error: type[Exception], message: str
) -> None:
    """Whatever a value raises while it is copied stays here, and is told with its name."""
    sounds = {"prediction": value, "target": GOOD}
    with told() as messages, Run(tmp_path / "run") as run:
        for step in range(2):
            run.log(sounds, step=step, sample_rate=16_000, example="utt")

    assert_told(messages, "the prediction of example 'utt' at step 0", message)
    assert [clip.role for clip in open_run(tmp_path / "run").clips()] == ["target"] * 2
    with (
        Run(tmp_path / "strict", strict=True) as run,
        pytest.raises(error, match=message.partition(": ")[2]),
    ):
        run.log(sounds, step=1, sample_rate=16_000)


def test_each_cause_is_told(tmp_path: Path) -> None:
    """Once a cause: another role, another tag, another kind of error is told as well."""
    with told() as messages, Run(tmp_path) as run:
        for tag in ("val", "test"):
            for role in ("prediction", "target"):
                for value in (None, GOOD[:0], None, GOOD[:0]):
                    run.log({role: value}, step=1, tag=tag, sample_rate=16_000)

    assert len(messages) == 2 * 2 * 2
