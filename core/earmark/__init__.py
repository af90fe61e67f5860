"""earmark: hear your model train."""

from __future__ import annotations

from earmark.audio import Audio
from earmark.clip import Clip, Take
from earmark.errors import EarmarkError, EarmarkWarning
from earmark.level import Level
from earmark.run import Run
from earmark.schedule import Schedule, at_epochs, every_n_epochs, every_n_steps
from earmark.sink import Sink
from earmark.store import list_runs, open_run
from earmark.unfold import register_output
from earmark.version import __version__

__all__ = [
    "Audio",
    "Clip",
    "EarmarkError",
    "EarmarkWarning",
    "Level",
    "Run",
    "Schedule",
    "Sink",
    "Take",
    "__version__",
    "at_epochs",
    "every_n_epochs",
    "every_n_steps",
    "list_runs",
    "open_run",
    "register_output",
]
