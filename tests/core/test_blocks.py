from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import soundfile

from earmark.audio import Audio
from earmark.blocks import Blocks, blocks_of
from earmark.codec import WAV_FLOAT, Encoding, choose, encode
from earmark.level import measure
from earmark.origin import BlocksOrigin, digest
from earmark.samples import Samples, to_float32

NOISE = np.random.default_rng(0).uniform(-0.9, 0.9, (100_001, 2))


def logged(dtype: str, *, transposed: bool) -> Blocks:
    """Noise as it may lie in a buffer."""
    full_scale = {"float32": 1, "float16": 1, "float64": 1, "int16": 2**15, "int32": 2**31}
    sound = (NOISE * full_scale[dtype]).astype(dtype)
    return Blocks(np.ascontiguousarray(sound.T).T if transposed else sound, dtype)


def file_of(sound: Blocks | Samples, encoding: Encoding) -> bytes:
    """What is written of a sound."""
    buffer = io.BytesIO()
    encode(buffer, sound, 44_100, encoding)
    return buffer.getvalue()


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int16", "int32"])
def test_a_sound_in_blocks_is_the_sound(dtype: str, *, transposed: bool) -> None:
    """Levels, encodings, contents and files are those of the whole sound, converted at once."""
    blocks = logged(dtype, transposed=transposed)
    whole = to_float32(np.ascontiguousarray(blocks.raw))

    assert sum(len(block) for block in blocks) == len(whole)
    np.testing.assert_array_equal(blocks.joined(), whole)
    assert measure(blocks) == measure(whole)
    assert digest(blocks) == digest(whole)
    encoding = choose(blocks, 44_100)
    assert encoding == choose(whole, 44_100)
    assert file_of(blocks, encoding) == file_of(whole, encoding)


@pytest.mark.parametrize("transposed", [False, True])
def test_blocks_over_full_scale_are_written_in_their_order(
    tmp_path: Any, *, transposed: bool
) -> None:
    """WAV float32 takes them as they are, whatever their strides."""
    loud = logged("float32", transposed=transposed)
    loud = Blocks(loud.raw * np.float32(3))
    encode(tmp_path / "loud.wav", loud, 44_100, WAV_FLOAT)

    np.testing.assert_array_equal(soundfile.read(tmp_path / "loud.wav")[0], loud.raw)


def test_a_block_is_small_whatever_the_channels() -> None:
    """So that a converted sound takes no more memory than its own, however many channels."""
    for channels in (1, 2, 1024):
        blocks = Blocks(np.zeros((200_000 // channels, channels), np.int16), "int16")
        assert max(block.size for block in blocks) <= 1 << 16


def test_finite_blocks_hold_no_other_sample() -> None:
    """What is not finite is 0, in the blocks alone."""
    raw = np.array([[np.nan], [np.inf], [-np.inf], [0.5]], np.float32)

    assert np.concatenate([*Blocks(raw, finite=True)])[:, 0].tolist() == [0, 0, 0, 0.5]
    assert np.isnan(raw[0, 0])


def test_blocks_of_an_array_are_views() -> None:
    """Nothing is copied where nothing needs conversion."""
    samples = NOISE.astype(np.float32)

    assert all(np.shares_memory(block, samples) for block in blocks_of(samples))


def test_what_is_read_outlives_the_memory() -> None:
    """A sound whose memory is lent gives samples of its own."""
    raw = NOISE.astype(np.float32)
    audio = Audio.from_origin(BlocksOrigin(Blocks(raw), 44_100), 44_100, None)
    samples = audio.samples
    raw[:] = 0

    np.testing.assert_array_equal(samples, NOISE.astype(np.float32))
    assert audio.num_frames == len(NOISE)
    assert not samples.flags.writeable
