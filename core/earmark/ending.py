"""Ending: what was logged is published before its process or its run ends, however that comes."""

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
        owner: Who logs. Where nobody has it any more, and nobody has closed it, the recorder ends.
        recorder: It is not kept alive.
    """

    def __init__(self, owner: object, recorder: Recorder) -> None:
        self._recorder = weakref.ref(recorder)
        self._child = 0
        self._abandoned = weakref.finalize(owner, recorder.abandon)
        self._abandoned.atexit = False
        atexit.register(self._finish)

    def is_closed(self) -> None:
        """Leave the recorder to whoever closes it."""
        self._abandoned.detach()

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
