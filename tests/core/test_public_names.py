from __future__ import annotations

import inspect

import pytest

import earmark
from earmark import Audio, Clip, Level, Run, Take, errors
from earmark.draft import Draft


def test_all_lists_every_public_name() -> None:
    """`from earmark import *` brings what is public, each of it documented, and no modules."""
    public = {
        name
        for name in dir(earmark)
        if not name.startswith("_") and name not in {"TYPE_CHECKING", "annotations"}
        if not inspect.ismodule(getattr(earmark, name))
    }

    assert set(earmark.__all__) == public | {"__version__"}
    assert len(earmark.__all__) == len(set(earmark.__all__))
    assert all(inspect.getdoc(getattr(earmark, name)) for name in public)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """As of any other module, so that `hasattr` and `import from` say so too."""
    with pytest.raises(AttributeError, match="module 'earmark' has no attribute 'Vidoe'"):
        getattr(earmark, "Vidoe")  # noqa: B009 - spelt out, type checkers would refuse it
    assert not hasattr(earmark, "Vidoe")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            Audio,
            """samples sample_rate duration_seconds num_frames num_channels caption level path
            durations sample_rates captions path_is_reference resolve_ref artifact_type
            to_json from_json""",
        ),
        (Clip, "audio tag example role step epoch caption metrics level"),
        (Level, "peak_dbfs rms_dbfs num_over num_nonfinite silent"),
        (Run, "log log_batch take due flush close"),
        (Take, "name path clips step epoch"),
        (Draft, "add add_batch"),
        (earmark, "open_run list_runs every_n_epochs every_n_steps at_epochs EarmarkError Sink"),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else value.__name__,
)
def test_the_names_that_users_type_are_there(kind: object, names: str) -> None:
    """The design promises these names, and that they do not change."""
    fields = getattr(kind, "__dataclass_fields__", {})
    missing = [name for name in names.split() if not hasattr(kind, name) and name not in fields]

    assert missing == []


def test_arguments_of_add_are_those_of_log() -> None:
    """Whoever knows `log` and `log_batch` knows what a take is put together with."""
    for short, long in ((Draft.add, Run.log), (Draft.add_batch, Run.log_batch)):
        added = inspect.signature(short).parameters.keys() - {"picked"}
        logged = inspect.signature(long).parameters.keys() - {"step", "epoch", "tag"}

        assert added == logged


def test_every_error_is_ours_and_a_built_in_one() -> None:
    """One `except` for all of them, and the one that Python programmers expect for each."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, errors.EarmarkError)
    ]

    for kind in kinds:
        built_in = [base for base in kind.__mro__ if base.__module__ == "builtins"]
        assert kind is errors.EarmarkError or built_in[0] not in {Exception, BaseException}
