"""Finding the sample rate that a model, its configuration or its data carry; never a guess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from earmark.errors import SampleRateError
from earmark.rate import checked_rate, is_rate

RATE_KEYS = ("sample_rate", "sampling_rate", "samplerate", "sr")
"""What a sample rate is called."""

_CONFIGS = ("hparams", "config", "cfg")
_SECTIONS = ("data", "audio", "model", "feature_extractor", "preprocessor")


def find_rate(owners: Mapping[str, Any]) -> int:
    """Find the one sample rate that these objects carry.

    Looked at are the owner itself, its `hparams`, `config` and `cfg`, and the sections `data`,
    `audio`, `model`, `feature_extractor` and `preprocessor` of all of these; then, if there is
    none, the owner's `model` in the same way, which may well have a `config` of its own.

    Args:
        owners: Objects by the name that the user knows them by, the likeliest first.

    Returns:
        The rate in Hz that the first owner with any carries.

    Raises:
        SampleRateError: If none is found, one is impossible, or one owner carries several that
            differ.
    """
    looked: dict[str, None] = {}
    for name, owner in _with_models(owners):
        found: dict[str, int] = {}
        for place, holder in _places(name, owner):
            looked[place] = None
            found |= _rates_of(place, holder)
        if len(set(found.values())) > 1:
            raise SampleRateError(
                f"expected one sample rate, found {found}: pass sample_rate=16000, or by role, "
                "sample_rate={'input': 16000, 'prediction': 48000, 'target': 48000}"
            )
        if found:
            return next(iter(found.values()))
    raise SampleRateError(
        f"expected a sample rate, found none: looked for {', '.join(RATE_KEYS)} in "
        f"{', '.join(looked)}; pass AudioMonitor(sample_rate=16000), or whatever the sounds have"
    )


def rate_of_others(given: int | Mapping[str, int] | None, owners: Mapping[str, Any]) -> int | None:
    """Find the sample rate of those roles for which none is given.

    Args:
        given: The rate of all roles in Hz, or by role.
        owners: Objects by the name that the user knows them by, the likeliest first.

    Returns:
        The rate in Hz; `None` if one is given for all, or none is certain beside one by role: the
        roles that are named may be all there are, and other sounds may come with their own.

    Raises:
        SampleRateError: If none is given, and `find_rate` finds none.
    """
    if isinstance(given, int):
        return None
    if not given:
        return find_rate(owners)
    try:
        return find_rate(owners)
    except SampleRateError:
        return None


def _with_models(owners: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, owner in owners.items():
        yield name, owner
        model = _get(owner, "model")
        if model is not None:
            yield f"{name}.model", model


def _places(name: str, owner: Any) -> Iterator[tuple[str, Any]]:
    configs = [(f"{name}.{key}", _get(owner, key)) for key in _CONFIGS]
    holders = [(name, owner), *((place, config) for place, config in configs if config is not None)]
    yield from holders
    for place, holder in holders:
        for key in _SECTIONS:
            section = _get(holder, key)
            if section is not None:
                yield f"{place}.{key}", section


def _rates_of(place: str, holder: Any) -> dict[str, int]:
    values = {f"{place}.{key}": _get(holder, key) for key in RATE_KEYS}
    return {key: _checked(key, value) for key, value in values.items() if is_rate(value)}


def _checked(place: str, value: Any) -> int:
    try:
        return checked_rate(value)
    except SampleRateError as error:
        raise SampleRateError(f"{place}: {error}") from error


def _get(holder: Any, key: str) -> Any:
    if isinstance(holder, Mapping):
        return holder.get(key)
    return getattr(holder, key, None)
