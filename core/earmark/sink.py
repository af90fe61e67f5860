"""Sink: what a published take is passed on to, and the lookup by name.

The file `earmark_integrations/sinks/<name>.py` is the registration; other packages register
theirs by the entry points `earmark.sinks`. Either offers `open_sink(target=None) -> Sink`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from earmark.clip import Take
from earmark.cursor import Passage
from earmark.errors import ArgumentTypeError, MissingDependencyError, UnknownSinkError
from earmark.names import TakeName
from earmark.notices import Notices
from earmark.worker import Worker, on_a_worker

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_SINKS = "earmark_integrations.sinks"


@runtime_checkable
class Sink(Protocol):
    """What published takes are passed on to. It holds no policy: it writes what it is given."""

    def write(self, take: Take) -> None:
        """Pass on a take; its clips' sounds are files, `clip.audio.path`, or references."""
        ...

    def close(self) -> None:
        """Write what is pending; nothing comes after. What it was opened on stays open."""
        ...


def sink_names() -> list[str]:
    """The names of all sinks there are, whether their packages are installed or not."""
    import pkgutil  # noqa: PLC0415  # slow to import, seldom needed

    spec = importlib.util.find_spec(_SINKS)
    folders = spec.submodule_search_locations if spec else None
    names = {info.name for info in pkgutil.iter_modules(folders or [])}
    return sorted(names | {entry.name for entry in _entry_points()})


def name_of(sink: str | Sink) -> str:
    """The name of a sink: the one it is registered by here, or its class's in lower case."""
    if isinstance(sink, str):
        return sink
    package, _, module = type(sink).__module__.rpartition(".")
    return module if package == _SINKS else type(sink).__name__.lower()


def open_sink(sink: str | Sink, target: Any = None) -> Sink:
    """Open a sink by its name.

    Args:
        sink: A name, such as `"wandb"`; a sink is returned as it is.
        target: The tracker's own run or writer; the active one, if there is none given. From
            `earmark push` comes a text instead, which is empty where the user gave none: what is
            opened by it is closed with the sink.

    Raises:
        UnknownSinkError: If no sink has this name.
        MissingDependencyError: If the sink's package is not installed.
        ArgumentTypeError: If it is neither a name nor a sink.
    """
    if not isinstance(sink, str):
        if isinstance(sink, Sink):
            return sink
        raise ArgumentTypeError(
            f"expected a sink's name or an object with write(take) and close(), got {sink!r}: "
            f"there are {', '.join(sink_names())}"
        )
    try:
        return _opener(sink)(target)
    except ImportError as error:
        if isinstance(error, MissingDependencyError):
            raise
        raise MissingDependencyError(
            f"the {sink!r} sink needs {error.name or error}: pip install 'earmark[{sink}]'"
        ) from error


def _opener(name: str) -> Callable[[Any], Sink]:
    if name.isidentifier() and importlib.util.find_spec(f"{_SINKS}.{name}") is not None:
        module = importlib.import_module(f"{_SINKS}.{name}")
        return cast("Callable[[Any], Sink]", module.open_sink)
    for entry in _entry_points():
        if entry.name == name:
            return cast("Callable[[Any], Sink]", entry.load())
    raise UnknownSinkError(f"expected one of {', '.join(sink_names())}, got no sink {name!r}")


def _entry_points() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415  # slow to import, seldom needed

    return entry_points(group="earmark.sinks")


class Feed:
    """Passes takes on to one sink: an unchanged input or target once, and faults to the notices.

    A sink that hangs or dies costs nobody else anything, since each has a thread of its own. One
    that says `on_callers_thread = True` is written when the caller comes by instead.

    Args:
        sink: Where to.
        notices: Who is told if it fails.
        name: What the sink is called in the run, which keeps account of what it was given; that
            of its class, if none is given.
        let_go: Called with the name of each take that has been passed on, or could not be.
    """

    def __init__(
        self,
        sink: Sink,
        notices: Notices,
        name: str = "",
        let_go: Callable[[TakeName], None] | None = None,
    ) -> None:
        self._sink = sink
        self._notices = notices
        self._passage = Passage(sink, name or name_of(sink))
        self._let_go = let_go
        self._left: SimpleQueue[Take] = SimpleQueue()
        self._given = self._done = 0
        self._ended = False
        self.on_callers_thread = bool(getattr(sink, "on_callers_thread", False))
        """Whether takes wait for `come_by`."""
        self._worker = Worker(f"earmark-{type(sink).__name__}")

    def pass_on(self, take: Take) -> None:
        """Have a take passed on; this does not wait for it."""
        self._given += 1
        prepare = getattr(self._sink, "prepare", None)
        if prepare is not None:
            with self._notices.guard(("sink", type(self._sink)), f"what goes with {take.name}"):
                prepare(take)
        if self.on_callers_thread:
            self._left.put(take)
        else:
            self._worker.put(partial(self._write, take))

    def come_by(self) -> None:
        """Write what is left for the caller's thread; on one of earmark's own, nothing."""
        while not on_a_worker():
            try:
                take = self._left.get_nowait()
            except Empty:
                return
            self._write(take)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything is passed on, `timeout` seconds at most; say whether it is."""
        self.come_by()
        return self._worker.flush(timeout)

    def _write(self, take: Take) -> None:
        try:
            self._passage.write(take)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a tracker may raise anything
            self._notices.fault(("sink", type(self._sink)), f"a take at step {take.step}", error)
        finally:
            self._done += 1
            if self._let_go is not None:
                self._let_go(take.name)

    def close(self, timeout: float | None = None) -> bool:
        """Pass on what is pending and close the sink; say whether there was time."""
        self.end()
        return self._worker.close(timeout)

    def end(self) -> None:
        """Have the sink closed after what is pending; this waits for no thread."""
        if self._ended:
            return
        self._ended = True
        self.come_by()
        if self.on_callers_thread:
            self._close()
        else:
            self._worker.put(self._close)
            self._worker.end()

    def part(self) -> None:
        """Say what the sink has missed, as the process ends."""
        missed = self._given - self._done
        if missed:
            name = self._passage.name
            self._notices.tell(
                ("part", name),
                f"{missed} takes were not passed on to {name!r} before the program ended: they are "
                f"in the run, and `earmark push RUN --to {name}` sends them",
            )

    def _close(self) -> None:
        try:
            self._sink.close()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            self._notices.fault(("sink", type(self._sink)), "what was pending", error)
