"""What a listener is given, checked: each mistake has its message."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from torch import nn

from earmark.errors import ArgumentError, ArgumentTypeError, shown
from earmark.outputs.selector import Selector
from earmark_integrations._inference import attribute
from earmark_integrations._predictor import Predict, Predictor, Weights
from earmark_integrations.demo import check_demo

Decode: TypeAlias = str | Callable[[Any], Any]
"""What makes sound of a prediction: a function of a batch, or the name of a submodule or method."""


def checked_selectors(
    known: Mapping[str, Selector | None], roles: Mapping[str, Selector] | None
) -> dict[str, Selector]:
    """Put the selectors of all roles together, each of which may be given once."""
    check_kind("roles", roles, "selectors by name, such as {'residual': 'out.residual'}", Mapping)
    given = {role: where for role, where in known.items() if where is not None}
    twice = [role for role in given if role in (roles or {})]
    if twice:
        raise ArgumentError(
            f"expected each role once, got {twice[0]}= and roles={{{twice[0]!r}: ...}}: leave out "
            "one of them"
        )
    return {**given, **(roles or {})}


def place_of(path: str | os.PathLike[str]) -> Path | str:
    """Make a path of a run's directory; a URL stays text."""
    text = os.fspath(path)
    return text if "://" in text else Path(text)  # a URL's slashes are not to be tidied up


def checked_predictor(
    predict: Predict | None,
    demo: Any,
    variants: Mapping[str, Mapping[str, Any]] | None,
    weights: Weights | None,
) -> Predictor | None:
    """Make a predictor, if what is heard is not what the step returned."""
    if demo is not None:
        check_demo(demo)
    if predict is not None or demo is not None:
        return Predictor("__call__" if predict is None else predict, variants or {}, weights)
    for name, given in (("variants", variants), ("weights", weights)):
        if given is not None:
            raise ArgumentError(
                f"expected predict= beside {name}=, got none: {name} are for what it makes, such "
                "as predict='generate'"
            )
    return None


def checked_decode(decode: Mapping[str, Decode] | Decode | None) -> dict[str, Decode]:
    """Make what decodes by role of what decodes the prediction."""
    by_role = decode if isinstance(decode, Mapping) else {"prediction": decode}
    given = {role: of for role, of in by_role.items() if of is not None}
    for of in given.values():
        if not callable(of) and not (isinstance(of, str) and of):
            raise ArgumentTypeError(
                "expected decode as a function of a batch, or the name of a submodule or method, "
                f"got {shown(of)}: pass decode=vocoder, or by role, decode={{'prediction': "
                "vocoder, 'target': vocoder}"
            )
    return given


def named_decode(module: nn.Module, decode: Decode) -> Callable[[Any], Any]:
    """Look up what decodes, if it is a name."""
    found = attribute(module, decode) if isinstance(decode, str) else decode
    if not callable(found):
        raise ArgumentError(
            f"expected decode to be a submodule or method of {type(module).__name__}, got "
            f"{decode!r}: name one, or pass a function of a batch"
        )
    return found


def names_of_stems(module: nn.Module) -> list[str] | None:
    """The names that a model itself has for the sounds of a mixture."""
    names = getattr(module, "sources", None)
    is_names = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    return list(names) if is_names and names else None


def checked_places(run_dir: Any, sinks: Any, tag: Any) -> tuple[Any, Any, Any]:
    """Refuse a run's directory, sinks or a tag that are none."""
    check_kind("run_dir", run_dir, "a path", str, os.PathLike)
    check_kind("sinks", sinks, "a list of names, such as ['wandb'], or of sinks", list, tuple)
    check_kind("tag", tag, "text, such as 'val'", str)
    return run_dir, sinks, tag


def check_kind(name: str, value: object, expected: str, *kinds: type) -> None:
    """Refuse what is neither of these kinds nor left out."""
    if value is not None and not isinstance(value, kinds):
        raise ArgumentTypeError(f"expected {name} as {expected}, got {shown(value)}")
