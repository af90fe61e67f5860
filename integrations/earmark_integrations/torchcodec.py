"""torchcodec's `AudioSamples` and `AudioDecoder`, which know their sample rate and their layout.

A row of a Hugging Face dataset holds such a decoder.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

from torchcodec import AudioSamples  # type: ignore[attr-defined]  # public, but not re-exported
from torchcodec.decoders import AudioDecoder  # type: ignore[attr-defined]  # as above

from earmark.errors import AudioTypeError, DecodeError, ShapeError
from earmark.rate import checked_rate
from earmark.samples import Layout
from earmark_integrations import torch as tensors
from earmark_integrations._tensor import TensorSource


def source(value: Any, *, layout: Layout | None = None) -> TensorSource:
    """Find out how one sound is read; a decoder decodes it here.

    Args:
        value: `AudioSamples`, whose shape is `(C, T)`, or an `AudioDecoder`.
        layout: Which axis holds the channels, should it be another one than torchcodec's.

    Raises:
        AudioTypeError: If it is neither.
        DecodeError: If the decoder fails.
        ShapeError: If it holds no frames.
        SampleRateError: If its rate is no positive integer.
    """
    samples = _decoded(value) if isinstance(value, AudioDecoder) else value
    if not isinstance(samples, AudioSamples):
        raise AudioTypeError(
            f"expected torchcodec's AudioSamples or AudioDecoder, got {type(value).__name__}: "
            "pass its samples as a tensor of shape (T,) or (C, T)"
        )
    found = tensors.source(samples.data, layout=layout or "channels_first")
    return replace(found, sample_rate=checked_rate(samples.sample_rate))


def sources(value: Any, *, lengths: Any = None, hop_length: int | None = None) -> NoReturn:
    """Refuse a batch: torchcodec has none.

    Raises:
        ShapeError: Always.
    """
    del lengths, hop_length
    raise ShapeError(
        f"expected a batch, got {type(value).__name__}, which is one sound: log it with log, or "
        "log a list of such sounds"
    )


def _decoded(decoder: AudioDecoder) -> AudioSamples:
    try:
        return decoder.get_all_samples()
    except RuntimeError as error:
        raise DecodeError(
            f"expected a sound that torchcodec decodes, got {error}: check that the file is whole"
        ) from error
