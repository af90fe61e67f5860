"""Blocks: one sound, a part at a time, so that little of it need be converted at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.samples import Samples, bfloat16_to_float32, to_float32

_BLOCK = 1 << 16
"""Samples of a block, over all channels: few enough for a core's own cache."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """One sound, which gives float32 blocks of shape `(frames, channels)`, full scale 1.0.

    Args:
        raw: Shape `(frames, channels)`, in any supported dtype and strides; bfloat16 as its bits.
        dtype: The dtype's name, for example `"bfloat16"`.
        finite: Whether to give 0 for samples that are not finite.
    """

    raw: NDArray[Any]
    dtype: str = "float32"
    finite: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """The frames and channels of all blocks together."""
        frames, channels = self.raw.shape
        return frames, channels

    def __iter__(self) -> Iterator[Samples]:
        step = max(1, _BLOCK // self.shape[1])
        for start in range(0, self.shape[0], step):
            block = self._converted(self.raw[start : start + step])
            if self.finite:
                block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
            yield block

    def joined(self) -> Samples:
        """All blocks as one array, which shares no memory with `raw`."""
        samples = np.empty(self.shape, np.float32)
        start = 0
        for block in self:
            samples[start : start + len(block)] = block
            start += len(block)
        return samples

    def _converted(self, block: NDArray[Any]) -> Samples:
        if self.dtype == "float32" and block.dtype.isnative:
            return block
        return bfloat16_to_float32(block) if self.dtype == "bfloat16" else to_float32(block)


def blocks_of(sound: Samples | Blocks) -> Iterator[Samples]:
    """The blocks of one sound; those of an array are views."""
    return iter(sound if isinstance(sound, Blocks) else Blocks(sound))
