from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark import Run, open_run
from tests.core.faults import flushing, told


class Failing:
    """A value that fails as soon as it is looked into."""

    def __len__(self) -> NoReturn:
        raise LookupError

    def read(self) -> NoReturn:
        """Fail."""
        raise LookupError


def tensor_of(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """A tensor of zeros."""
    return torch.zeros(shape, dtype=dtype)


SHAPES = st.lists(st.integers(0, 3), max_size=4).map(tuple)
ARRAYS = st.builds(
    np.zeros,
    SHAPES,
    st.sampled_from(["f4", "f8", ">f2", "i2", "u1", "i8", "?", "c8", "O", "U1", "M8[s]"]),
)
TENSORS = st.builds(
    tensor_of,
    SHAPES,
    st.sampled_from([torch.float32, torch.bfloat16, torch.int16, torch.int64, torch.complex64]),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.builds(Failing)
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS | ARRAYS | TENSORS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from(["prediction", "target", 5, ""]), inner, max_size=2)
    ),
    max_leaves=4,
)
GOOD = [[0.1, 0.2, 0.3]] * 2
SOUNDS = st.fixed_dictionaries({"prediction": ANYTHING, "target": st.just(GOOD)}) | ANYTHING
PLACE = ("step", "epoch", "tag")
ONE = (*PLACE, "sample_rate", "caption", "example", "metrics", "layout")
MANY = (*PLACE, "sample_rate", "lengths", "hop_length", "captions", "examples", "metrics")


def some(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Usual arguments, of which some are anything at all."""
    usual: dict[str, Any] = {"step": 1, "sample_rate": 8000}
    wrong = st.fixed_dictionaries({}, optional=dict.fromkeys(names, ANYTHING))
    return wrong.map(lambda arguments: usual | arguments)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run that is logged whatever comes to mind."""
    with Run(tmp_path_factory.mktemp("anything") / "run") as run:
        run.log({"prediction": GOOD[0]}, step=0, sample_rate=8000)
        yield run


@settings(max_examples=60)
@given(SOUNDS, some(ONE))
def test_log_never_raises_into_training(run: Run, sounds: Any, arguments: dict[str, Any]) -> None:
    """Whatever is passed for any argument, the call returns; at most it is told."""
    with told(), flushing(run):
        run.log(sounds, **arguments)


@settings(max_examples=60)
@given(SOUNDS, some(MANY))
def test_log_batch_never_raises_into_training(
    run: Run, sounds: Any, arguments: dict[str, Any]
) -> None:
    """Whatever is passed for any argument, the call returns; at most it is told."""
    with told(), flushing(run):
        run.log_batch(sounds, **arguments)


@settings(max_examples=60)
@given(SOUNDS, some(PLACE))
def test_take_never_raises_into_training(run: Run, sounds: Any, place: dict[str, Any]) -> None:
    """Wherever it is said to be, the block runs to its end; at most it is told."""
    place.pop("sample_rate")
    with told(), flushing(run), run.take(**place) as take:
        take.add(sounds, sample_rate=8000)
        take.add_batch(sounds, sample_rate=8000)


def test_what_was_published_of_it_is_sound(run: Run) -> None:
    """After all that the run is strict JSON without nulls, and every clip in it can be heard."""
    run.flush()
    for file in Path(run.path).rglob("*.jsonl"):
        for line in file.read_text(encoding="utf-8").split("\n")[:-1]:
            assert None not in json.loads(line, parse_constant=pytest.fail).values()
    clips = list(open_run(run.path).clips(all_versions=True))
    for clip in clips:
        if not clip.audio.resolve_ref():
            assert clip.audio.samples.shape == (clip.audio.num_frames, clip.audio.num_channels)
    assert clips
