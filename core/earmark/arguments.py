"""What a run is asked for, checked: each mistake has its message."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from earmark.errors import ArgumentError, ArgumentTypeError, shown
from earmark.reference import is_reference
from earmark.schedule import Schedule
from earmark.sink import Sink

_MAX_STEP = 2**63  # what a column of integers holds, in any tool that reads a run
_READ_ONLY = frozenset({"gist", "git", "github", "http", "https"})


def checked_path(path: object) -> Path | str:
    """Make a path of a run's directory on this machine; the URL of one elsewhere stays text."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentTypeError(
            f"expected the run's directory as a path, got {shown(path)}: pass one "
            "such as 'runs/first'"
        )
    text = os.fsdecode(path)
    if is_reference(text):
        return _checked_url(text)
    if not text or "://" in text:
        raise ArgumentError(
            f"expected a directory such as 'runs/first', or a URL such as 's3://bucket/run', got "
            f"{text!r}: a path has no scheme, and a URL one that fsspec can write to"
        )
    path = Path(text).expanduser()
    if is_reference(text.replace(":/", "://", 1)) and not path.exists():
        raise ArgumentError(
            f"expected a directory or a URL, got {text!r}, a URL that lost a slash in a Path: pass "
            "URLs as str"
        )
    return path


def _checked_url(url: str) -> str:
    scheme, _, place = url.partition("://")
    if scheme.lower() in _READ_ONLY or "::" in url or not place.strip("/"):
        raise ArgumentError(
            f"expected a URL that can be written to, such as 's3://bucket/run', got {url!r}: "
            "name the folder that the run is to be"
        )
    return f"{scheme.lower()}://{place.rstrip('/')}"


def checked_positive(name: str, value: float) -> float:
    """Make a float of a positive number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    raise ArgumentError(f"expected {name} as a positive number, got {shown(value)}: leave it out")


def checked_schedule(schedule: Schedule | None) -> Schedule | None:
    """Refuse what is no schedule."""
    if schedule is None or callable(getattr(schedule, "due", None)):
        return schedule
    raise ArgumentTypeError(
        f"expected a schedule, got {shown(schedule)}: pass every_n_epochs(5), "
        "every_n_steps(1000) or at_epochs([0, 1, 5, 50])"
    )


def checked_sinks(sinks: Sequence[str | Sink]) -> Sequence[str | Sink]:
    """Refuse one name where a list of them is expected."""
    if isinstance(sinks, str):
        raise ArgumentTypeError(f"expected a list of sinks, got {sinks!r}: pass [{sinks!r}]")
    return sinks


def checked_place(step: Any, epoch: Any) -> tuple[int, int | None]:
    """Say at which step a call is placed, and its epoch."""
    passed = checked_whole("epoch", epoch)
    place = passed if step is None else checked_whole("step", step)
    if place is None:
        raise ArgumentError(
            "expected a step, or an epoch that serves as one, got neither: pass step=global_step"
        )
    return place, passed


def checked_whole(name: str, value: Any) -> int | None:
    """Make an integer of a whole number, 0 or more; `None` stays `None`."""
    if value is None:
        return None
    try:
        number = -1 if isinstance(value, bool) or int(value) != value else int(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # no number at all, or many
        number = -1
    if not 0 <= number < _MAX_STEP:
        raise ArgumentError(
            f"expected the {name} as a whole number, 0 or more, got {shown(value)}: count "
            f"{name}s from 0"
        )
    return number


def checked_tag(tag: object) -> str:
    """Refuse a tag that is no text."""
    if isinstance(tag, str):
        return tag
    raise ArgumentTypeError(
        f"expected the tag as text, got {shown(tag)}: pass tag='val', or any name"
    )
