from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark import Audio, convert
from earmark.convert import (
    Allocate,
    ArraySource,
    host_lengths,
    pageable,
    read,
    source,
    sources,
    unpair,
    whole,
)
from earmark.errors import (
    ArgumentError,
    AudioTypeError,
    EarmarkError,
    ShapeError,
)
from earmark.samples import Layout

BATCH = (np.arange(60, dtype=np.int16) * 100).reshape(3, 20)


def lengths_of(batch: object) -> list[int]:
    """How many frames each sound of a batch has."""
    assert isinstance(batch, list)
    return [len(read(item)) for item in batch]


@pytest.mark.parametrize(
    "waveform",
    [np.zeros(9), np.zeros((9, 2)), [0.1, 0.2, 0.3], (0.1, 0.2, 0.3), [[0.1], [0.2]]],
    ids=["array", "stereo", "list", "tuple", "nested list"],
)
@pytest.mark.parametrize("rate", [16_000, 16_000.0, np.int64(16_000), np.array(16_000)])
def test_a_pair_is_a_waveform_and_its_rate(waveform: object, rate: object) -> None:
    """What `torchaudio.load` and `soundfile.read` return is taken apart."""
    taken, taken_rate = unpair((waveform, rate))
    assert taken is waveform
    assert taken_rate == 16_000


@pytest.mark.parametrize(
    "value",
    [
        (0.5, 0.25),
        (np.float32(0.5), np.float32(0.25)),
        (0.5, 0.25, 0.125),
        ([0.5], [0.25]),
        [np.zeros(3), 16_000],
        (np.zeros(3), None),
        (np.zeros(3), "16000"),
        np.zeros(2),
        None,
        "ab",
    ],
    ids=range(10),
)
def test_what_is_no_pair_is_left_alone(value: object) -> None:
    """Two numbers are two samples, and a list is never a pair."""
    taken, rate = unpair(value)
    assert taken is value
    assert rate is None


def test_a_source_knows_its_shape_without_reading() -> None:
    """An array's source has the array's shape, dtype, layout and size, and no copy of it."""
    array = np.zeros((20, 2), ">i2")[::2]
    found = source(array)
    assert isinstance(found, ArraySource)
    assert found.array is array
    assert (found.shape, found.dtype, found.layout) == ((10, 2), "int16", "channels_last")
    assert (found.num_bytes, found.sample_rate, found.num_frames()) == (40, None, None)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x,
        lambda x: x[::-1],
        lambda x: x[:, ::-1],
        lambda x: x[::3],
        np.asfortranarray,
        lambda x: x.astype(">i2"),
        lambda x: x.astype("<i2"),
        lambda x: np.broadcast_to(x[:1], (7, 2)),
    ],
    ids=["whole", "reversed", "swapped", "thirds", "Fortran", "big", "little", "broadcast"],
)
def test_a_source_copies_itself_in_this_machines_order(
    view: Callable[[NDArray[np.int16]], NDArray[np.int16]],
) -> None:
    """The buffer holds the samples contiguous and in native byte order, whatever the strides."""
    array = view(np.arange(20, dtype=np.int16).reshape(10, 2))
    before = array.tobytes()
    found = source(array)
    buffer = np.zeros(found.num_bytes, np.uint8)
    assert found.copy_into(buffer) is None
    assert buffer.view(np.int16).tolist() == array.ravel().tolist()
    assert array.tobytes() == before


def test_a_declared_layout_turns_the_samples() -> None:
    """Samples come out as (frames, channels), and own their memory."""
    array = np.arange(20, dtype=np.int16).reshape(2, 10)
    samples = read(source(array, layout="channels_first"))
    assert (samples * 32_768).tolist() == array.T.tolist()
    assert samples.flags.c_contiguous
    assert not np.shares_memory(samples, array)


def test_subclasses_of_arrays_are_arrays() -> None:
    """A matrix, which never has one axis, and a class that copies in its own way are read too."""

    class Stubborn(np.ndarray[Any, Any]):
        def __array_function__(self, *args: object) -> None:
            raise KeyError("no")

    samples = np.array([[0.5, -0.5]])
    for odd in (samples.view(np.matrix), samples.view(Stubborn)):
        assert read(source(odd)).tolist() == [[0.5], [-0.5]]
        assert lengths_of(sources(odd)) == [2]


@dataclass
class Tape:
    """A source that is copied elsewhere, such as a tensor on a device."""

    dtype: str
    data: NDArray[Any]
    kept: int | None = None
    layout: Layout = "channels_first"
    sample_rate: int | None = None
    arrived: bool = False

    @property
    def allocate(self) -> Allocate:
        return pageable

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def num_bytes(self) -> int:
        return self.data.nbytes

    def copy_into(self, buffer: NDArray[np.uint8]) -> Callable[[], None]:
        def wait() -> None:
            buffer[:] = self.data.view(np.uint8).ravel()
            self.arrived = True

        buffer[:] = 255
        return wait

    def num_frames(self) -> int | None:
        assert self.arrived, "lengths travel with the samples"
        return self.kept


def test_a_copy_is_waited_for_before_it_is_read() -> None:
    """Samples and lengths that are still under way are read once they have arrived."""
    data = np.array([[0.5, -0.5, 0.25]], np.float32)
    assert read(Tape("float32", data)).tolist() == [[0.5], [-0.5], [0.25]]
    cut = read(Tape("float32", data, kept=2))
    assert cut.tolist() == [[0.5], [-0.5]]
    assert cut.base is None, "a view would keep the padding alive"


def test_bfloat16_arrives_as_its_bits() -> None:
    """The dtype that numpy has not is widened from two bytes a sample."""
    bits = (np.array([[0.5, -1.0, 3.0]], np.float32).view(np.uint32) >> 16).astype(np.uint16)
    assert read(Tape("bfloat16", bits)).tolist() == [[0.5], [-1.0], [3.0]]


def test_a_batch_is_copied_as_a_whole() -> None:
    """One copy holds the samples of all sounds, one after the other, whatever the strides."""
    for batch in (BATCH, BATCH[::-1], BATCH.astype(">i2"), BATCH[:, ::3]):
        found = whole(batch)
        assert found is not None
        buffer = np.zeros(found.num_bytes, np.uint8)
        assert found.copy_into(buffer) is None
        assert buffer.view(np.int16).tolist() == batch.ravel().tolist()


def test_a_list_of_floats_is_an_array() -> None:
    """Lists, tuples, lists of channels' frames and lists of arrays are read as float64."""
    for listed in ([0.5, -0.5], (0.5, -0.5), [[0.5], [-0.5]], [np.float32(0.5), -0.5]):
        assert read(source(listed)).tolist() == [[0.5], [-0.5]]
    assert read(source([0, 0.5])).tolist() == [[0.0], [0.5]]


@pytest.mark.parametrize("listed", [[0, 1, 2], (1, 2), [[1], [2]], [2**63]], ids=range(4))
def test_a_list_of_integers_has_no_full_scale(listed: object) -> None:
    """Python's integers are neither 16 nor 32 bits: the error says how to say it."""
    with pytest.raises(
        AudioTypeError,
        match=r"expected a list of floats in \[-1, 1\], got integers, which have no agreed full "
        "scale: divide by it, or pass a numpy array of int16",
    ):
        source(listed)


def test_a_ragged_list_is_no_sound() -> None:
    """Rows of different lengths, and a list within itself, say that sounds come one by one."""
    endless: list[Any] = []
    endless.append(endless)
    for listed in ([[0.1, 0.2], [0.3]], [np.zeros(2), np.zeros(3)], endless):
        with pytest.raises(
            ShapeError,
            match=r"expected a list of numbers, got a list of \d items that make no array \(.*\): "
            "pass sounds one by one, or log_batch a list of them",
        ):
            source(listed)


@pytest.mark.parametrize(
    ("listed", "dtype"),
    [
        ([None, 0.5], "object"),
        (["a", "b"], "str"),
        ([True, False], "bool"),
        ([1j], "complex128"),
        ([b"a"], "bytes"),
        ([10**400, 0.5], "object"),
        ([{}], "object"),
    ],
)
def test_lists_of_anything_else_are_refused_by_dtype(listed: list[object], dtype: str) -> None:
    """What is no number in a list is an error that names what numpy made of it."""
    with pytest.raises(AudioTypeError, match=f"got {dtype}.*: "):
        source(listed)


@pytest.mark.parametrize("listed", [False, True], ids=["array", "list of arrays"])
def test_masked_samples_have_to_be_filled(listed: bool) -> None:
    """A mask is never dropped: it is the user who knows what is behind it."""
    masked = np.ma.masked_array(np.full((4, 2), 0.5), mask=[[False, True]] * 4)
    with pytest.raises(
        AudioTypeError,
        match=r"expected plain samples, got a masked array: fill what is masked, array.filled\(0\)",
    ):
        source(list(masked) if listed else masked)
    assert read(source(masked.filled(0))).tolist() == [[0.5, 0.0]] * 4


class Mystery:
    """A value that no converter knows."""


@pytest.mark.parametrize("value", [None, 3, 0.5, {"array": [0.1]}, {0.1}, range(3), Mystery(), int])
def test_unknown_types_are_refused_with_what_is_taken(value: object) -> None:
    """The error lists what is taken and names the type that came."""
    with pytest.raises(
        AudioTypeError,
        match=r"expected a path, a URL, encoded bytes, a binary file, an array, a list of floats, "
        r"a tensor, or a \(waveform, sample_rate\) pair, got "
        rf"{type(value).__name__}: convert it to a numpy array of shape \(frames,\) or \(frames, "
        r"channels\)",
    ):
        source(value)


@pytest.mark.parametrize("module", [None, "", "..", "no.such.package", "__main__", "a b"])
def test_types_of_odd_modules_are_unknown_types(module: str | None) -> None:
    """Classes that were made at run time, in no module or an odd one, get the same error."""
    odd = type("Odd", (), {"__module__": module})
    with pytest.raises(AudioTypeError, match="got Odd: convert it"):
        source(odd())


def test_an_entry_point_teaches_a_new_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that registers a converter for its types is found by them."""
    (tmp_path / "soundlab.py").write_text(
        "import numpy as np\n"
        "from earmark.convert import ArraySource\n"
        "class Tape:\n"
        "    def __init__(self, samples): self.samples = samples\n"
        "class Reel(Tape): pass\n"
        "def source(value, *, layout=None):\n"
        "    return ArraySource(np.asarray(value.samples), layout or 'channels_last', 8000)\n"
        "def sources(value, *, lengths=None, hop_length=None):\n"
        "    return [ArraySource(part, 'channels_last', 8000) for part in value.samples]\n"
    )
    info = tmp_path / "soundlab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: soundlab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[earmark.converters]\nsoundlab = soundlab\n")
    monkeypatch.syspath_prepend(tmp_path)
    soundlab = importlib.import_module("soundlab")
    try:
        audio = Audio(soundlab.Reel([0.5, 0.25]))
        assert (audio.sample_rate, audio.samples.tolist()) == (8000, [[0.5], [0.25]])
        assert lengths_of(sources(soundlab.Tape(np.zeros((2, 5))))) == [5, 5]
    finally:
        convert._find.cache_clear()  # pyright: ignore[reportPrivateUsage] - or it stays known
        del sys.modules["soundlab"]


def test_a_batch_is_sounds_along_its_first_axis() -> None:
    """Each row of (batch, frames), and each sheet of (batch, frames, channels), is a sound."""
    found = sources(BATCH)
    for row, item in zip(BATCH, found, strict=True):
        assert not isinstance(item, EarmarkError)
        assert (read(item)[:, 0] * 32_768).tolist() == row.tolist()
    assert lengths_of(sources(np.zeros((4, 20, 2)))) == [20] * 4
    assert lengths_of(sources(np.zeros((4, 1, 20)))) == [20] * 4
    assert sources(np.zeros((0, 20))) == []


@pytest.mark.parametrize(
    ("lengths", "hop_length", "frames"),
    [
        ([20, 5, 1], None, [20, 5, 1]),
        (np.array([20, 5, 1]), None, [20, 5, 1]),
        ((1.0, 0.25, 0.05), None, [20, 5, 1]),
        (np.array([1, 0.25, 0.05], np.float32), None, [20, 5, 1]),
        ([2, 1, 9], 10, [20, 10, 20]),
        ([np.int64(20), np.float32(0.25), 99], None, [20, 5, 20]),
    ],
    ids=range(6),
)
def test_lengths_cut_the_padding_off(
    lengths: object, hop_length: int | None, frames: list[int]
) -> None:
    """Lengths in samples, in parts and in hops each leave the sound and drop what is behind it."""
    assert lengths_of(sources(BATCH, lengths=lengths, hop_length=hop_length)) == frames
    for shape in ((3, 1, 20), (3, 20, 1), (3, 20, 2)):
        batch = np.zeros(shape, np.float32)
        assert lengths_of(sources(batch, lengths=lengths, hop_length=hop_length)) == frames


def test_one_bad_length_costs_one_sound() -> None:
    """The sound with a wrong length is an error in its place, and the others are sounds."""
    found = sources(BATCH, lengths=[20, 0, None])
    assert [type(item) for item in found] == [ArraySource, ShapeError, ArraySource]
    assert str(found[1]) == "expected a positive length in samples, got 0: skip empty sounds"


def test_a_shape_that_is_no_sound_is_an_error_in_each_place() -> None:
    """A batch of spectrograms gives an error for each, which asks for decode=."""
    for error in sources(np.zeros((2, 80, 100))):
        assert isinstance(error, ShapeError)
        assert "got shape (80, 100), which would be 100 channels of 80 frames" in str(error)
        assert "decode= it first" in str(error)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4, 5)])
def test_what_is_no_batch_is_refused_as_a_whole(shape: tuple[int, ...]) -> None:
    """A batch has two or three axes; the error names the other way to log."""
    with pytest.raises(ShapeError) as caught:
        sources(np.zeros(shape))
    assert str(caught.value) == (
        f"expected a batch of shape (batch, frames) or (batch, frames, channels), got shape {shape}"
        ": log one sound with log, or a list of sounds of any shapes"
    )


def test_a_batch_of_the_wrong_kind_is_refused_as_a_whole() -> None:
    """Dtype, mask, hop and type are wrong for all sounds alike, and so raise once."""
    with pytest.raises(AudioTypeError, match="got int64, which has no agreed full scale"):
        sources(np.zeros((2, 9), np.int64))
    with pytest.raises(AudioTypeError, match="got a masked array"):
        sources(np.ma.zeros((2, 9)))
    with pytest.raises(ArgumentError, match="expected hop_length as a positive integer"):
        sources(BATCH, lengths=[1, 1, 1], hop_length=0)
    with pytest.raises(AudioTypeError, match="got Mystery: convert it"):
        sources(Mystery())


@pytest.mark.parametrize("lengths", [[1, 2], [], np.zeros(4), np.zeros((2, 3))])
def test_there_is_one_length_for_each_sound(lengths: object) -> None:
    """Too many or too few lengths are an error that counts both."""
    with pytest.raises(
        ShapeError,
        match=r"expected one length for each of 3 sounds, got \d lengths: pass a list or a "
        "one-dimensional tensor of as many",
    ):
        sources(BATCH, lengths=lengths)


@pytest.mark.parametrize("lengths", [5, "abc", np.array(3), None, {1, 2, 3}])
def test_what_is_no_list_holds_no_lengths(lengths: object) -> None:
    """A single number and a text are an error that shows what came."""
    with pytest.raises(ShapeError, match=r"for each of 3 sounds, got .*: pass"):
        host_lengths(lengths, 3)
