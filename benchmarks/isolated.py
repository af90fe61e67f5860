"""Processes: each peer, and each experiment, in a Python process of its own."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

# What keeps trackers from asking, talking, and reaching out.
_OFFLINE = {
    "AIM_ACCESS_LOG_LEVEL": "error",
    "COMET_LOGGING_CONSOLE": "error",
    "DO_NOT_TRACK": "1",
    "GIT_PYTHON_REFRESH": "quiet",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
}


class NoResultError(RuntimeError):
    """A process has not done what it was to do; the message says why."""


class Isolated:
    """A Python process that makes one object and calls its methods.

    Args:
        folder: Made where there is none. The process runs in it, its home is in it, and what it
            prints is in `printed.txt`.
        timeout: How long one call may take, in seconds.
    """

    def __init__(self, folder: Path, *, timeout: float = 180) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._timeout = timeout
        self._connection, theirs = multiprocessing.Pipe()
        spawn = multiprocessing.get_context("spawn")
        self._process = spawn.Process(target=_serve, args=(theirs, folder))
        self._process.start()
        theirs.close()

    def make(self, what: str, *arguments: Any) -> None:
        """Make the object whose methods `call` calls.

        Args:
            what: `"module:class"`, which is imported there and not here.
            arguments: What it is made with.

        Raises:
            NoResultError: If that raises, is not done in time, or the process ends.
        """
        self._ask("make", what, arguments)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the object, and return what it returns; raises as `make` does."""
        return self._ask("call", method, arguments)

    def run(self, function: str, *arguments: Any) -> Any:
        """Call `"module:function"`, and return what it returns; raises as `make` does."""
        return self._ask("run", function, arguments)

    def _ask(self, kind: str, what: str, arguments: tuple[Any, ...]) -> Any:
        try:
            self._connection.send((kind, what, arguments))
            if not self._connection.poll(self._timeout):
                self._process.kill()
                raise NoResultError(f"not done after {self._timeout:g} s")
            result, reason = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join(5)
            raise NoResultError(f"the process ended with {self._process.exitcode}") from None
        if reason:
            raise NoResultError(reason)
        return result

    def close(self) -> None:
        """End the process, by force where it goes on by itself."""
        with contextlib.suppress(ConnectionError):
            self._connection.send(None)
        self._process.join(15)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()

    def __enter__(self) -> Isolated:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _serve(connection: Connection, folder: Path) -> None:
    _settle_in(folder)
    made: Any = None
    while (message := connection.recv()) is not None:
        kind, what, arguments = message
        result, reason = None, ""
        try:
            if kind == "make":
                made = _find(what)(*arguments)
            elif kind == "call":
                result = getattr(made, what)(*arguments)
            else:
                result = _find(what)(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        connection.send((result, reason))


def _find(what: str) -> Any:
    module, _, name = what.partition(":")
    return getattr(importlib.import_module(module), name)


def _settle_in(folder: Path) -> None:
    os.chdir(folder)
    os.environ.update(_OFFLINE, HOME=str(folder), TRACKIO_DIR=str(folder / "trackio"))
    printed = os.open(folder / "printed.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    warnings.simplefilter("ignore")
