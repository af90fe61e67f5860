"""The loggers of a Lightning trainer, as sinks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from earmark.errors import EarmarkError
from earmark.notices import Notices
from earmark.sink import Sink, open_sink, sink_names

_SILENT = {"csv", "dummy"}
"""Loggers that nobody expects to hold sound."""


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
    known = set(sink_names())
    loggers = named_loggers(trainer, known | _SILENT)
    if given is not None:
        targets = {name: logger.experiment for name, logger in loggers if name in given}
        return [open_sink(sink, targets.get(str(sink))) for sink in given]
    sinks: list[str | Sink] = []
    for name, logger in loggers:
        reason = ""
        try:
            if name in known:
                sinks.append(open_sink(name, logger.experiment))
                continue
        except EarmarkError as error:
            reason = f" ({error})"
        if name not in _SILENT:
            kind = type(logger).__name__
            notices.tell(kind, f"{kind} gets no clips{reason}: they are in {directory}")
    return sinks


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
