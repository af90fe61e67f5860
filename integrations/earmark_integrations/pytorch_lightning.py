"""AudioMonitor for `pytorch_lightning`."""

from __future__ import annotations

from pytorch_lightning.callbacks import Callback

from earmark_integrations._hooks import Hooks

__all__ = ["AudioMonitor"]


class AudioMonitor(Hooks, Callback):  # noqa: D101 - it is the one of Hooks
    __doc__ = Hooks.__doc__
