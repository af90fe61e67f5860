"""Captions and sample rates: found in the batch and in the module, or asked for before training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import soundfile
from lightning.pytorch import LightningDataModule
from torch import Tensor

from earmark.errors import ArgumentError, SampleRateError
from tests.integrations.lightning_models import (
    GOES_ON,
    RATE,
    Denoiser,
    clips_in,
    fit,
    loader,
    monitor,
    numbers,
)


class Silent(Denoiser):
    """A module that keeps no sample rate of its own."""

    sample_rate = None  # type: ignore[assignment]  # that is the point


class Data(LightningDataModule):
    """The data of all tests, with a rate where one is given."""

    def __init__(self, rate: int | None = None) -> None:
        super().__init__()
        self.sample_rate = rate

    def train_dataloader(self) -> Any:
        """Noisy speech."""
        return loader()

    val_dataloader = train_dataloader


def captions(listener: Any) -> list[str]:
    """The captions of a run."""
    return numbers(clips_in(listener.run_dir), "caption")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (None, ["words 0", "words 1"]),
        ("{text} | epoch {epoch}", ["words 0 | epoch 0", "words 1 | epoch 0"]),
        ("{speaker} | {tag} {example} at {step}", ["val 0 at 2", "val 1 at 2"]),
        (lambda fields: fields["text"].upper(), ["WORDS 0", "WORDS 1"]),
    ],
    ids=["default", "template", "unknown field", "function"],
)
def test_captions_say_what_is_known(tmp_path: Path, template: Any, expected: list[str]) -> None:
    """The words of the batch, a template in which the unknown is empty, or a function."""
    listener = monitor(captions=template)
    assert fit(tmp_path, listener) == []
    assert captions(listener) == expected


def test_a_field_that_is_missing_is_empty(tmp_path: Path) -> None:
    """Batches need not all have what a template names, however it is formatted."""
    listener = monitor(captions="{text} | {speaker.name} | {snr:.1f}", max_examples=1)
    assert fit(tmp_path, listener) == []
    assert numbers(clips_in(listener.run_dir), "caption") == ["words 0"]


def test_other_columns_of_the_batch_can_be_named(tmp_path: Path) -> None:
    """A list of texts is a field, under its key."""
    listener = monitor(captions="{speaker}: {text}")
    val = loader(speaker=lambda index: f"speaker {index}")
    assert fit(tmp_path, listener, val=val) == []
    assert captions(listener) == ["speaker 0: words 0", "speaker 1: words 1"]


def test_a_malformed_template_is_refused_by_the_constructor() -> None:
    """Long before the first validation."""
    with pytest.raises(ArgumentError, match=r"^expected captions as a template such as"):
        monitor(captions="{text")


def test_a_function_that_raises_costs_the_caption_only(tmp_path: Path) -> None:
    """The sounds are logged, and one warning says what went wrong."""

    def fail(fields: dict[str, Any]) -> str:
        raise LookupError(f"no speaker in {sorted(fields)}")

    listener = monitor(captions=fail)
    (message,) = fit(tmp_path, listener, max_epochs=2)
    assert message == (
        "earmark: the caption of '0' was not logged: LookupError: no speaker in ['epoch', "
        f"'example', 'step', 'tag', 'text']{GOES_ON}"
    )
    assert len(clips_in(listener.run_dir)) == 4
    assert captions(listener) == [""]


def rates(listener: Any) -> dict[str, int]:
    """The sample rate of each role, in the headers of the stored files."""
    files = {clip.role: clip.audio.path for clip in clips_in(listener.run_dir)}
    return {role: soundfile.info(str(path)).samplerate for role, path in files.items()}


def test_the_rate_of_the_hyperparameters_is_found(tmp_path: Path) -> None:
    """Where `save_hyperparameters` puts it."""

    class Module(Silent):
        def __init__(self, data: dict[str, int]) -> None:
            super().__init__()
            self.save_hyperparameters()

    listener = monitor()
    assert fit(tmp_path, listener, module=Module({"sampling_rate": 11_025})) == []
    assert rates(listener) == {"prediction": 11_025}


def test_the_rate_of_the_data_module_is_found(tmp_path: Path) -> None:
    """It is asked if the module knows none."""
    listener = monitor()
    assert fit(tmp_path, listener, module=Silent(), datamodule=Data(11_025)) == []
    assert rates(listener) == {"prediction": 11_025}


def test_the_rate_that_is_given_comes_first(tmp_path: Path) -> None:
    """For all roles, or for each of them."""
    both = {"prediction": 48_000, "target": 16_000}
    for index, (given, expected) in enumerate(
        [(44_100, dict.fromkeys(both, 44_100)), (both, both)]
    ):
        listener = monitor(target="clean", sample_rate=given)
        assert fit(tmp_path / str(index), listener) == []
        assert rates(listener) == expected


def test_a_rate_that_is_missing_for_a_role_costs_that_role(tmp_path: Path) -> None:
    """Where none is found either, the others are logged, and the message says what to pass."""
    listener = monitor(target="clean", sample_rate={"prediction": RATE})
    (message,) = fit(tmp_path, listener, module=Silent())
    assert message == (
        "earmark: the target of example '0' at step 2 was not logged: expected a sample rate in "
        "Hz beside raw samples, got none: pass sample_rate={'prediction': 8000, 'target': ...}, "
        "whatever these samples have" + GOES_ON
    )
    assert rates(listener) == {"prediction": RATE}


def test_a_rate_by_role_says_no_more_than_it_names(tmp_path: Path) -> None:
    """The other roles have the rate of the module, as if nothing had been given."""
    listener = monitor(input="noisy", target="clean", sample_rate={"input": 2 * RATE})
    assert fit(tmp_path, listener) == []
    assert rates(listener) == {"input": 2 * RATE, "prediction": RATE, "target": RATE}


def test_all_roles_that_are_named_need_no_other_rate(tmp_path: Path) -> None:
    """A module that keeps none is none the worse for it, nor one that keeps two."""

    class Torn(Silent):
        def __init__(self) -> None:
            super().__init__()
            self.config, self.cfg = {"sr": 16_000}, {"sr": 48_000}

    both = {"prediction": RATE, "target": 2 * RATE}
    for module in (Silent(), Torn()):
        listener = monitor(target="clean", sample_rate=both)
        assert fit(tmp_path / type(module).__name__, listener, module=module) == []
        assert rates(listener) == both


def test_sounds_may_bring_their_rate(tmp_path: Path) -> None:
    """A `(waveform, sample_rate)` pair is what `torchaudio.load` returns, and is believed."""

    def predict(module: Any, batch: dict[str, Any]) -> tuple[Tensor, int]:
        return module(batch["noisy"]), 24_000

    listener = monitor(predict=predict, target="clean", sample_rate={"target": RATE})
    assert fit(tmp_path, listener) == []
    assert rates(listener) == {"prediction": 24_000, "target": RATE}


def test_a_missing_rate_is_an_error_before_the_first_step(tmp_path: Path) -> None:
    """It lists where it was looked for: nothing is guessed, and nothing is written."""
    message = (
        "expected a sample rate, found none: looked for sample_rate, sampling_rate, samplerate, sr "
        "in module, module.hparams, datamodule, datamodule.hparams; pass "
        "AudioMonitor(sample_rate=16000), or whatever the sounds have"
    )
    with pytest.raises(SampleRateError, match=f"^{re.escape(message)}$"):
        fit(tmp_path, monitor(), module=Silent(), datamodule=Data())
    assert list(tmp_path.iterdir()) == []


def test_contradicting_rates_are_an_error_before_the_first_step(tmp_path: Path) -> None:
    """The message shows both."""

    class Module(Denoiser):
        config = {"audio": {"sample_rate": 2 * RATE}}  # noqa: RUF012 - it stays as it is

    message = (
        f"expected one sample rate, found {{'module.sample_rate': {RATE}, "
        f"'module.config.audio.sample_rate': {2 * RATE}}}: pass sample_rate=16000, or by role"
    )
    with pytest.raises(SampleRateError, match=f"^{re.escape(message)}"):
        fit(tmp_path, monitor(), module=Module())


@pytest.mark.parametrize("rate", [0, -8000, 22.05, "16k", {"prediction": None}], ids=str)
def test_an_impossible_rate_is_refused_by_the_constructor(rate: Any) -> None:
    """Before there is a trainer."""
    with pytest.raises(SampleRateError, match=r"^expected a sample rate in Hz, a positive integer"):
        monitor(sample_rate=rate)
