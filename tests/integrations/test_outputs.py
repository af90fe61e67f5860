from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchcodec import AudioSamples  # type: ignore[attr-defined]  # public, but not re-exported

import earmark
from earmark import EarmarkWarning
from earmark.outputs.find import find_sounds
from earmark.outputs.finder import Finder
from tests.core.families import FAMILIES
from tests.core.families.family import Family, check

RATE = 16_000


def tensor(*shape: int, dtype: str = "float32") -> Tensor:
    """Silence of a shape, in a dtype by its name."""
    return torch.zeros(shape, dtype=getattr(torch, dtype))


def tone(*shape: int) -> Tensor:
    """Tones on the grid of 16 bits, another one for each sound."""
    torch.manual_seed(0)
    return torch.round(torch.rand(shape) * 2**14) / 2**15


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_sounds_of_each_family_are_found_in_tensors(family: Family) -> None:
    """Tensors of the real shapes and dtypes are found as the rules say."""
    check(family, tensor)


@pytest.mark.parametrize("kind", ["meta", "bfloat16", "grad", "nested"])
def test_tensors_are_found_without_reading_them(kind: str) -> None:
    """A tensor without values, of half precision, or with a graph is as good as any."""
    wav: Any = torch.zeros(2, 8000, device="meta" if kind == "meta" else "cpu")
    if kind == "bfloat16":
        wav = wav.bfloat16()
    if kind == "grad":
        wav.requires_grad_()
    if kind == "nested":  # it has no shape to ask for
        wav = torch.nested.nested_tensor(
            [torch.zeros(8000), torch.zeros(6000)], layout=torch.jagged
        )
    outputs = {"prediction": wav, "wav_lengths": torch.zeros(2, dtype=torch.int64, device="meta")}

    assert find_sounds(outputs, None).sounds["prediction"] is wav


def test_nothing_of_a_batch_is_kept() -> None:
    """Once the result is gone, so is the batch; an error keeps none of it either."""
    batch = {"clean": torch.zeros(2, 8000), "reference": torch.zeros(2, 8000)}
    outputs = {"pred": torch.zeros(2, 8000)}
    kept = [weakref.ref(value) for value in (*batch.values(), *outputs.values())]

    found = find_sounds(outputs, batch)
    fault = found.faults["target"]
    del found, batch, outputs

    assert str(fault).startswith("expected one target, found 2")
    assert [reference() for reference in kept] == [None] * 3


def test_sounds_that_are_refused_are_let_go_of_at_once(tmp_path: Path) -> None:
    """On a device they would take room until the garbage collector comes by."""
    batch = torch.zeros(2, 8000)
    kept = weakref.ref(batch)
    gc.disable()
    try:
        with (
            earmark.Run(tmp_path / "run") as run,
            pytest.warns(EarmarkWarning, match="expected a positive length in samples, got 0"),
        ):
            run.log_batch({"prediction": batch}, step=1, sample_rate=RATE, lengths=[0, 0])
        del batch
        assert kept() is None
    finally:
        gc.enable()


def test_what_is_found_is_what_log_batch_takes(tmp_path: Path) -> None:
    """Outputs, batch, stems, lengths and rates arrive in a run, sample by sample."""
    mixture, sources, estimates = tone(2, 1600), tone(2, 2, 1600), tone(2, 2, 1, 3200)
    outputs = {"est": estimates, "sample_rate": 2 * RATE, "est_length": torch.tensor([3200, 2000])}
    batch = {"mix": mixture, "sources": sources, "sampling_rate": RATE}

    found = find_sounds(outputs, batch, stems=["speech", "noise"])
    with earmark.Run(tmp_path / "run") as run:
        run.log_batch(found.sounds, step=1, sample_rate=found.sample_rates, lengths=found.lengths)

    clips = {(c.example, c.role): c.audio for c in earmark.open_run(tmp_path / "run").clips()}
    assert len(clips) == 2 * 5
    assert {audio.sample_rate for (_, role), audio in clips.items() if "pred" in role} == {2 * RATE}
    noise = clips["1", "prediction.noise"]
    np.testing.assert_array_equal(noise.samples[:, 0], estimates[1, 1, 0, :2000].numpy())
    np.testing.assert_array_equal(clips["0", "target.speech"].samples[:, 0], sources[0, 0].numpy())
    np.testing.assert_array_equal(clips["1", "input"].samples[:, 0], mixture[1].numpy())


def test_torchcodec_samples_are_one_sound_each() -> None:
    """They carry their rate, alone and in a list."""
    one = AudioSamples(tone(1, 1600), pts_seconds=0.0, duration_seconds=0.1, sample_rate=RATE)

    alone, listed = find_sounds(one, None), find_sounds({"wavs": [one, one]}, None)

    assert alone.sample_rates == {"prediction": RATE}
    assert alone.sounds["prediction"] == [one]
    assert listed.sounds["prediction"] == [one, one]


def test_only_picked_rows_are_decoded() -> None:
    """A vocoder sees the chosen examples of a batch and no others."""
    mels, seen = torch.arange(4.0)[:, None, None].expand(4, 80, 10), []

    def vocoder(mel: Tensor) -> Tensor:
        seen.append(tuple(mel.shape))
        return mel[:, 0].repeat(1, 256)

    wavs = Finder(decode={"prediction": vocoder}).heard("prediction", mels, [1, 3]).value

    assert seen == [(2, 80, 10)]
    assert wavs[:, 0].tolist() == [1.0, 3.0]


# --- real models with random weights


@pytest.fixture(name="transformers", scope="module")
def fixture_transformers() -> Any:
    """The package, where it is installed."""
    return pytest.importorskip("transformers", reason="transformers is not installed")


def _run(model: Any, **given: Any) -> Any:
    with torch.no_grad():
        return model.eval()(**given)


def test_a_vits_of_transformers(transformers: Any) -> None:
    """Its waveform is the prediction, and its sequence_lengths count samples."""
    config = transformers.VitsConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        window_size=2,
        ffn_dim=16,
        flow_size=16,
        spectrogram_bins=9,
        upsample_initial_channel=16,
        upsample_rates=[8, 8, 4],
        upsample_kernel_sizes=[16, 16, 8],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1]],
        prior_encoder_num_flows=1,
        duration_predictor_num_flows=1,
        posterior_encoder_num_wavenet_layers=1,
        prior_encoder_num_wavenet_layers=1,
        depth_separable_num_layers=1,
        wavenet_dilation_rate=1,
    )
    torch.manual_seed(0)
    outputs = _run(transformers.VitsModel(config), input_ids=torch.randint(0, 20, (2, 12)))
    batch = {"waveform": tensor(2, 1, 9000), "labels": tensor(2, 9, 40), "input_ids": tensor(2, 12)}

    found = find_sounds(outputs, batch)

    assert found.sounds["prediction"] is outputs.waveform
    assert found.sounds["target"] is batch["waveform"]
    assert found.lengths["prediction"] is outputs.sequence_lengths
    assert int(outputs.sequence_lengths.max()) == outputs.waveform.shape[-1]
    by_index = find_sounds(outputs, None, selectors={"prediction": 0})
    assert by_index.sounds["prediction"] is outputs.waveform


@pytest.mark.parametrize("codec", ["Encodec", "Dac"])
def test_a_codec_of_transformers(transformers: Any, codec: str) -> None:
    """Its audio_values are the prediction, the batch's input_values the input."""
    small = {
        "Encodec": {
            "num_filters": 4,
            "hidden_size": 8,
            "codebook_size": 16,
            "codebook_dim": 8,
            "num_lstm_layers": 1,
            "target_bandwidths": [1.5],
            "audio_channels": 2,
        },
        "Dac": {
            "encoder_hidden_size": 4,
            "downsampling_ratios": [2, 4],
            "decoder_hidden_size": 16,
            "upsampling_ratios": [4, 2],
            "n_codebooks": 2,
            "codebook_size": 16,
            "codebook_dim": 4,
            "hidden_size": 16,
        },
    }
    config = getattr(transformers, f"{codec}Config")(**small[codec])
    batch = {"input_values": tone(2, config.to_dict().get("audio_channels", 1), 4800)}
    outputs = _run(getattr(transformers, f"{codec}Model")(config), **batch)

    found = find_sounds(outputs, batch)

    assert type(outputs).__name__ == f"{codec}Output"
    assert list(found.sounds) == ["input", "prediction"]
    assert found.sounds["prediction"] is outputs.audio_values
    assert found.lengths == found.faults == {}
