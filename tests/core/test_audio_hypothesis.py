"""Every array is either refused by name or comes back as its nearest float32, and nothing else."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from earmark import Audio
from earmark.codec import choose, encode
from earmark.errors import AudioTypeError, EarmarkError, ShapeError
from earmark.samples import Layout, Samples

FULL_SCALE = {"int8": 2**7, "uint8": 2**7, "int16": 2**15, "int32": 2**31}
FLOATS = ("float16", "float32", "float64", "longdouble")
REFUSED = ("int64", "uint16", "uint32", "uint64", "bool", "complex64", "object", "U4", "M8[s]")
LEVELS = ("silence", "tiny", "normal", "full scale", "over", "huge", "non-finite")
VIEWS = ("as it is", "reversed", "thinned", "Fortran", "planar", "broadcast", "unaligned")
RATES = (
    st.sampled_from([16_000, 44_100, 65_535, 65_536, 655_350, 655_360, 2**31 - 1])
    | st.integers(1, 65_535)
    | st.integers(1, 65_535).map(lambda tens: tens * 10)
    | st.integers(1, 2**31 - 1)
)


@dataclass
class Case:
    """An array, and the memory that it is a view of."""

    array: NDArray[Any]
    memory: NDArray[Any]
    name: str

    def __repr__(self) -> str:
        return f"{self.name} {self.array.dtype.str} {self.array.shape} {self.array.strides}"


def levelled(random: np.random.Generator, level: str, count: int) -> NDArray[np.longdouble]:
    """Numbers of one level, exact limits among them."""
    noise = random.uniform(-1, 1, count).astype(np.longdouble)
    top = np.longdouble(np.finfo(np.float32).max)
    special = {
        "silence": [0.0, -0.0],
        "tiny": [1e-7, 1e-45, -1e-46, 2.0**-24, 1e-300],
        "normal": [0.5, 1 / 3, -0.1],
        "full scale": [1.0, -1.0, 1 - 2.0**-24, 1 - 2.0**-25, 1 - 2.0**-53],
        "over": [1.0000001, -1.5, 1 + 2.0**-52],
        "huge": [top, top * (1 + np.longdouble(2) ** -25), top * (1 + np.longdouble(2) ** -26)],
        "non-finite": [np.nan, np.inf, -np.inf, 0.25],
    }[level]
    scale = {"silence": 0.0, "tiny": 1e-6, "over": 40.0, "huge": 1e38}.get(level, 1.0)
    noise *= scale
    positions = random.random(count) < 0.4
    noise[positions] = random.choice(np.array(special, np.longdouble), positions.sum())
    return noise


def filled(random: np.random.Generator, dtype: np.dtype[Any], level: str, count: int) -> Any:
    """Samples of any dtype at one level."""
    name = dtype.name
    if dtype.kind in "iu":
        limits = np.iinfo(name)
        middle = 128 if name == "uint8" else 0
        reach = {"silence": 0, "tiny": 2}.get(level, int(limits.max) - middle)
        low = max(int(limits.min), middle - reach - 1) if reach else middle
        numbers = random.integers(low, middle + reach, count, dtype=name, endpoint=True)
        if level == "full scale":
            numbers[random.random(count) < 0.5] = limits.min
        return numbers.astype(dtype)
    with np.errstate(all="ignore"):
        if dtype.kind in "fc":
            return levelled(random, level, count).astype(dtype)
        return levelled(random, "normal", count).astype(np.float64).astype("i8").astype(dtype)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Arrays of every dtype, byte order, shape, level and kind of strides."""
    kinds = st.sampled_from(FLOATS) | st.sampled_from(list(FULL_SCALE)) | st.sampled_from(REFUSED)
    dtype = np.dtype(draw(kinds))
    dtype = draw(st.sampled_from([dtype, dtype.newbyteorder()]))
    side = st.sampled_from([1, 2, 3, 31, 32, 33, 40]) | st.integers(0, 60)
    shape = draw(
        st.tuples(st.integers(1, 200))
        | st.tuples(st.integers(2, 60), st.integers(1, 3))
        | st.tuples(side, side)
        | st.lists(side, max_size=3).map(tuple)
    )
    level = draw(st.sampled_from(LEVELS))
    view = draw(st.sampled_from(VIEWS)) if shape else "as it is"
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    memory_shape = tuple(side * 2 for side in shape) if view == "thinned" else shape
    memory = filled(random, dtype, level, math.prod(memory_shape)).reshape(memory_shape)
    array = memory
    if view == "reversed":
        array = memory[(slice(None, None, -1),) * len(shape)]
    elif view == "thinned":
        array = memory[(slice(None, None, 2),) * len(shape)]
    elif view == "Fortran":
        array = memory = np.asfortranarray(memory)
    elif view == "planar":
        array = memory.T
    elif view == "broadcast":
        array = np.broadcast_to(memory[:1], (3 if shape[0] else 0, *shape[1:]))
    elif view == "unaligned" and dtype.kind not in "OM":
        memory = np.frombuffer(b"x" + memory.tobytes(), np.uint8)
        array = memory[1:].view(dtype).reshape(shape)
    if draw(st.booleans()):
        array.flags.writeable = False
    return Case(array, memory, f"{view}, {level}")


def nearest_float32(value: Fraction) -> float:
    """The nearest float32 to an exact number, ties to even, in integer arithmetic."""
    if value == 0:
        return 0.0
    magnitude = abs(value)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    exponent -= magnitude < Fraction(2) ** exponent
    step = Fraction(2) ** (max(exponent, -126) - 23)
    rounded = round(magnitude / step) * step
    size = math.inf if rounded >= 2**128 else float(rounded)
    return math.copysign(size, value)


def expected_sample(value: Any, name: str) -> float:
    """What a sample of this dtype has to become."""
    if name in FULL_SCALE:
        middle = 128 if name == "uint8" else 0
        return nearest_float32(Fraction(int(value) - middle, FULL_SCALE[name]))
    if not np.isfinite(value):
        return float(value)
    return nearest_float32(Fraction(*value.as_integer_ratio()))


def expected_frames(array: NDArray[Any], layout: Layout | None) -> NDArray[Any] | None:
    """The array as (frames, channels), or None where the design says that it is no sound."""
    if array.ndim == 1:
        return array[:, None] if array.size else None
    if array.ndim != 2 or array.size == 0:
        return None
    if layout is not None:
        return array.T if layout == "channels_first" else array
    if array.shape[0] == 1:
        return array.T
    mono = array.shape[1] == 1
    return array if mono or array.shape[1] <= min(32, array.shape[0] - 1) else None


def look_of(case: Case) -> tuple[object, ...]:
    """All that must not change in the caller's array."""
    array = case.array
    flags = (array.flags.writeable, array.flags.owndata)
    return case.memory.tobytes(), array.shape, array.strides, array.dtype, flags


def attempt(case: Case, rate: int, layout: Layout | None) -> Audio | EarmarkError:
    """The sound, or the error of ours; any other exception fails the test."""
    try:
        return Audio(case.array, rate, layout=layout)
    except EarmarkError as error:
        return error


@settings(max_examples=1000)
@given(cases(), st.sampled_from([None, "channels_first", "channels_last"]), RATES)
def test_an_array_is_refused_by_name_or_comes_back_as_its_nearest_float32(
    case: Case, layout: Layout | None, rate: int
) -> None:
    """Any dtype, shape, strides, byte order, layout and level: our error, or every sample."""
    before = look_of(case)
    name = case.array.dtype.name
    holds_sound = name in FULL_SCALE or case.array.dtype.kind == "f"
    frames = expected_frames(case.array, layout) if holds_sound else None
    audio = attempt(case, rate, layout)
    if isinstance(audio, Audio):
        event(f"taken {name}")
        assert frames is not None
        expected = np.array([[expected_sample(value, name) for value in row] for row in frames])
        np.testing.assert_array_equal(audio.samples, expected)
        assert audio.samples.dtype == np.float32
        assert audio.sample_rate == rate
        assert not np.shares_memory(audio.samples, case.memory)
        finite = np.isfinite(expected)
        assert audio.level.num_nonfinite == np.count_nonzero(~finite)
        assert audio.level.num_over == np.count_nonzero(np.abs(expected[finite]) > 1)
    else:
        event("refused")
        assert frames is None, audio
        assert isinstance(audio, ShapeError if holds_sound else AudioTypeError)
        assert str(case.array.shape if holds_sound else name) in str(audio)
    assert look_of(case) == before


@st.composite
def float_samples(draw: st.DrawFn) -> Samples:
    """Sounds of (frames, channels) at every level, 16-bit and 24-bit values among them."""
    shape = (draw(st.integers(1, 40)), draw(st.sampled_from([1, 2, 3, 8, 9, 40])))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from([*LEVELS, "16 bit", "24 bit"]))
    if kind.endswith("bit"):
        scale = 1 << (int(kind[:2]) - 1)
        return (random.integers(-scale, scale, shape) / scale).astype(np.float32)
    count = shape[0] * shape[1]
    return np.asarray(filled(random, np.dtype(np.float32), kind, count), np.float32).reshape(shape)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all examples of a test put their file."""
    return tmp_path_factory.mktemp("sounds")


CAPTIONS = st.none() | st.text(st.characters(), max_size=20)
FORMATS = st.sampled_from(["WAV", "FLAC", "OGG", "AIFF"])


@settings(max_examples=300)
@given(float_samples(), RATES, CAPTIONS)
@example(np.ones((1, 1), np.float32), 2**31 - 1, "\ud800")
def test_a_sound_survives_json(samples: Samples, rate: int, caption: str | None) -> None:
    """Any samples, rate and caption: strict JSON gives back an equal sound, sample by sample."""
    audio = Audio(samples, rate, caption, layout="channels_last")
    again = Audio.from_json(json.loads(json.dumps(audio.to_json(), allow_nan=False)))
    assert again == audio
    assert hash(again) == hash(audio)
    assert (again.sample_rate, again.caption) == (rate, caption)
    np.testing.assert_array_equal(again.samples, samples)


@settings(max_examples=60)
@given(float_samples(), st.sampled_from([8000, 16_000, 48_000]), CAPTIONS, FORMATS)
def test_an_encoded_sound_survives_json(
    folder: Path, samples: Samples, rate: int, caption: str | None, kind: str
) -> None:
    """Files and encoded bytes of any format come back as what soundfile reads from them."""
    path = folder / "sound"
    soundfile.write(path, np.nan_to_num(samples[:, :8].clip(-1, 1)), rate, format=kind)
    read, _ = soundfile.read(path, dtype="float32", always_2d=True)
    for value in (path, path.read_bytes()):
        audio = Audio(value, caption=caption)
        again = Audio.from_json(json.loads(json.dumps(audio.to_json(), allow_nan=False)))
        assert again == audio
        np.testing.assert_array_equal(again.samples, read)


@given(st.text(max_size=30), st.none() | RATES, CAPTIONS)
def test_a_reference_survives_json(rest: str, rate: int | None, caption: str | None) -> None:
    """Any URL comes back as it was, without being fetched."""
    audio = Audio(f"https://{rest}", rate, caption)
    again = Audio.from_json(json.loads(json.dumps(audio.to_json(), allow_nan=False)))
    assert again == audio
    assert again.resolve_ref() == f"https://{rest}"


@settings(max_examples=400)
@given(float_samples(), RATES)
def test_what_is_stored_is_what_was_made(samples: Samples, rate: int) -> None:
    """16-bit values and WAV are exact, 24 bits within 2^-24, nothing over full scale is lost."""
    finite = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    encoding = choose(finite, rate)
    buffer = io.BytesIO()
    encode(buffer, finite, rate, encoding)
    buffer.seek(0)
    info = soundfile.info(buffer)
    assert (info.format, info.subtype) == (encoding.format, encoding.subtype)
    buffer.seek(0)
    back, back_rate = soundfile.read(buffer, dtype="float64", always_2d=True)
    assert (back.shape, back_rate) == (finite.shape, rate)
    event(encoding.subtype)
    exact = finite.astype(np.float64)
    flac_holds_it = (
        np.abs(exact).max() <= 1
        and samples.shape[1] <= 8
        and (rate < 65_536 or (rate % 10 == 0 and rate <= 655_350))
    )
    in_16_bits = bool(np.all(exact * 2**15 % 1 == 0)) and exact.max() < 1
    assert encoding.format == ("FLAC" if flac_holds_it else "WAV")
    assert (encoding.subtype == "PCM_16") == (in_16_bits and flac_holds_it)
    if encoding.subtype == "PCM_24":
        at_the_top = exact == 1
        assert np.all(back[at_the_top] == 1 - 2**-23)
        assert np.abs(back - exact)[~at_the_top].max(initial=0) <= 2**-24
    else:
        np.testing.assert_array_equal(back, exact)


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(["", "WAV", "FLAC", "OGG"]), st.integers(0, 300))
def test_no_bytes_are_an_exception_of_anyone_else(noise: bytes, kind: str, position: int) -> None:
    """Random bytes, alone or in the middle of a real file, are an error of ours or a sound."""
    buffer = io.BytesIO(b"")
    if kind:
        soundfile.write(buffer, np.sin(np.arange(300)) / 2, 8000, format=kind)
    data = buffer.getvalue()
    damaged = data[:position] + noise + data[position + len(noise) // 2 :]
    try:
        samples = Audio(damaged).samples
    except EarmarkError:
        event("refused")
    else:
        event("a sound")
        assert samples.ndim == 2
