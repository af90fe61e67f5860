"""earmark: hear your model train."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from earmark.version import __version__

if TYPE_CHECKING:
    from earmark.audio import Audio
    from earmark.clip import Clip, Take
    from earmark.errors import EarmarkError, EarmarkWarning
    from earmark.level import Level
    from earmark.outputs.registry import register_output
    from earmark.run import Run
    from earmark.schedule import Schedule, at_epochs, every_n_epochs, every_n_steps
    from earmark.sink import Sink
    from earmark.store import list_runs, open_run
else:
    # Each is imported from here when it is first asked for, so that `import earmark` is quick.
    _HOMES = {
        "Audio": "audio",
        "Clip": "clip",
        "EarmarkError": "errors",
        "EarmarkWarning": "errors",
        "Level": "level",
        "Run": "run",
        "Schedule": "schedule",
        "Sink": "sink",
        "Take": "clip",
        "at_epochs": "schedule",
        "every_n_epochs": "schedule",
        "every_n_steps": "schedule",
        "list_runs": "store",
        "open_run": "store",
        "register_output": "outputs.registry",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        return globals().setdefault(name, value)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


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
