"""Ending: what was logged is published before its process ends, whichever way that is."""

from __future__ import annotations

import atexit
import os
import sys
import weakref

from earmark.recorder import Recorder

_SECONDS = 10.0
"""How long a process that ends waits for what was logged and not published."""


class Ending:
    """Has a recorder finish as the process ends, if it is still there.

    Args:
        recorder: It is not kept alive.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = weakref.ref(recorder)
        self._child = 0
        atexit.register(self._finish)

    def in_this_process(self) -> None:
        """Take note of a child of multiprocessing, which may well end without atexit."""
        if self._child == os.getpid():
            return
        process, util = map(sys.modules.get, ("multiprocessing.process", "multiprocessing.util"))
        if process is not None and util is not None and process.parent_process() is not None:
            self._child = os.getpid()
            util.Finalize(None, self._finish, exitpriority=0)

    def _finish(self) -> None:
        recorder = self._recorder()
        if recorder is not None:
            recorder.finish(_SECONDS)
