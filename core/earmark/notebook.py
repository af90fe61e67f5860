"""What a notebook shows of a sound: its waveform at true scale, a player, the caption."""

from __future__ import annotations

import base64
import html
import io

import numpy as np

from earmark.codec import choose, encode
from earmark.samples import Samples

_WIDTH, _HEIGHT = 400, 60
_MAX_SECONDS = 60


def player(
    samples: Samples | None = None,
    sample_rate: int | None = None,
    *,
    url: str | None = None,
    caption: str | None = None,
) -> str:
    """Draw one sound as HTML that needs nothing else.

    Args:
        samples: Shape `(frames, channels)`; the first minute is put into the page.
        sample_rate: In Hz.
        url: Where a reference is, which is linked to and not fetched.
        caption: What to show below.
    """
    parts = []
    if samples is not None and sample_rate is not None:
        parts.append(_waveform(samples))
        parts.append(_audio_element(samples[: _MAX_SECONDS * sample_rate], sample_rate))
        if len(samples) > _MAX_SECONDS * sample_rate:
            parts.append(f"<div>the first {_MAX_SECONDS} s are played here</div>")
    elif url is not None:
        link = html.escape(url, quote=True)
        parts.append(f'<audio controls preload="none" src="{link}"></audio><div>{link}</div>')
    if caption:
        parts.append(f"<div>{html.escape(caption)}</div>")
    return f"<figure>{''.join(parts)}</figure>"


def _audio_element(samples: Samples, sample_rate: int) -> str:
    finite = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    encoding = choose(finite, sample_rate)
    buffer = io.BytesIO()
    encode(buffer, finite, sample_rate, encoding)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<audio controls src="data:audio/{encoding.suffix[1:]};base64,{data}"></audio>'


def _waveform(samples: Samples) -> str:
    mono = np.nan_to_num(np.abs(samples).max(axis=1), nan=0.0, posinf=0.0)
    columns = np.array_split(mono, min(_WIDTH, len(mono)))
    middle = _HEIGHT / 2
    bars = []
    for x, column in enumerate(columns):
        half = min(1.0, float(column.max())) * middle
        bars.append(f"M{x} {middle - half:.1f}V{middle + half:.1f}")
    return (
        f'<svg width="{len(columns)}" height="{_HEIGHT}" role="img" aria-label="waveform">'
        f'<path d="{"".join(bars)}" stroke="currentColor"/></svg><br>'
    )
