"""Values as the sounds of a batch: by their types, shapes and dtypes, never by what is in them."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from earmark.audio import Audio
from earmark.outputs.roles import MIN_FRAMES, RATES
from earmark.samples import MAX_CHANNELS

_RATES = (1000, 2**31 - 1)
_SOUND_DTYPES = {"float16", "bfloat16", "float32", "float64", "int16"}


@dataclass(frozen=True)
class Sounds:
    """One value that holds the sounds of a batch, and what came with it.

    Attributes:
        value: A tensor or an array, the first axis that of the batch, or a list of sounds.
        sample_rate: In Hz, if it came with them.
        lengths: How much of each is no padding, if that came with them.
    """

    value: Any
    sample_rate: int | None = None
    lengths: Any = None


def as_sounds(value: Any, *, in_batch: bool = False, named: bool = True) -> Sounds | None:
    """See a value as the sounds of a batch; `None` if its type is none that holds sounds.

    Which shapes are sounds is another question: `fits`.

    Args:
        value: Anything.
        in_batch: Whether it was given to the model.
        named: Whether a key leads to it. Without one, a list may as well be a tuple that a loader
            made a list of: in a batch it is one, and otherwise it holds sounds of one axis.
    """
    if is_array(value):
        return _whole(value)
    known = _of_known_type(value)
    if known is not None:
        return known
    if isinstance(value, Audio):
        return Sounds([value])
    if not isinstance(value, tuple | list) or not value:
        return None
    paired = _paired(value, in_batch=in_batch) if len(value) == 2 else None
    if paired is None and isinstance(value, list) and (named or not in_batch):
        return _listed(value, max_axes=2 if named else 1)
    return paired


def _whole(array: Any) -> Sounds:
    """The sounds of an array or a tensor: of one axis, it is one."""
    return Sounds([array] if len(axes(array)) == 1 else array)


def _of_known_type(value: Any) -> Sounds | None:
    """What other packages hold sounds in, known by its attributes: none of them is imported."""
    rate = _plain_rate(getattr(value, "sample_rate", None))
    if is_array(getattr(value, "audio_data", None)):  # audiotools
        return Sounds(value.audio_data, rate)
    if hasattr(value, "pts_seconds") and is_array(getattr(value, "data", None)):  # torchcodec
        return Sounds([value], rate)
    if hasattr(value, "get_all_samples"):  # torchcodec's decoder, in a row of datasets
        return Sounds([value])
    if _is_row(value):  # or several, collated
        return replace(_whole(value["array"]), sample_rate=rate_of(value))
    if type(value).__name__ == "AudioPipelineOutput":  # diffusers
        return as_sounds(_channels_last(getattr(value, "audios", None)))
    return None


def _is_row(value: Any) -> bool:
    """Whether this is the sound of a row of datasets, decoded."""
    return isinstance(value, Mapping) and is_array(value.get("array"))


def _channels_last(audios: Any) -> Any:
    """Move the channels of an array `(B, C, T)` where arrays have them here; not of a tensor."""
    return audios.swapaxes(1, 2) if isinstance(audios, np.ndarray) and audios.ndim == 3 else audios


def _paired(pair: Any, *, in_batch: bool) -> Sounds | None:
    first, second = pair
    if getattr(pair, "_fields", None) == ("data", "lengths"):  # SpeechBrain
        inner = as_sounds(first)
        return None if inner is None else replace(inner, lengths=second)
    rate, shape = _plain_rate(second), axes(first)
    if rate is not None and isinstance(first, list):
        inner = as_sounds(first)
        return None if inner is None else replace(inner, sample_rate=rate)
    stems = shape[1] if len(shape) == 4 else None
    if not is_array(first) or not fits(_whole(first), stems=stems, min_frames=1):
        return None  # such as a mel and the step
    if rate is not None:
        return replace(_whole(first), sample_rate=rate)
    counted = len(shape) > 1 and not in_batch and are_counts(second, shape[0])
    return Sounds(first, lengths=second) if counted else None


def _of_row(value: Any) -> Sounds | None:
    return Sounds([value["array"]], rate_of(value)) if _is_row(value) else None


def _listed(values: list[Any], max_axes: int) -> Sounds | None:
    sounds: list[Any] = []
    for value in values:
        found = None if is_scalar(value) else _of_row(value) or as_sounds(value)
        one = _single(found, max_axes)
        if found is None or one is None:
            return None
        rated = found.sample_rate is not None and is_array(one)
        sounds.append((one, found.sample_rate) if rated else one)
    return Sounds(sounds)


def _single(found: Sounds | None, max_axes: int) -> Any:
    """The one sound that these are; of two axes, the first might as well be that of a batch."""
    if found is None or found.lengths is not None:
        return None
    if isinstance(found.value, list):
        return found.value[0] if len(found.value) == 1 else None
    shape = axes(found.value)
    return found.value if len(shape) == max_axes == 2 and min(shape) <= 2 else None


def fits(sounds: Sounds, *, stems: int | None = None, min_frames: int = MIN_FRAMES) -> bool:
    """Say whether shape and dtype are those of sounds.

    Tensors are `(B, T)` or `(B, C, T)`, arrays also `(B, T, C)`; with stems, tensors and arrays are
    `(B, S, T)` or `(B, S, C, T)`.

    Args:
        sounds: Of a batch.
        stems: How many stems there are, if there are any.
        min_frames: The fewest frames that a sound has.
    """
    value = sounds.value
    if isinstance(value, list):
        return all(_is_long(one, min_frames) for one in value)
    shape = axes(value)
    if stems is not None and len(shape) == 4 and shape[1] == stems:
        shape = (shape[0], *shape[2:])
    if dtype_of(value) not in _SOUND_DTYPES or len(shape) not in (2, 3) or 0 in shape:
        return False
    channels, frames = shape[1] if len(shape) == 3 else 1, shape[-1]
    if isinstance(value, np.ndarray):
        channels, frames = min(channels, frames), max(channels, frames)
    short = frames <= channels and channels > 1
    return channels <= MAX_CHANNELS and frames >= min_frames and not short


def _is_long(sound: Any, min_frames: int) -> bool:
    value = sound[0] if isinstance(sound, tuple) else sound
    shape = shape_of(value)
    if shape is None:
        return True  # a sound by its type, whatever its length
    return dtype_of(value) in _SOUND_DTYPES and max(shape) >= min_frames


def shape_of(value: Any) -> tuple[int, ...] | None:
    """The shape of an array or a tensor; `None` for anything else, and where it is not known."""
    try:
        shape = tuple(value.shape)
    except (AttributeError, TypeError, RuntimeError):  # none; of another kind; nested, lazy
        return None
    known = all(isinstance(size, int) for size in shape)
    return shape if known else None  # symbols, as of a compiled model, cannot be compared


def axes(value: Any) -> tuple[int, ...]:
    """The shape, which is `()` for what has none."""
    return shape_of(value) or ()


def is_array(value: Any) -> bool:
    """Whether this is an array or a tensor."""
    # some containers have a shape and a dtype, too, and keys
    return shape_of(value) is not None and bool(dtype_of(value)) and not hasattr(value, "keys")


def dtype_of(value: Any) -> str:
    """The name of a dtype, as numpy spells it; `""` for what has none."""
    return str(getattr(value, "dtype", "")).rpartition(".")[2]


def are_counts(value: Any, count: int, *, relative: bool = False) -> bool:
    """Whether these are as many numbers as there are sounds: integers, or floats as well."""
    if isinstance(value, list | tuple):
        kinds = int | float if relative else int
        plain = all(isinstance(one, kinds) and not isinstance(one, bool) for one in value)
        return len(value) == count > 0 and plain
    kind = dtype_of(value).rstrip("0123456789")
    known = {"int", "uint", "float"} if relative else {"int", "uint"}
    return kind in known and shape_of(value) == (count,)


def rate_of(holder: Mapping[Any, Any]) -> int | None:
    """The sample rate in Hz, a plain number, that a mapping holds; `None` if it holds none."""
    return next((rate for key in RATES if (rate := _plain_rate(holder.get(key)))), None)


def _plain_rate(value: Any) -> int | None:
    """A sample rate that is a number of Python or numpy: reading a tensor may wait for a device."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    # a smaller number beside a sound is something else, such as a loss
    return int(value) if _RATES[0] <= value <= _RATES[1] and int(value) == value else None


def is_scalar(value: Any) -> bool:
    """Whether this is a number or a text of Python."""
    return isinstance(value, numbers.Number | str | bytes)
