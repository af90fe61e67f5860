"""What the steps and models of many codebases return and are given: their keys, shapes and types.

Each is written once, for any kind of array: the core tests fill in arrays that have a shape and a
dtype and nothing else, the integration tests tensors without values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import pytest

from earmark.errors import ArgumentError
from earmark.outputs.find import find_sounds


class Make(Protocol):
    """Makes an array of a shape and a dtype."""

    def __call__(self, *shape: int, dtype: str = "float32") -> Any: ...


@dataclass(frozen=True)
class Family:
    """A codebase, or several alike.

    Attributes:
        name: Whose outputs these are.
        outputs: What its step or model returns.
        batch: What its loader gives.
        sounds: The roles that are found, and where: `"outputs/audio"`, `"batch/0"`.
        lengths: The roles whose lengths are found, and where.
        rates: The sample rates that are found, by role.
        error: How the message ends that says what to write, if nothing is found.
        fault: The same for an input or target that is unclear.
        arguments: What the user has to say.
    """

    name: str
    outputs: Callable[[Make], Any]
    batch: Callable[[Make], Any] = lambda _: None
    sounds: Mapping[str, str] = field(default_factory=dict)
    lengths: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    fault: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class QuantizedResult:
    """What audiocraft's codec returns."""

    x: Any
    codes: Any
    bandwidth: Any
    penalty: Any = None
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass
class ShallowDiffusionOutput:
    """What DiffSinger's acoustic model returns."""

    aux_out: Any
    diff_out: Any


class AudioSignal:
    """audiotools' signal: a batch of sounds `(B, C, T)` with its sample rate."""

    def __init__(self, audio_data: Any, sample_rate: int) -> None:
        self.audio_data = audio_data
        self.sample_rate = sample_rate
        self.stft_data = None

    @property
    def shape(self) -> Any:
        return self.audio_data.shape


class AudioPipelineOutput(dict[str, Any]):
    """diffusers' output: an ordered dict whose entries are attributes as well."""

    @property
    def audios(self) -> Any:
        return self["audios"]


class PaddedData(NamedTuple):
    """SpeechBrain's padded column, with relative lengths."""

    data: Any
    lengths: Any


class Reconstruction(NamedTuple):
    """A codec's output with names."""

    recon: Any
    codes: Any
    commitment_loss: Any


NOWHERE = (
    "say where it is, such as AudioMonitor(prediction={}), with decode= if that is no sound yet; "
    "or pass predict= to make one"
)
BATCH_TARGET = {"target": "batch/audio"}
FAMILIES = [
    # vocoders
    Family(
        "HiFi-GAN, BigVGAN, UnivNet, PWG",
        lambda t: t(2, 1, 8192),
        lambda t: (t(2, 80, 32), t(2, 8192), ["a", "b"], t(2, 80, 32)),
        {"prediction": "outputs"},
        fault="AudioMonitor(input=1)",
    ),
    Family(
        "HiFi-GAN, the index said",
        lambda t: t(2, 1, 8192),
        lambda t: (t(2, 80, 32), t(2, 8192), ["a", "b"], t(2, 80, 32)),
        {"prediction": "outputs", "target": "batch/1"},
        arguments={"selectors": {"target": 1}},
    ),
    Family(
        "HiFi-GAN's own names",
        lambda t: {"y": t(2, 1, 8192), "y_g_hat": t(2, 1, 8192)},
        error='say which, AudioMonitor(prediction="y") or AudioMonitor(prediction="y_g_hat")',
    ),
    Family(
        "iSTFT vocoders: (spec, phase)",
        lambda t: (t(2, 9, 2048), t(2, 9, 2048)),
        error="say which, AudioMonitor(prediction=0) or AudioMonitor(prediction=1)",
    ),
    Family(
        "Vocos",
        lambda t: {
            "val_loss": t(),
            "mel_loss": t(),
            "utmos_score": t(),
            "pesq_score": t(),
            "periodicity_loss": t(),
            "pitch_loss": t(),
            "f1_score": t(),
            "audio_input": t(16384),
            "audio_pred": t(16384),
        },
        lambda t: t(2, 16384),
        {"input": "outputs/audio_input", "prediction": "outputs/audio_pred"},
    ),
    Family("WavTokenizer", lambda t: (t(2, 8192), t()), sounds={"prediction": "outputs/0"}),
    # codecs
    Family(
        "DAC",
        lambda t: {
            "audio": t(2, 1, 8192),
            "z": t(2, 1024, 16),
            "codes": t(2, 9, 16, dtype="int64"),
            "latents": t(2, 72, 16),
            "vq/commitment_loss": t(),
            "vq/codebook_loss": t(),
        },
        lambda t: {"signal": AudioSignal(t(2, 1, 8192), 44_100), "transform_args": {}},
        {"prediction": "outputs/audio", "target": "batch/signal/audio_data"},
        rates={"target": 44_100},
    ),
    Family(
        "audiocraft's codec",
        lambda t: QuantizedResult(t(2, 2, 8192), t(2, 4, 25, dtype="int64"), t(2)),
        lambda t: t(2, 2, 8192),
        {"input": "batch", "prediction": "outputs/x"},
    ),
    Family(
        "audiocraft's generate stage",
        lambda t: {
            "ref_audio": t(2, 1, 8192),
            "gen_audio": t(2, 1, 8192),
            "gen_tokens": t(2, 4, 25, dtype="int64"),
            "prompt_audio": t(2, 1, 4096),
            "rtf": 0.3,
        },
        sounds={
            "input": "outputs/prompt_audio",
            "prediction": "outputs/gen_audio",
            "target": "outputs/ref_audio",
        },
    ),
    Family(
        "SNAC",
        lambda t: (t(2, 1, 8192), [t(2, 12, dtype="int64"), t(2, 24, dtype="int64")]),
        sounds={"prediction": "outputs/0"},
    ),
    Family(
        "SpeechTokenizer, xcodec",
        lambda t: (t(2, 1, 16000), t(), t(2, 768, 50)),
        sounds={"prediction": "outputs/0"},
    ),
    Family(
        "BigCodec",
        lambda t: {"gt_wav": t(2, 1, 16000), "gen_wav": t(2, 1, 16000), "vq_loss": t()},
        sounds={"prediction": "outputs/gen_wav", "target": "outputs/gt_wav"},
    ),
    Family(
        "FunCodec",
        lambda t: {"real": t(2, 1, 16000), "fake": t(2, 1, 16000), "stats": {}, "weight": t(1)},
        sounds={"prediction": "outputs/fake", "target": "outputs/real"},
    ),
    Family(
        "NeMo's codec: (audio, lengths)",
        lambda t: (t(2, 16000), t(2, dtype="int64")),
        lambda t: {"audio": t(2, 16000), "audio_lens": t(2, dtype="int64")},
        {"prediction": "outputs/0"} | BATCH_TARGET,
        lengths={"prediction": "outputs/1", "target": "batch/audio_lens"},
    ),
    Family(
        "RAVE: (audio, mean or None)",
        lambda t: (t(2, 2, 16384), None),
        lambda t: t(2, 2, 8192),
        {"input": "batch", "prediction": "outputs/0"},
    ),
    Family(
        "encodec-pytorch",
        lambda t: (t(2, 2, 16000), t(1), [(t(2, 8, 75, dtype="int64"), t(2, 1))]),
        sounds={"prediction": "outputs/0"},
    ),
    Family(
        "a named tuple",
        lambda t: Reconstruction(t(2, 1, 8192), t(2, 9, 16, dtype="int64"), t()),
        sounds={"prediction": "outputs/recon"},
    ),
    # speech synthesis and voice conversion
    Family(
        "VITS, inference",
        lambda t: (t(2, 1, 8192), t(2, 1, 32, 20), t(2, 1, 32), (t(2, 192, 32), t(2, 192, 32))),
        sounds={"prediction": "outputs/0"},
    ),
    Family(
        "VITS, training step",
        lambda t: {
            "y_hat": t(2, 1, 8192),
            "y": t(2, 1, 8192),
            "l_length": t(2),
            "attn": t(2, 1, 9, 9),
        },
        lambda t: {"x": t(2, 40, dtype="int64"), "wav": t(2, 1, 40000), "spec": t(2, 513, 156)},
        {"input": "batch/wav", "prediction": "outputs/y_hat", "target": "outputs/y"},
    ),
    Family(
        "so-vits-svc, RVC: (audio, where the segments begin, ...)",
        lambda t: (t(2, 1, 8192), t(2, dtype="int64"), t(2, 1, 200), t(2, 1, 200), (t(2, 192, 9),)),
        sounds={"prediction": "outputs/0"},
    ),
    Family(
        "coqui: one output for each optimizer",
        lambda t: [None, {"model_outputs": t(2, 1, 8192), "waveform_seg": t(2, 1, 8192)}],
        sounds={"prediction": "outputs/1/model_outputs", "target": "outputs/1/waveform_seg"},
    ),
    Family(
        "Matcha",
        lambda t: {
            "encoder_outputs": t(2, 80, 40),
            "decoder_outputs": t(2, 80, 200),
            "attn": t(2, 40, 200),
            "mel": t(2, 80, 200),
            "mel_lengths": t(2),
            "rtf": 0.1,
        },
        error=NOWHERE.format('"mel"'),
    ),
    Family(
        "Matcha, decoded",
        lambda t: {"decoder_outputs": t(2, 80, 200), "mel": t(2, 80, 200), "rtf": 0.1},
        sounds={"prediction": "outputs/mel"},
        arguments={"selectors": {"prediction": "mel"}, "decoded": ("prediction",)},
    ),
    Family(
        "F5-TTS: (mel, trajectory)",
        lambda t: (t(2, 300, 100), t(32, 2, 300, 100)),
        error=NOWHERE.format("0"),
    ),
    Family(
        "DiffSinger",
        lambda t: ShallowDiffusionOutput(t(2, 300, 128), t(2, 300, 128)),
        error=NOWHERE.format('"aux_out"'),
    ),
    Family(
        "FastPitch",
        lambda t: (t(2, 80, 300), t(2, dtype="int64"), t(2, 300), t(2, 40), t(2, 40)),
        error=NOWHERE.format("0"),
    ),
    Family(
        "Tacotron, a long text: (mel, postnet's mel, stop, attention)",
        lambda t: (t(2, 80, 1300), t(2, 80, 1300), t(2, 1300), t(2, 1300, 40)),
        error=NOWHERE.format("0"),
    ),
    Family(
        "NeMo's spectrograms: (mel, lengths)",
        lambda t: (t(2, 80, 1300), t(2, dtype="int64")),
        error=NOWHERE.format("0"),
    ),
    Family(
        "SpeechT5, before its vocoder",
        lambda t: {
            "spectrogram": t(2, 300, 80),
            "past_key_values": ((t(2, 12, 300, 64),),),
            "encoder_last_hidden_state": t(2, 40, 768),
        },
        error=NOWHERE.format('"spectrogram"'),
    ),
    Family(
        "Qwen-TTS: (sounds of their own lengths, sample rate)",
        lambda t: ([t(48000), t(30000)], 24_000),
        sounds={"prediction": "outputs/0"},
        rates={"prediction": 24_000},
    ),
    Family(
        "parler-tts",
        lambda t: {"sequences": t(2, 44100), "audios_length": [44100, 30000]},
        sounds={"prediction": "outputs/sequences"},
        lengths={"prediction": "outputs/audios_length"},
    ),
    Family(
        "SpeechT5: (waveforms, lengths)",
        lambda t: (t(2, 16000), [16000, 9000]),
        sounds={"prediction": "outputs/0"},
        lengths={"prediction": "outputs/1"},
    ),
    Family(
        "Magpie",
        lambda t: (
            t(2, 22050),
            t(2, dtype="int64"),
            t(2, 8, 43, dtype="int64"),
            t(2, dtype="int64"),
        ),
        sounds={"prediction": "outputs/0"},
        lengths={"prediction": "outputs/1"},
    ),
    Family(
        "Bark: sounds of their own lengths",
        lambda t: [t(24000), t(18000)],
        sounds={"prediction": "outputs"},
    ),
    # enhancement
    Family(
        "NeMo's enhancement",
        lambda t: (t(2, 1, 16000), t(2, dtype="int64")),
        lambda t: {
            "input_signal": t(2, 1, 16000),
            "input_length": t(2, dtype="int64"),
            "target_signal": t(2, 1, 16000),
        },
        {
            "input": "batch/input_signal",
            "prediction": "outputs/0",
            "target": "batch/target_signal",
        },
        lengths={"input": "batch/input_length", "prediction": "outputs/1"},
    ),
    Family(
        "SpeechBrain, enhancement",
        lambda t: {"enhanced": t(2, 16000)},
        lambda t: {
            "noisy_sig": PaddedData(t(2, 16000), t(2)),
            "clean_sig": PaddedData(t(2, 16000), t(2)),
        },
        {
            "input": "batch/noisy_sig/0",
            "prediction": "outputs/enhanced",
            "target": "batch/clean_sig/0",
        },
        lengths={"input": "batch/noisy_sig/1", "target": "batch/clean_sig/1"},
    ),
    Family(
        "DeepFilterNet: a spectrum",
        lambda t: (t(2, 1, 100, 481, 2), t(2, 1, 100, 32), t(2, 1)),
        error=NOWHERE.format("0"),
    ),
    Family("VoiceFixer", lambda t: {"mel": t(2, 1, 300, 128)}, error=NOWHERE.format('"mel"')),
    Family(
        "vibravox",
        lambda t: {
            "corrupted": t(2, 1, 16000),
            "enhanced": t(2, 1, 16000),
            "reference": t(2, 1, 16000),
        },
        lambda t: {"audio_body_conducted": t(2, 1, 16000), "audio_airborne": t(2, 1, 16000)},
        {
            "input": "outputs/corrupted",
            "prediction": "outputs/enhanced",
            "target": "outputs/reference",
        },
    ),
    Family(
        "vibravox, its batch",
        lambda t: t(2, 1, 16000),
        lambda t: {"audio_body_conducted": t(2, 1, 16000), "audio_airborne": t(2, 1, 16000)},
        {
            "input": "batch/audio_body_conducted",
            "prediction": "outputs",
            "target": "batch/audio_airborne",
        },
    ),
    # separation, effects
    Family(
        "asteroid, torchaudio: (mix, sources)",
        lambda t: t(2, 2, 16000),
        lambda t: (t(2, 16000), t(2, 2, 16000)),
        {
            "input": "batch/0",
            "prediction.s1": "outputs[0]",
            "prediction.s2": "outputs[1]",
            "target.s1": "batch/1[0]",
            "target.s2": "batch/1[1]",
        },
        arguments={"stems": ["s1", "s2"]},
    ),
    Family(
        "asteroid's dict, no names given",
        lambda t: {"est_sources": t(2, 3, 16000)},
        error="write AudioMonitor(stems=['stem 1', 'stem 2', 'stem 3']); or, if the second axis "
        'holds channels, AudioMonitor(prediction="est_sources")',
    ),
    Family(
        "Demucs",
        lambda t: t(2, 4, 2, 44100),
        lambda t: t(2, 4, 2, 44100),
        {
            f"{role}.{name}": f"{place}[{index}]"
            for role, place in (("prediction", "outputs"), ("target", "batch"))
            for index, name in enumerate(("drums", "bass", "other", "vocals"))
        },
        arguments={"stems": ("drums", "bass", "other", "vocals")},
    ),
    Family(
        "stems, no names given",
        lambda t: {"mixture": t(2, 2, 44100), "pred_stems": t(2, 4, 2, 44100)},
        error="write AudioMonitor(stems=['stem 1', 'stem 2', 'stem 3', 'stem 4'])",
    ),
    Family(
        "Demucs, no names given",
        lambda t: t(2, 2, 2, 44100),
        error="write AudioMonitor(stems=['stem 1', 'stem 2'])",
    ),
    Family(
        "a dict of stems, and a batch with the mixture",
        lambda t: {"speech": t(2, 16000), "noise": t(2, 16000)},
        lambda t: {"mixture": t(2, 16000), "speech": t(2, 16000), "noise": t(2, 16000)},
        {
            "input": "batch/mixture",
            "prediction.speech": "outputs/speech",
            "prediction.noise": "outputs/noise",
            "target.speech": "batch/speech",
            "target.noise": "batch/noise",
        },
        arguments={"stems": ["speech", "noise"]},
    ),
    Family(
        "pyannote: (scores, sources (B, T, S))",
        lambda t: (t(2, 624, 3), t(2, 80000, 3)),
        error=NOWHERE.format("0"),
    ),
    Family(
        "mod_extraction",
        lambda t: (
            t(),
            {
                "dry": t(2, 1, 16000),
                "wet": t(2, 1, 16000),
                "wet_hat": t(2, 1, 16000),
                "mod_sig": t(2, 345),
            },
            {"rate_hz": t(2)},
        ),
        sounds={
            "input": "outputs/1/dry",
            "prediction": "outputs/1/wet_hat",
            "target": "outputs/1/wet",
        },
    ),
    Family(
        "RemFx: (x, y, ...)",
        lambda t: t(2, 2, 16000),
        lambda t: [t(2, 2, 16000), t(2, 2, 16000), t(2, 5), t(2, 5)],
        {"input": "batch/0", "prediction": "outputs", "target": "batch/1"},
        arguments={"selectors": {"input": 0, "target": 1}},
    ),
    Family(
        "(x, y), nothing said",
        lambda t: t(2, 2, 16000),
        lambda t: [t(2, 2, 16000), t(2, 2, 16000)],
        {"prediction": "outputs"},
        fault="say it, AudioMonitor(input=0, target=1), if that is what they are",
    ),
    Family(
        "DDSP: what it was given, and what it made of that",
        lambda t: {"audio": t(2, 64000), "f0_hz": t(2, 250, 1), "audio_synth": t(2, 64000)},
        error='say which, AudioMonitor(prediction="audio") or '
        'AudioMonitor(prediction="audio_synth")',
    ),
    Family(
        "auraloss, micro-tcn",
        lambda t: {
            "input": t(2, 1, 16000),
            "target": t(2, 1, 16000),
            "pred": t(2, 1, 16000),
            "params": t(2, 2),
        },
        sounds={"input": "outputs/input", "prediction": "outputs/pred", "target": "outputs/target"},
    ),
    # generation
    Family(
        "stable-audio-tools",
        lambda t: t(2, 2, 65536),
        lambda t: (t(2, 2, 65536), [{"prompt": "rain"}, {"prompt": "wind"}]),
        {"prediction": "outputs", "target": "batch/0"},
        arguments={"selectors": {"target": 0}},
    ),
    Family(
        "diffusers",
        lambda t: AudioPipelineOutput(audios=t(2, 1, 65536)),
        sounds={"prediction": "outputs/audios"},
    ),
    Family(
        "ACE-Step",
        lambda t: {
            "target_wavs": [t(2, 48000), t(2, 48000)],
            "pred_wavs": [t(2, 48000), t(2, 48000)],
            "keys": ["a", "b"],
            "prompts": ["rain", "wind"],
            "sr": 48_000,
            "seeds": [1, 2],
        },
        sounds={"prediction": "outputs/pred_wavs", "target": "outputs/target_wavs"},
        rates={"prediction": 48_000, "target": 48_000},
    ),
    Family(
        "a row of datasets, collated as a list",
        lambda t: {"prediction": t(2, 16000), "sampling_rate": 48_000},
        lambda t: {"audio": [{"array": t(9000), "sampling_rate": 16_000}], "text": ["a"]},
        {"prediction": "outputs/prediction", "target": "batch/audio/0/array"},
        rates={"prediction": 48_000},
    ),
    Family(
        "rows of datasets, collated as tensors",
        lambda t: t(2, 16000),
        lambda t: {
            "audio": {
                "array": t(2, 16000),
                "sampling_rate": t(2, dtype="int64"),
                "path": ["a", "b"],
            }
        },
        {"prediction": "outputs", "target": "batch/audio/array"},
    ),
    # what has no sound
    Family(
        "a loss alone: sgmse, Apollo, CosyVoice",
        lambda t: t(),
        lambda t: {"audio": t(2, 16000)},
        error="return {'prediction': sound}, or pass predict= to make one of the batch",
    ),
    Family(
        "codes, and their sample rate",
        lambda t: (t(2, 8, 2048, dtype="int64"), 24_000),
        error=NOWHERE.format("0"),
    ),
    Family(
        "nothing",
        lambda _: None,
        error="found none in None: return {'prediction': sound}, or pass predict= to make one of "
        "the batch",
    ),
]


def check(family: Family, make: Make) -> None:
    """Find a family's sounds, and see that they are those values, and no others."""
    outputs, batch = family.outputs(make), family.batch(make)
    if family.error:
        with pytest.raises(ArgumentError, match=f"{re.escape(family.error)}$"):
            find_sounds(outputs, batch, **family.arguments)
        return
    found = find_sounds(outputs, batch, **family.arguments)
    places = {"outputs": outputs, "batch": batch}
    assert list(found.sounds) == list(family.sounds)
    for role, where in family.sounds.items():
        _assert_same(found.sounds[role], _located(places, where))
    assert found.sample_rates == family.rates
    assert found.lengths.keys() == family.lengths.keys()
    for role, where in family.lengths.items():
        assert found.lengths[role] is _located(places, where)
    faults = "".join(map(str, found.faults.values()))
    assert bool(faults) == bool(family.fault)
    assert family.fault in faults


def _located(values: Any, where: str) -> Any:
    path, _, stem = where.removesuffix("]").partition("[")
    for key in path.split("/"):
        if isinstance(values, Mapping):
            values = values[key]
        else:
            values = values[int(key)] if key.isdigit() else getattr(values, key)
    return values[:, int(stem)] if stem else values


def _assert_same(found: Any, expected: Any) -> None:
    """The very same value, alone in a list if it is one sound; of stems, a view of the same."""
    if isinstance(found, list) and isinstance(expected, list):
        assert len(found) == len(expected)
        assert all(one is other for one, other in zip(found, expected, strict=True))
    elif isinstance(found, list):
        (one,) = found
        assert len(expected.shape) == 1
        assert (one[0] if isinstance(one, tuple) else one) is expected
    elif found is not expected:  # a stem: a view of the same memory, and of the same place in it
        assert found.shape == expected.shape
        assert found.data_ptr() == expected.data_ptr() != 0
