"""The sample rate is found where models, configurations and data keep it, and never guessed."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from earmark.errors import SampleRateError
from earmark.rate_search import RATE_KEYS, find_rate, rate_of_others

CONFIGS = ("hparams", "config", "cfg")
SECTIONS = ("data", "audio", "model", "feature_extractor", "preprocessor")
PLACES = [
    (),
    *((config,) for config in CONFIGS),
    *((section,) for section in SECTIONS),
    *((config, section) for config in CONFIGS for section in SECTIONS),
]


def nested(path: tuple[str, ...], rate: Any, key: str = "sample_rate") -> Any:
    """An object that carries a rate as an attribute, at this path."""
    holder = SimpleNamespace(**{key: rate})
    for name in reversed(path):
        holder = SimpleNamespace(**{name: holder})
    return holder


@pytest.mark.parametrize("path", PLACES, ids=".".join)
def test_a_rate_is_found_at_every_documented_place(path: tuple[str, ...]) -> None:
    """The owner, its configurations, and the sections of all of them."""
    assert find_rate({"module": nested(path, 22_050)}) == 22_050


@pytest.mark.parametrize("path", [(), ("hparams",), ("hparams", "audio")], ids=".".join)
def test_a_rate_is_found_in_mappings(path: tuple[str, ...]) -> None:
    """Hyperparameters are often dictionaries."""
    holder: dict[str, Any] = {"sampling_rate": 22_050}
    for name in reversed(path):
        holder = {name: holder}
    assert find_rate({"module": holder}) == 22_050


@pytest.mark.parametrize("key", RATE_KEYS)
def test_a_rate_is_found_under_each_of_its_names(key: str) -> None:
    """`sample_rate`, `sampling_rate`, `samplerate` and `sr` are the same."""
    assert find_rate({"module": nested((), 44_100, key)}) == 44_100


@pytest.mark.parametrize("rate", [16_000.0, np.int64(16_000), np.array(16_000)], ids=repr)
def test_a_rate_is_a_plain_integer(rate: Any) -> None:
    """Configurations hold floats and arrays of one number; what is found is an int."""
    assert type(find_rate({"module": nested((), rate)})) is int


def test_the_first_owner_with_a_rate_decides() -> None:
    """The data module is asked only if the module knows none."""
    module, datamodule = nested((), 24_000), nested((), 48_000)
    assert find_rate({"module": module, "datamodule": datamodule}) == 24_000
    assert find_rate({"module": object(), "datamodule": datamodule}) == 48_000


def test_a_model_within_the_module_is_asked_next() -> None:
    """A model has its configuration with it, as those of transformers have."""
    model = SimpleNamespace(config=SimpleNamespace(sampling_rate=24_000))
    owners = {"module": SimpleNamespace(model=model), "datamodule": nested((), 48_000)}
    assert find_rate(owners) == 24_000


def test_a_model_within_the_module_decides_nothing_that_the_module_knows() -> None:
    """A codec's configuration is no contradiction to the hyperparameters of what trains it."""
    model = SimpleNamespace(config=SimpleNamespace(sampling_rate=24_000))
    module = SimpleNamespace(model=model, hparams={"sample_rate": 16_000})
    assert find_rate({"module": module}) == 16_000


def test_several_equal_rates_are_one() -> None:
    """A module that keeps its rate twice is no contradiction."""
    module = SimpleNamespace(sample_rate=16_000, hparams={"sr": 16_000.0})
    assert find_rate({"module": module}) == 16_000


def test_contradicting_rates_are_refused() -> None:
    """Nobody can tell which one the sounds have, so the user is asked."""
    module = SimpleNamespace(sample_rate=16_000, hparams={"sample_rate": 48_000})
    message = (
        "expected one sample rate, found {'module.sample_rate': 16000, "
        "'module.hparams.sample_rate': 48000}: pass sample_rate=16000, or by role, "
        "sample_rate={'input': 16000, 'prediction': 48000, 'target': 48000}"
    )
    with pytest.raises(SampleRateError, match=f"^{re.escape(message)}$"):
        find_rate({"module": module})


def test_a_missing_rate_lists_the_places_looked_at() -> None:
    """The message says where a rate would have been found, and what to pass."""
    module = SimpleNamespace(hparams={"audio": {}, "lr": 0.1})
    message = (
        "expected a sample rate, found none: looked for sample_rate, sampling_rate, samplerate, sr "
        "in module, module.hparams, module.hparams.audio, datamodule; pass "
        "AudioMonitor(sample_rate=16000), or whatever the sounds have"
    )
    with pytest.raises(SampleRateError, match=f"^{re.escape(message)}$"):
        find_rate({"module": module, "datamodule": object()})


def test_an_impossible_rate_is_refused_with_its_place() -> None:
    """Kilohertz in a configuration are found before the first step."""
    message = "module.config.sr: expected a sample rate in Hz, a positive integer such as 16000, "
    with pytest.raises(SampleRateError, match=f"^{re.escape(message)}"):
        find_rate({"module": nested(("config",), 22.05, "sr")})


@pytest.mark.parametrize("value", ["16000", None, True, [16_000], print], ids=repr)
def test_what_is_no_number_is_no_rate(value: Any) -> None:
    """Methods, texts and lists of the same name are passed over."""
    module = SimpleNamespace(sr=value, hparams={"sr": 8_000})
    assert find_rate({"module": module}) == 8_000


@pytest.mark.parametrize("given", [None, {}], ids=repr)
def test_a_rate_has_to_be_found_where_none_is_given(given: Any) -> None:
    """Neither for all roles nor for one of them."""
    assert rate_of_others(given, {"module": nested((), 24_000)}) == 24_000
    with pytest.raises(SampleRateError, match=r"^expected a sample rate, found none: looked for"):
        rate_of_others(given, {"module": object()})


def test_a_rate_for_all_roles_leaves_none_to_find() -> None:
    """What the module says is not asked for."""
    assert rate_of_others(16_000, {"module": nested((), 24_000)}) is None
    assert rate_of_others(16_000, {"module": nested((), 22.05)}) is None


def test_rates_by_role_leave_the_others_to_what_is_found() -> None:
    """None, several that differ, or an impossible one: the roles that are named may be all."""
    given = {"input": 8000}
    assert rate_of_others(given, {"module": nested((), 24_000)}) == 24_000
    torn = SimpleNamespace(sample_rate=16_000, hparams={"sample_rate": 48_000})
    for module in (object(), torn, nested((), 22.05)):
        assert rate_of_others(given, {"module": module}) is None
