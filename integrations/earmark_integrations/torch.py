"""Tensors: one sound, a batch with lengths, or stems, to sources and to `Audio`.

Tensors have torchaudio's layout: one sound is `(T,)` or `(C, T)`, a batch `(B, T)` or
`(B, C, T)`. `source` and `sources` are what `earmark.convert` finds here for every
`torch.Tensor`; `to_audio`, `to_audios` and `to_stems` make sounds at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray

from earmark import Audio
from earmark.convert import Wait, host_lengths, pageable, unpair
from earmark.errors import ArgumentError, ArgumentTypeError, EarmarkError, ShapeError
from earmark.lengths import checked_hop, num_frames
from earmark.samples import Layout, resolve_layout
from earmark_integrations._cuda import pinned
from earmark_integrations._tensor import TensorSource, checked_tensor, obstacle, start_copy

Lengths: TypeAlias = torch.Tensor | NDArray[Any] | Sequence[Any] | None
"""How much of each sound of a batch is no padding: a tensor, an array or a list.

Integers count samples, or frames of `hop_length`; floats in (0, 1] are relative to the padded
sound; `None` in a list is a whole one.
"""


def source(value: Any, *, layout: Layout | None = None) -> TensorSource:
    """Find out how one sound is read, without reading it.

    Args:
        value: A tensor of shape `(T,)` or `(C, T)`; floats, or PCM of int8, uint8, int16, int32.
        layout: Which axis holds the channels, where the shape alone does not say.

    Raises:
        AudioTypeError: If it is no dense tensor, or its dtype has no full scale.
        ShapeError: If the shape is not one sound.
    """
    tensor = checked_tensor(value)
    shape = tuple(tensor.shape)
    if len(shape) > 2:
        raise ShapeError(
            f"expected one sound of shape (T,) or (C, T), got shape {shape}: pick one sound, or "
            "log a batch with log_batch or to_audios; decode= a spectrogram or latent first"
        )
    return TensorSource(tensor, resolve_layout(shape, layout, convention="channels_first"))


def sources(
    value: Any, *, lengths: Lengths = None, hop_length: int | None = None
) -> list[TensorSource | EarmarkError]:
    """Find out how each sound of a batch is read, without reading one.

    Lengths on this machine cut off the padding before the copy; lengths on a device travel beside
    the samples, and cut it off behind.

    Args:
        value: A tensor of shape `(B, T)` or `(B, C, T)`, or a list of tensors, each one sound.
        lengths: How much of each sound is no padding; see `Lengths`.
        hop_length: What integer lengths count, in samples; 1 if not given.

    Returns:
        One source for each sound, or the error that says why it is none.

    Raises:
        AudioTypeError: If it is no dense tensor, or its dtype has no full scale.
        ShapeError: If the shape is not a batch, or the lengths are not one for each sound.
        ArgumentTypeError: If the lengths are a mask.
        ArgumentError: If the hop is no positive integer.
    """
    hop = checked_hop(hop_length)
    whole = _whole(value)
    given = _lengths(lengths, len(whole))
    return [_without_padding(one, length, hop) for one, length in zip(whole, given, strict=True)]


def whole(value: Any) -> TensorSource | None:
    """Find out how all sounds of a batch that `sources` has taken are copied at once, if so."""
    if not isinstance(value, torch.Tensor):
        return None
    return TensorSource(checked_tensor(value), "channels_first")


def to_audio(
    waveform: torch.Tensor | tuple[torch.Tensor, Any],
    sample_rate: Any = None,
    caption: str | None = None,
    *,
    layout: Layout | None = None,
) -> Audio:
    """Make an `Audio` of one sound, at once.

    Args:
        waveform: A tensor of shape `(T,)` or `(C, T)`: floats with full scale 1.0, or PCM of int8,
            uint8, int16 or int32; on any device, with or without a graph. Or a
            `(waveform, sample_rate)` pair.
        sample_rate: In Hz; needed where the waveform does not carry it.
        caption: What to show beside the sound.
        layout: `"channels_first"` or `"channels_last"`, where the shape alone does not say.

    Raises:
        AudioTypeError: If the tensor's dtype or kind holds no sound.
        ShapeError: If the shape is not that of one sound, or is one only in another layout.
        SampleRateError: If the rate is missing, impossible, or not the one in the pair.

    Example:
        >>> to_audio(torch.zeros(2, 8000, dtype=torch.bfloat16), 16_000, "silence")
        Audio(2 channels, 0.500 s, 16000 Hz, caption='silence')
    """
    return Audio(waveform, sample_rate, caption, layout=layout)


def to_audios(
    batch: Any,
    sample_rate: Any = None,
    *,
    lengths: Lengths = None,
    hop_length: int | None = None,
    captions: Sequence[str | None] | None = None,
) -> list[Audio]:
    """Make an `Audio` of each sound of a batch, at once; each holds its own samples only.

    Args:
        batch: A tensor of shape `(B, T)` or `(B, C, T)`, a list of tensors, each one sound, or a
            `(batch, sample_rate)` pair.
        sample_rate: In Hz, the same for all; needed where the batch does not carry it.
        lengths: How much of each sound is no padding; see `Lengths`.
        hop_length: What integer lengths count, in samples; 1 if not given.
        captions: What to show beside each sound.

    Raises:
        AudioTypeError: If a tensor's dtype or kind holds no sound.
        ShapeError: If the shape is not a batch, or a length leaves no sound.
        SampleRateError: If the rate is missing, impossible, or not the one in the pair.
        ArgumentTypeError: If the lengths are a mask, or the captions no list.
        ArgumentError: If the captions are not one for each sound.

    Example:
        >>> batch = torch.zeros(2, 1, 16_000)
        >>> to_audios(batch, 16_000, lengths=[8000, 16_000], captions=["short", None])[0]
        Audio(1 channel, 0.500 s, 16000 Hz, caption='short')
    """
    waveforms, own_rate = unpair(batch)
    found = sources(waveforms, lengths=lengths, hop_length=hop_length)
    texts = _checked_captions(captions, len(found))
    return [
        _read(one, own_rate, sample_rate, text)
        for one, text in zip(_all_sounds(found), texts, strict=True)
    ]


def to_stems(
    batch: torch.Tensor,
    sample_rate: Any,
    stems: Sequence[str],
    *,
    lengths: Lengths = None,
    hop_length: int | None = None,
) -> list[dict[str, Audio]]:
    """Make an `Audio` of each stem of each mixture of a batch, at once.

    Args:
        batch: A tensor of shape `(B, S, T)` or `(B, S, C, T)`.
        sample_rate: In Hz.
        stems: The names of the S stems, in their order.
        lengths: How much of each mixture is no padding; see `Lengths`.
        hop_length: What integer lengths count, in samples; 1 if not given.

    Raises:
        ArgumentTypeError: If the stems are no list of names.
        ArgumentError: If a name comes twice.
        ShapeError: If the shape is not that of so many stems.
        EarmarkError: Whatever else `to_audios` raises.

    Example:
        >>> [mixture] = to_stems(torch.zeros(1, 2, 16_000), 16_000, ["speech", "noise"])
        >>> mixture["noise"]
        Audio(1 channel, 1.000 s, 16000 Hz)
    """
    names = _checked_stems(stems)
    tensor = checked_tensor(batch)
    if tensor.ndim not in (3, 4) or tensor.shape[1] != len(names):
        raise ShapeError(
            f"expected shape (B, S, T) or (B, S, C, T) with S = {len(names)} stems, "
            f"{', '.join(names)}, got shape {tuple(tensor.shape)}: name every stem of the second "
            "axis, or move the stems there with batch.movedim"
        )
    by_stem = [
        to_audios(tensor[:, index], sample_rate, lengths=lengths, hop_length=hop_length)
        for index in range(len(names))
    ]
    return [dict(zip(names, sounds, strict=True)) for sounds in zip(*by_stem, strict=True)]


def _whole(value: Any) -> list[TensorSource | EarmarkError]:
    if isinstance(value, list | tuple):
        return [_attempt(sound) for sound in value]
    tensor = checked_tensor(value)
    layout = _batch_layout(tuple(tensor.shape))
    return [TensorSource(sound, layout) for sound in tensor.unbind()]


def _attempt(sound: Any) -> TensorSource | EarmarkError:
    try:
        return source(sound)
    except EarmarkError as error:
        return error.with_traceback(None)  # its frames would keep the tensor alive


def _batch_layout(shape: tuple[int, ...]) -> Layout:
    expected = f"expected a batch of shape (B, T) or (B, C, T), got shape {shape}"
    if len(shape) < 2:
        raise ShapeError(f"{expected}: one sound goes to log or to_audio")
    if len(shape) > 3:
        raise ShapeError(
            f"{expected}: name stems with to_stems, (B, S, T) or (B, S, C, T); decode= "
            "spectrograms and latents first"
        )
    try:
        return resolve_layout(shape[1:], convention="channels_first")
    except ShapeError as error:
        if 0 in shape[1:]:
            raise
        raise ShapeError(
            f"{expected}, sounds of {shape[-2]} channels and {shape[-1]} frames: if they are "
            "transposed, pass batch.mT; if it is meant so, pass each to to_audio with "
            "layout='channels_first'; decode= mels, spectrograms and latents first"
        ) from error


@dataclass(frozen=True, eq=False)
class _ArrivingLength:
    """One of some lengths on their way from a device."""

    lengths: torch.Tensor
    index: int
    wait: Wait | None

    def num_frames(self, total: int, hop_length: int | None) -> int:
        """Read the length, once it has arrived."""
        if self.wait is not None:
            self.wait()
        return num_frames(self.lengths[self.index].item(), total, hop_length)


def _without_padding(
    whole: TensorSource | EarmarkError, length: Any, hop_length: int | None
) -> TensorSource | EarmarkError:
    if length is None or isinstance(whole, EarmarkError):
        return whole
    total = whole.tensor.shape[whole.time_axis]
    if isinstance(length, _ArrivingLength):
        return replace(whole, num_frames=partial(length.num_frames, total, hop_length))
    try:
        return whole.trimmed(num_frames(length, total, hop_length))
    except EarmarkError as error:
        return error.with_traceback(None)  # its frames would keep the batch alive


def _lengths(lengths: Any, count: int) -> list[Any]:
    if lengths is None:
        return [None] * count
    together = _together(lengths)
    if not isinstance(together, torch.Tensor):
        return host_lengths(together, count)
    tensor = _checked_lengths(together, count)
    if tensor.device.type == "cpu":
        return tensor.tolist()
    num_bytes = tensor.numel() * tensor.element_size()
    allocate = pinned(tensor.device) if tensor.is_cuda else pageable
    buffer = allocate(num_bytes)
    wait = start_copy(tensor, buffer)
    host = torch.from_numpy(buffer).view(tensor.dtype)
    return [_ArrivingLength(host, index, wait) for index in range(count)]


def _together(lengths: Any) -> Any:
    """Stack single numbers, as some models return them: fetching each one would wait for it."""
    if not isinstance(lengths, list | tuple) or not lengths:
        return lengths
    if not all(isinstance(length, torch.Tensor) and length.ndim == 0 for length in lengths):
        return lengths
    same_device = len({length.device for length in lengths}) == 1
    return torch.stack(list(lengths)) if same_device else lengths


def _checked_lengths(lengths: torch.Tensor, count: int) -> torch.Tensor:
    reason = obstacle(lengths)
    if reason is not None:
        raise ArgumentTypeError(f"expected lengths as a dense tensor, got {reason}")
    shape = tuple(lengths.shape)
    if lengths.dtype == torch.bool:
        raise ArgumentTypeError(
            f"expected lengths as integers (samples, or frames with hop_length=) or as floats in "
            f"(0, 1] (relative), got a mask of shape {shape}: pass mask.sum(-1) if it is True "
            "where there is sound, (~mask).sum(-1) if it is True where there is padding"
        )
    if shape != (count,):
        raise ShapeError(
            f"expected one length for each of {count} sounds, shape ({count},), got shape {shape}: "
            "pass a one-dimensional tensor of as many, of a mask mask.sum(-1)"
        )
    return lengths.detach()


def _all_sounds(found: list[TensorSource | EarmarkError]) -> list[TensorSource]:
    sounds: list[TensorSource] = []
    for index, one in enumerate(found):
        if isinstance(one, EarmarkError):
            raise type(one)(f"batch[{index}]: {one}") from one
        sounds.append(one)
    return sounds


def _read(
    found: TensorSource, own_rate: int | None, sample_rate: Any, caption: str | None
) -> Audio:
    kept = found.num_frames()
    sound = found.tensor if kept is None else found.trimmed(kept).tensor
    value = sound if own_rate is None else (sound, own_rate)
    return Audio(value, sample_rate, caption, layout=found.layout)


def _checked_captions(captions: Any, count: int) -> list[str | None]:
    if captions is None:
        return [None] * count
    if not isinstance(captions, list | tuple):
        raise ArgumentTypeError(
            f"expected captions as a list, one for each of {count} sounds, got {captions!r} "
            f"({type(captions).__name__}): repeat one with [caption] * {count}"
        )
    if len(captions) != count:
        raise ArgumentError(
            f"expected one caption for each of {count} sounds, got {len(captions)}: pass None "
            "where there is none"
        )
    return list(captions)


def _checked_stems(stems: Any) -> list[str]:
    if not isinstance(stems, list | tuple) or not all(isinstance(name, str) for name in stems):
        raise ArgumentTypeError(
            f"expected stems as a list of names, such as ['drums', 'bass'], got {stems!r} "
            f"({type(stems).__name__})"
        )
    if not stems or len(set(stems)) != len(stems):
        raise ArgumentError(
            f"expected the name of each stem once, got {stems!r}: name them all, and differently"
        )
    return list(stems)
