"""torchcodec's samples and decoders, against soundfile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from earmark import Audio, convert
from earmark.errors import AudioTypeError, DecodeError, SampleRateError, ShapeError
from earmark_integrations.torch import to_audio

try:
    from torchcodec import AudioSamples  # type: ignore[attr-defined]  # public, not re-exported
    from torchcodec.decoders import AudioDecoder  # type: ignore[attr-defined]  # as above

    from earmark_integrations.torchcodec import source
except (ImportError, OSError, RuntimeError) as error:
    pytest.skip(f"torchcodec finds no FFmpeg libraries: {error}", allow_module_level=True)


def stereo() -> NDArray[np.float32]:
    """Half a second at 22,050 Hz, shape `(frames, channels)`, 16-bit values."""
    steps = np.random.default_rng(0).integers(-(2**15), 2**15, (11_025, 2))
    return (steps / 2**15).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of those samples."""
    path = tmp_path / "stereo.wav"
    soundfile.write(path, stereo(), 22_050, subtype="PCM_16")
    return path


def samples_of(data: torch.Tensor, sample_rate: int = 22_050) -> Any:
    """What a decoder returns for a sound of this data, shape `(C, T)`."""
    return AudioSamples(data=data, pts_seconds=0, duration_seconds=1, sample_rate=sample_rate)


def test_samples_are_taken_as_they_are(path: Path) -> None:
    """`AudioSamples` carry their rate, and hold what soundfile reads from the same file."""
    audio = Audio(AudioDecoder(path).get_all_samples(), caption="noise")
    assert (audio.sample_rate, audio.caption) == (22_050, "noise")
    np.testing.assert_array_equal(audio.samples, soundfile.read(path, dtype="float32")[0])


def test_decoders_are_taken_as_they_are(path: Path) -> None:
    """A decoder, as rows of Hugging Face datasets hold them, is the whole sound."""
    audio = Audio(AudioDecoder(path))
    assert audio.sample_rate == 22_050
    np.testing.assert_array_equal(audio.samples, stereo())


def test_a_decoder_may_resample(path: Path) -> None:
    """A decoder that was asked for another rate gives its samples at that rate."""
    audio = Audio(AudioDecoder(path, sample_rate=11_025))
    assert audio.sample_rate == 11_025
    assert audio.duration_seconds == pytest.approx(0.5, abs=1e-3)


def test_datasets_decoders_are_taken(path: Path) -> None:
    """A row of a dataset is heard as it is."""
    datasets = pytest.importorskip("datasets", reason="needs datasets")
    rows = datasets.Dataset.from_dict({"audio": [str(path)]})
    row = rows.cast_column("audio", datasets.Audio())[0]
    np.testing.assert_array_equal(Audio(row["audio"]).samples, stereo())


def test_to_audio_takes_samples() -> None:
    """`to_audio` takes samples as it takes pairs."""
    audio = to_audio(samples_of(torch.zeros(2, 500)))
    assert (audio.num_channels, audio.num_frames) == (2, 500)


def test_channels_always_come_first() -> None:
    """Samples are `(C, T)` by definition, however short they are and however many channels."""
    few = Audio(samples_of(torch.tensor([[0.25], [0.5]])))
    assert few.samples.tolist() == [[0.25, 0.5]]
    assert Audio(samples_of(torch.zeros(64, 10))).num_channels == 64


def test_another_layout_may_be_declared() -> None:
    """A layout that the user declares wins."""
    audio = Audio(samples_of(torch.zeros(500, 2)), layout="channels_last")
    assert (audio.num_channels, audio.num_frames) == (2, 500)


def test_the_source_carries_the_rate() -> None:
    """Core hears the rate from the source, and copies from the samples' own memory."""
    data = torch.zeros(2, 500)
    found = convert.source(samples_of(data))
    assert (found.sample_rate, found.shape, found.num_bytes) == (22_050, (2, 500), 4000)
    assert source(samples_of(data)).tensor.data_ptr() == data.data_ptr()


def test_a_contradicting_rate_is_refused() -> None:
    """A rate beside samples must be their own."""
    with pytest.raises(
        SampleRateError,
        match="expected the sample rate that the sound itself has, 22050 Hz, got 16000 Hz",
    ):
        Audio(samples_of(torch.zeros(2, 500)), 16_000)


def test_an_impossible_rate_is_refused() -> None:
    """Samples at no rate are no sound."""
    with pytest.raises(SampleRateError, match=r"^expected a sample rate in Hz, .* got 0 "):
        Audio(samples_of(torch.zeros(2, 500), 0))


def test_samples_without_frames_are_refused() -> None:
    """Empty samples are an error, as an empty tensor is."""
    with pytest.raises(
        ShapeError,
        match=r"^expected one sound of shape \(T,\) or \(C, T\), got shape \(2, 0\), which holds "
        "no frames: skip empty sounds$",
    ):
        Audio(samples_of(torch.zeros(2, 0)))


def test_what_is_no_sound_is_refused() -> None:
    """Other values of torchcodec, such as a frame of video, are named."""
    from torchcodec import Frame  # type: ignore[attr-defined]  # public, not re-exported

    with pytest.raises(
        AudioTypeError,
        match="^expected torchcodec's AudioSamples or AudioDecoder, got Frame: pass its samples as "
        r"a tensor of shape \(T,\) or \(C, T\)$",
    ):
        Audio(Frame(torch.zeros(3, 4, 4), 0, 1), 16_000)


def test_samples_are_no_batch() -> None:
    """One sound is not taken for a batch of its channels."""
    with pytest.raises(
        ShapeError,
        match=r"^expected a batch, got AudioSamples, which is one sound: log it with log, or log a "
        r"list of such sounds$",
    ):
        convert.sources(samples_of(torch.zeros(2, 500)))


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    """A decoder that fails names the failure and the way out."""
    path = tmp_path / "broken.flac"
    soundfile.write(path, stereo(), 22_050)
    whole = path.read_bytes()
    head = 8_000
    path.write_bytes(whole[:head] + bytes(len(whole) - head))
    decoder = AudioDecoder(path)
    with pytest.raises(
        DecodeError,
        match=r"^expected a sound that torchcodec decodes, got .*: check that the file is whole$",
    ):
        Audio(decoder)
