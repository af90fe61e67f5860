from __future__ import annotations

import builtins
import inspect
import pickle
import re
import warnings

import numpy as np
import pytest

from earmark import errors
from earmark.errors import EarmarkError, EarmarkWarning, shown

ALL = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, EarmarkError) and found is not EarmarkError
]
DRAWN = re.findall(r"[├└]── (\w+) +(\w+) ", errors.__doc__ or "")


@pytest.mark.parametrize("error", ALL)
def test_every_error_is_one_of_ours_and_the_builtin_that_callers_expect(
    error: type[EarmarkError],
) -> None:
    """`except EarmarkError` and `except ValueError`, or its like, both catch an error of ours."""
    base, builtin = error.__bases__
    assert base is EarmarkError
    assert getattr(builtins, builtin.__name__) is builtin


def test_the_tree_in_the_docstring_is_complete() -> None:
    """The drawn tree names every error and the builtin error that it also is."""
    assert sorted(DRAWN) == sorted((error.__name__, error.__bases__[1].__name__) for error in ALL)


@pytest.mark.parametrize("error", ALL)
def test_errors_keep_their_message_through_a_process_boundary(error: type[EarmarkError]) -> None:
    """An error that a DataLoader's worker raises arrives with its type and its message."""
    arrived = pickle.loads(pickle.dumps(error("expected this, got that")))  # noqa: S301 - our own
    assert type(arrived) is error
    assert str(arrived) == "expected this, got that"


def test_the_warning_is_a_user_warning() -> None:
    """Users filter our warning by its class, or with all other `UserWarning`s."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("one clip", EarmarkWarning, stacklevel=1)
    assert isinstance(caught[0].message, UserWarning)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("16000", "'16000' (str)"),
        (None, "None (NoneType)"),
        ([0.5, 1.0], "[0.5, 1.0] (list)"),
        pytest.param(10**5000, "a very long number (int)", id="five thousand digits"),
    ],
)
def test_messages_show_a_value_and_its_type(value: object, text: str) -> None:
    """A message shows what came, and of what type it is."""
    assert shown(value) == text


@pytest.mark.parametrize(
    "value",
    [[0.5] * 10**6, "x" * 10**6, {"a": "y" * 10**6}, np.zeros(10**6)],
    ids=["list", "str", "dict", "array"],
)
def test_messages_stay_short_however_large_a_value_is(value: object) -> None:
    """A mistaken argument of a million items does not make a message of megabytes."""
    assert len(shown(value)) < 200


def test_messages_survive_a_value_that_cannot_be_shown() -> None:
    """A value whose own `repr` fails is still named by its type."""

    class Broken:
        def __repr__(self) -> str:
            raise KeyError("broken")

    assert re.fullmatch(r"<Broken instance at 0x\w+> \(Broken\)", shown(Broken()))
