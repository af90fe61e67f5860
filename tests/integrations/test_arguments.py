"""What a listener is given: looked up by name, put together, and kept as it is."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

from earmark.errors import ArgumentError
from earmark_integrations._arguments import (
    checked_decode,
    checked_predictor,
    checked_selectors,
    named_decode,
    names_of_stems,
    place_of,
)


@pytest.mark.parametrize("url", ["s3://bucket/run", "gs://bucket//run/", "memory://run"])
def test_a_url_stays_as_it_is(url: str) -> None:
    """A path would lose one of its slashes."""
    assert place_of(url) == url


def test_any_other_place_is_a_path() -> None:
    """As text, or a path already."""
    assert place_of("runs/first") == place_of(Path("runs") / "first") == Path("runs/first")


def test_roles_are_put_together() -> None:
    """Those that are not given are looked for, and have no selector."""
    known = {"input": None, "prediction": "fake"}
    assert checked_selectors(known, {"mel": 2}) == {"prediction": "fake", "mel": 2}
    assert checked_selectors(known, None) == {"prediction": "fake"}
    with pytest.raises(ArgumentError, match=r"^expected each role once, got prediction= and roles"):
        checked_selectors(known, {"prediction": "real"})


def test_what_decodes_is_meant_for_the_prediction() -> None:
    """Unless it is given by role."""
    assert checked_decode("vocoder") == {"prediction": "vocoder"}
    assert checked_decode({"target": "vocoder"}) == {"target": "vocoder"}
    assert checked_decode(None) == {}


def test_names_are_looked_up_in_the_module() -> None:
    """Submodules, methods, and what is within a submodule; a function is taken as it is."""
    model = nn.Sequential(nn.Identity(), nn.Linear(1, 1))
    assert named_decode(model, "1") is model[1]
    assert named_decode(model, "1.forward") == model[1].forward
    assert named_decode(model, abs) is abs


def test_the_model_s_own_names_of_stems_are_found() -> None:
    """Under `sources`, as separators keep them; what is no list of names is something else."""
    model = nn.Module()
    assert names_of_stems(model) is None
    model.sources = ["vocals", "drums"]  # type: ignore[assignment]  # as users do
    assert names_of_stems(model) == ["vocals", "drums"]
    model.sources = 4  # type: ignore[assignment]  # a count, say
    assert names_of_stems(model) is None


def test_a_demo_set_is_for_the_module_itself() -> None:
    """Without `predict` it is called; without either, nothing is predicted."""
    assert checked_predictor(None, None, None, None) is None
    predictor = checked_predictor(None, ["hello"], None, None)
    assert predictor is not None
    assert predictor(nn.Identity(), torch.ones(2), nullcontext()).tolist() == [1, 1]
