"""Batches, lengths, captions and stems, against sounds cut out by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from earmark import Audio, EarmarkError
from earmark.convert import sources
from earmark.errors import (
    ArgumentError,
    ArgumentTypeError,
    AudioTypeError,
    SampleRateError,
    ShapeError,
)
from earmark_integrations import torch as tensors
from earmark_integrations.torch import to_audio, to_audios, to_stems
from tests.integrations.test_torch import noise, raises

LENGTHS_ARE_NUMBERS = (
    "expected each length as an integer (samples, or frames with hop_length=) or a float in (0, 1] "
    "(relative), got"
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int16], ids=str)
@pytest.mark.parametrize("shape", [(3, 500), (3, 1, 500), (3, 2, 500), (1, 2, 500), (3, 500, 1)])
def test_a_batch_is_its_sounds(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Each sound of a batch (B, T) or (B, C, T) equals the one picked from it by hand."""
    batch = noise(shape, dtype)
    assert to_audios(batch, 16_000) == [to_audio(batch[i], 16_000) for i in range(len(batch))]


def test_two_axes_are_a_batch_of_mono_sounds() -> None:
    """Within a batch, shape (2, T) is two sounds and never one in stereo."""
    assert [audio.num_channels for audio in to_audios(torch.zeros(2, 500), 16_000)] == [1, 1]


def test_a_list_of_tensors_is_a_batch() -> None:
    """Sounds of different lengths, channels and dtypes come as a list."""
    sounds = [noise((500,), torch.float32), noise((2, 300), torch.int16)]
    assert to_audios(sounds, 16_000) == [to_audio(sound, 16_000) for sound in sounds]


def test_an_empty_batch_is_no_sound() -> None:
    """No sounds make no `Audio`."""
    assert to_audios(torch.zeros(0, 1, 500), 16_000) == []
    assert to_audios([], 16_000) == []


def test_a_batch_pair_carries_its_rate() -> None:
    """A (batch, sample_rate) pair gives its rate to each sound."""
    rates = [audio.sample_rate for audio in to_audios((torch.zeros(2, 1, 500), 22_050))]
    assert rates == [22_050, 22_050]


def test_a_missing_rate_is_refused() -> None:
    """A batch needs a rate as one sound does."""
    with pytest.raises(SampleRateError, match="expected a sample rate in Hz beside raw"):
        to_audios(torch.zeros(2, 500))


LENGTHS: dict[str, Any] = {
    "list": [100, 250, 500],
    "tuple": (100, 250, 500),
    "array": np.array([100, 250, 500], dtype=np.int32),
    "list of numpy integers": list(np.array([100, 250, 500])),
    "int64 tensor": torch.tensor([100, 250, 500]),
    "int32 tensor": torch.tensor([100, 250, 500], dtype=torch.int32),
    "list of tensors": [torch.tensor(100), torch.tensor(250), torch.tensor(500)],
    "relative list": [0.2, 0.5, 1.0],
    "relative array": np.array([0.2, 0.5, 1.0]),
    "relative tensor": torch.tensor([0.2, 0.5, 1.0]),
    "relative bfloat16": torch.tensor([0.2, 0.5, 1.0], dtype=torch.bfloat16),
    "with a graph": torch.tensor([0.2, 0.5, 1.0], requires_grad=True),
    "fractions": [Fraction(1, 5), Fraction(1, 2), Fraction(1)],
    "longer than the sound": [100, 250, 800],
}


@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("shape", [(3, 500), (3, 2, 500), (3, 500, 1)])
def test_lengths_cut_off_the_padding(shape: tuple[int, ...], kind: str) -> None:
    """In each of their forms, lengths keep the leading frames of each sound and no more."""
    batch = noise(shape, torch.float32)
    cut = [
        Audio(sound.samples[:kept], 16_000)
        for sound, kept in zip(to_audios(batch, 16_000), [100, 250, 500], strict=True)
    ]
    assert to_audios(batch, 16_000, lengths=LENGTHS[kind]) == cut


@pytest.mark.parametrize("lengths", [[1, 2], torch.tensor([1, 2]), np.array([1, 2])])
def test_a_hop_makes_samples_of_frames(lengths: Any) -> None:
    """With `hop_length`, integer lengths count frames of so many samples."""
    audios = to_audios(torch.zeros(2, 1000), 16_000, lengths=lengths, hop_length=256)
    assert [audio.num_frames for audio in audios] == [256, 512]


def test_relative_lengths_do_not_count_hops() -> None:
    """A hop changes nothing about a relative length."""
    [audio] = to_audios(torch.zeros(1, 1000), 16_000, lengths=[0.5], hop_length=256)
    assert audio.num_frames == 500


def test_a_trimmed_stereo_sound_keeps_its_layout() -> None:
    """Two channels cut down to one frame remain two channels."""
    [audio] = to_audios(torch.ones(1, 2, 500), 16_000, lengths=[1])
    assert (audio.num_channels, audio.num_frames) == (2, 1)


def test_lengths_trim_a_list() -> None:
    """A list of padded sounds is trimmed as a batch is."""
    audios = to_audios([torch.zeros(500), torch.zeros(2, 300)], 16_000, lengths=[100, 0.5])
    assert [(audio.num_channels, audio.num_frames) for audio in audios] == [(1, 100), (2, 150)]


def test_no_length_is_the_whole_sound() -> None:
    """Where a list of lengths has `None`, nothing is cut off."""
    audios = to_audios(torch.zeros(2, 500), 16_000, lengths=[None, 100])
    assert [audio.num_frames for audio in audios] == [500, 100]


def test_one_bad_length_costs_one_sound() -> None:
    """A sound that lengths leave nothing of is an error in its place; the others stay."""
    first, second, third = sources(torch.ones(3, 500), lengths=[0, 100, -5])
    assert isinstance(first, ShapeError)
    assert str(first) == "expected a positive length in samples, got 0: skip empty sounds"
    assert not isinstance(second, EarmarkError)
    assert second.shape == (100,)
    assert isinstance(third, ShapeError)


def test_one_bad_sound_of_a_list_costs_one_sound() -> None:
    """What is no sound is an error in its place; lengths of the others still hold."""
    first, second = tensors.sources([torch.zeros(80, 400), torch.zeros(500)], lengths=[5, 5])
    assert isinstance(first, ShapeError)
    assert not isinstance(second, EarmarkError)
    assert second.shape == (5,)


@pytest.mark.parametrize(
    ("batch", "lengths", "message"),
    [
        (
            torch.zeros(2, 500),
            [100, 0],
            "batch[1]: expected a positive length in samples, got 0: skip empty sounds",
        ),
        (
            torch.zeros(2, 500),
            [100.0, 0.5],
            (
                "batch[0]: expected a relative length in (0, 1], got 100.0: pass integers to count "
                "samples, and skip empty sounds"
            ),
        ),
        (
            [torch.zeros(500), torch.zeros(0)],
            None,
            (
                "batch[1]: expected one sound of shape (T,) or (C, T), got shape (0,), which holds "
                "no frames: skip empty sounds"
            ),
        ),
    ],
)
def test_to_audios_names_the_first_bad_sound(batch: Any, lengths: Any, message: str) -> None:
    """At once means all or an error, which says which sound of the batch it is about."""
    with raises(ShapeError, message):
        to_audios(batch, 16_000, lengths=lengths)


@pytest.mark.parametrize("lengths", [torch.tensor([5, 5, 5]), torch.zeros(2, 1), torch.tensor(5)])
def test_lengths_of_another_shape_are_refused(lengths: torch.Tensor) -> None:
    """One length for each sound: the error names both shapes."""
    message = (
        f"expected one length for each of 2 sounds, shape (2,), got shape {tuple(lengths.shape)}: "
        "pass a one-dimensional tensor of as many, of a mask mask.sum(-1)"
    )
    with raises(ShapeError, message):
        to_audios(torch.zeros(2, 500), 16_000, lengths=lengths)


@pytest.mark.parametrize(
    ("lengths", "got"), [([5, 5, 5], "3 lengths"), (np.ones(4), "4 lengths"), (5, "5 (int)")]
)
def test_another_number_of_lengths_is_refused(lengths: Any, got: str) -> None:
    """Lists and arrays must hold one length for each sound, too."""
    message = (
        f"expected one length for each of 2 sounds, got {got}: pass a list or a one-dimensional "
        "tensor of as many"
    )
    with raises(ShapeError, message):
        to_audios(torch.zeros(2, 500), 16_000, lengths=lengths)


def test_masks_are_refused() -> None:
    """True may mark sound or padding, so that a mask must be summed by who knows."""
    message = (
        "expected lengths as integers (samples, or frames with hop_length=) or as floats in (0, 1] "
        "(relative), got a mask of shape (2, 500): pass mask.sum(-1) if it is True where there is "
        "sound, (~mask).sum(-1) if it is True where there is padding"
    )
    with raises(ArgumentTypeError, message):
        to_audios(torch.zeros(2, 500), 16_000, lengths=torch.ones(2, 500, dtype=torch.bool))


@pytest.mark.parametrize(
    ("lengths", "got"),
    [
        (np.ones((2, 500), dtype=bool), "[True, True, True, True, True, True, ...]"),
        ([True, False], "True"),
        (["5", "5"], "'5'"),
        ([torch.ones(1), torch.ones(1)], "tensor([1.])"),
        ([torch.tensor(5), torch.tensor(5, device="meta")], "tensor(5)"),
        (torch.ones(2, dtype=torch.complex64), "(1+0j)"),
    ],
)
def test_lengths_that_are_no_numbers_are_refused(lengths: Any, got: str) -> None:
    """Masks in lists and arrays, and whatever else is no number, are named."""
    message = f"batch[0]: {LENGTHS_ARE_NUMBERS} {got}: sum a mask to get lengths"
    with raises(ArgumentTypeError, message):
        to_audios(torch.zeros(2, 500), 16_000, lengths=lengths)


def test_lengths_without_values_are_refused() -> None:
    """Lengths on the meta device hold no lengths."""
    message = (
        "expected lengths as a dense tensor, got one on the meta device, which holds no values: "
        "move the model to a real device"
    )
    with raises(ArgumentTypeError, message):
        to_audios(torch.zeros(2, 500), 16_000, lengths=torch.ones(2, device="meta"))


@pytest.mark.parametrize("hop", [0, -256, 2.5, True, "256"])
def test_a_hop_is_a_positive_integer(hop: Any) -> None:
    """A hop that counts no samples is refused before any length is read."""
    message = (
        "expected hop_length as a positive integer, the samples between two frames that lengths "
        f"count, got {hop!r}: leave it out where lengths count samples"
    )
    with raises(ArgumentError, message):
        to_audios(torch.zeros(2, 500), 16_000, lengths=[1, 1], hop_length=hop)


@pytest.mark.parametrize("shape", [(), (500,)])
def test_one_sound_is_no_batch(shape: tuple[int, ...]) -> None:
    """A single sound goes to the function for one."""
    message = (
        f"expected a batch of shape (B, T) or (B, C, T), got shape {shape}: one sound goes to log "
        "or to_audio"
    )
    with raises(ShapeError, message):
        to_audios(torch.zeros(shape), 16_000)


@pytest.mark.parametrize("shape", [(2, 4, 2, 500), (2, 1, 80, 40), (2, 1, 513, 40, 2)])
def test_four_axes_are_no_batch(shape: tuple[int, ...]) -> None:
    """Stems must be declared, spectrograms decoded."""
    message = (
        f"expected a batch of shape (B, T) or (B, C, T), got shape {shape}: name stems with "
        "to_stems, (B, S, T) or (B, S, C, T); decode= spectrograms and latents first"
    )
    with raises(ShapeError, message):
        to_audios(torch.zeros(shape), 16_000)


@pytest.mark.parametrize("shape", [(2, 80, 400), (2, 64, 32), (2, 500, 2)])
def test_mels_and_transposed_batches_are_refused(shape: tuple[int, ...]) -> None:
    """A batch of mels or latents, or one with channels last, is named, never guessed about."""
    message = (
        f"expected a batch of shape (B, T) or (B, C, T), got shape {shape}, sounds of {shape[1]} "
        f"channels and {shape[2]} frames: if they are transposed, pass batch.mT; if it is meant "
        "so, pass each to to_audio with layout='channels_first'; decode= mels, spectrograms and "
        "latents first"
    )
    with raises(ShapeError, message):
        to_audios(torch.zeros(shape), 16_000)


@pytest.mark.parametrize("shape", [(2, 0), (2, 2, 0), (0, 2, 0)])
def test_batches_without_frames_are_refused(shape: tuple[int, ...]) -> None:
    """A batch of empty sounds is an error, as an empty sound is."""
    message = (
        f"expected one sound of shape (T,) or (C, T), got shape {shape[1:]}, which holds no "
        "frames: skip empty sounds"
    )
    with raises(ShapeError, message):
        to_audios(torch.zeros(shape), 16_000)


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64], ids=str)
def test_batches_of_codes_and_spectra_are_refused(dtype: torch.dtype) -> None:
    """Codes and spectra are recognised by their dtype, and ask for `decode=`."""
    with pytest.raises(AudioTypeError, match="decode="):
        to_audios(torch.zeros((2, 8, 50), dtype=dtype), 16_000)


def test_an_array_is_no_batch_of_tensors() -> None:
    """What is no tensor is named, with the way out."""
    message = (
        "expected a tensor, got ndarray: torch.as_tensor makes one of an array, and earmark.Audio "
        "takes everything else"
    )
    with raises(AudioTypeError, message):
        to_audios(np.zeros((2, 500)), 16_000)


def test_each_sound_has_its_caption() -> None:
    """Captions go with the sounds in their order; `None` is no caption."""
    audios = to_audios(torch.zeros(2, 500), 16_000, captions=["one", None])
    assert [audio.caption for audio in audios] == ["one", None]


def test_one_caption_for_all_is_refused() -> None:
    """A text is no list of captions, though it could be taken for one of letters."""
    message = (
        "expected captions as a list, one for each of 2 sounds, got 'ab' (str): repeat one with "
        "[caption] * 2"
    )
    with raises(ArgumentTypeError, message):
        to_audios(torch.zeros(2, 500), 16_000, captions="ab")


def test_another_number_of_captions_is_refused() -> None:
    """Captions never slide from one sound to another."""
    message = "expected one caption for each of 2 sounds, got 1: pass None where there is none"
    with raises(ArgumentError, message):
        to_audios(torch.zeros(2, 500), 16_000, captions=["one"])


@pytest.mark.parametrize("shape", [(3, 4, 500), (3, 4, 1, 500), (3, 4, 2, 500)])
def test_stems_are_cut_along_the_second_axis(shape: tuple[int, ...]) -> None:
    """Each stem of each mixture equals the one picked by hand, trimmed to its mixture's length."""
    batch, names = noise(shape, torch.float32), ["drums", "bass", "other", "vocals"]
    lengths = torch.tensor([100, 200, 500])
    mixtures = to_stems(batch, 44_100, names, lengths=lengths)
    assert mixtures == [
        {name: to_audio(batch[i, s, ..., :kept], 44_100) for s, name in enumerate(names)}
        for i, kept in enumerate(lengths.tolist())
    ]


@pytest.mark.parametrize("shape", [(3, 500), (3, 4, 500), (3, 2, 1, 1, 500)])
def test_another_number_of_stems_is_refused(shape: tuple[int, ...]) -> None:
    """The error names the stems and the shape that does not hold them."""
    message = (
        "expected shape (B, S, T) or (B, S, C, T) with S = 2 stems, speech, noise, got shape "
        f"{shape}: name every stem of the second axis, or move the stems there with batch.movedim"
    )
    with raises(ShapeError, message):
        to_stems(torch.zeros(shape), 16_000, ["speech", "noise"])


@pytest.mark.parametrize("stems", ["ab", 2, [1, 2], {"a": 1}])
def test_stems_are_a_list_of_names(stems: Any) -> None:
    """Stems are declared by name."""
    message = (
        f"expected stems as a list of names, such as ['drums', 'bass'], got {stems!r} "
        f"({type(stems).__name__})"
    )
    with raises(ArgumentTypeError, message):
        to_stems(torch.zeros(1, 2, 500), 16_000, stems)


@pytest.mark.parametrize("stems", [[], ["a", "a"]])
def test_stems_have_different_names(stems: list[str]) -> None:
    """No stem hides another."""
    message = f"expected the name of each stem once, got {stems!r}: name them all, and differently"
    with raises(ArgumentError, message):
        to_stems(torch.zeros(1, 2, 500), 16_000, stems)
