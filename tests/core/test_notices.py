from __future__ import annotations

import pytest

from earmark.errors import EarmarkWarning, ShapeError
from earmark.notices import Notices
from tests.core.faults import told


def test_each_cause_is_told_once() -> None:
    """However often something goes wrong, one warning tells of it; another cause is told too."""
    notices = Notices()
    with told() as messages:
        for cause in ("disk", "disk", "network", "disk"):
            notices.tell(cause, f"the {cause} is gone")

    assert messages == ["earmark: the disk is gone", "earmark: the network is gone"]


def test_everything_is_counted() -> None:
    """What is passed over silently is counted with the rest."""
    notices = Notices()
    with pytest.warns(EarmarkWarning):
        notices.tell("disk", "gone")
    notices.tell("disk", "gone")
    notices.tell("disk", "gone")

    assert notices.total == 3


def test_an_error_of_ours_speaks_for_itself() -> None:
    """What was lost, what was expected and what came, and how to get the error itself."""
    with pytest.warns(EarmarkWarning) as caught:
        Notices().fault("shape", "the input", ShapeError("expected one sound, got two: pick one"))

    assert str(caught[0].message) == (
        "earmark: the input was not logged: expected one sound, got two: pick one. Training goes "
        "on, and more of the same is passed over silently; strict=True raises instead"
    )


def test_a_foreign_error_is_named() -> None:
    """The message of someone else's error often says little without its name."""
    with pytest.warns(EarmarkWarning, match=r"the input was not logged: KeyError: 'audio'\. "):
        Notices().fault("key", "the input", KeyError("audio"))


def test_strict_notices_raise_the_error_itself() -> None:
    """With strict=True the error arrives as it was, and nothing is told."""
    error = KeyError("audio")
    with pytest.raises(KeyError) as caught:
        Notices(strict=True).fault("key", "the input", error)

    assert caught.value is error


def test_an_error_that_cost_nothing_is_told_as_it_is() -> None:
    """Once, and raised instead where that is wanted."""
    error = ShapeError("expected one, got two: pass one")
    notices = Notices()
    with told() as messages:
        notices.tell_of("two", error)
        notices.tell_of("two", error)

    assert messages == ["earmark: expected one, got two: pass one"]
    with pytest.raises(ShapeError, match="expected one, got two: pass one"):
        Notices(strict=True).tell_of("two", error)


def test_a_guard_keeps_errors_in() -> None:
    """What goes wrong inside is told once a kind, and what stands behind it goes on."""
    notices = Notices()
    with told() as messages:
        for error in (KeyError("a"), ValueError("b"), KeyError("c")):
            with notices.guard(("val", "caption"), "the caption"):
                raise error

    assert len(messages) == 2
    assert notices.total == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_guard_lets_the_user_stop(error: type[BaseException]) -> None:
    """Whoever presses Ctrl-C is obeyed."""
    with pytest.raises(error), Notices().guard("cause", "the input"):
        raise error
