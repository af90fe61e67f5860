"""The loggers of a Lightning trainer, as sinks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from earmark.notices import Notices
from earmark.sink import Sink, sink_names
from earmark_integrations._trackers import SILENT, Tracker, open_trackers


def open_sinks(
    trainer: Any, given: Sequence[str | Sink] | None, notices: Notices, directory: str
) -> list[str | Sink]:
    """Open the sinks that are asked for, on the trainer's loggers where these have their names.

    Args:
        trainer: The trainer.
        given: Names, or sinks; each logger that can hold sound, if there are none given.
        notices: Who is told of loggers that cannot.
        directory: The run's directory, where the clips are all the same.

    Raises:
        EarmarkError: If a sink that was asked for cannot be opened.
    """
    experiment = attrgetter("experiment")
    trackers = [
        Tracker(name, type(logger).__name__, partial(experiment, logger))
        for name, logger in named_loggers(trainer, {*sink_names(), *SILENT})
    ]
    return open_trackers(trackers, given, notices, directory)


def named_loggers(trainer: Any, known: Collection[str]) -> list[tuple[str, Any]]:
    """The trainer's loggers, each under the name of its sink, or under its own.

    Args:
        trainer: The trainer.
        known: The names of all sinks there are.
    """
    loggers = []
    for logger in trainer.loggers:
        names = [kind.__name__.removesuffix("Logger").lower() for kind in type(logger).__mro__]
        loggers.append((next((name for name in names if name in known), names[0]), logger))
    return loggers
