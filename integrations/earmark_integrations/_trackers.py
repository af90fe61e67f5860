"""The trackers of a training, as sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.errors import EarmarkError
from earmark.notices import Notices
from earmark.sink import Sink, open_sink, sink_names

SILENT = frozenset({"csv", "dummy"})
"""Trackers that nobody expects to hold sound."""


@dataclass(frozen=True)
class Tracker:
    """A tracker that a training has.

    Args:
        name: The name of its sink, or its own, if there is no such sink.
        kind: What the user calls it.
        target: Makes what its sink is opened on.
    """

    name: str
    kind: str
    target: Callable[[], Any]


def open_trackers(
    trackers: Iterable[Tracker],
    given: Sequence[str | Sink] | None,
    notices: Notices,
    directory: object,
) -> list[str | Sink]:
    """Open the sinks that are asked for, on the training's trackers where these have their names.

    Args:
        trackers: Those of the training.
        given: Names, or sinks; each tracker that can hold sound, if there are none given.
        notices: Who is told of trackers that cannot.
        directory: The run's directory, where the clips are all the same.

    Raises:
        EarmarkError: If a sink that was asked for cannot be opened.
    """
    if given is not None:
        targets = {one.name: one.target() for one in trackers if one.name in given}
        return [open_sink(sink, targets.get(str(sink))) for sink in given]
    known = sink_names()
    sinks: list[str | Sink] = []
    for one in trackers:
        reason = ""
        try:
            if one.name in known:
                sinks.append(open_sink(one.name, one.target()))
                continue
        except EarmarkError as error:
            reason = f" ({error})"
        if one.name not in SILENT:
            notices.tell(one.kind, f"{one.kind} gets no clips{reason}: they are in {directory}")
    return sinks
