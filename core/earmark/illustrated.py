"""Illustrated: a sink that shows a picture of each sound beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from earmark.clip import Clip, Take
from earmark.names import TakeName
from earmark.notices import Notices
from earmark.sink import Sink
from earmark.spectrogram import Picture, spectrogram

Pictures: TypeAlias = list[tuple[Clip, Picture]]


@runtime_checkable
class PictureSink(Sink, Protocol):
    """A sink that shows pictures as well."""

    def write_pictures(self, pictures: Iterable[tuple[Clip, Picture]]) -> None:
        """Pass on a spectrogram of each clip, before the take that they are of is written."""
        ...


class Illustrated:
    """Draws the sounds of takes, behind the training thread, for a sink that shows pictures.

    Args:
        sink: The sink.
    """

    def __init__(self, sink: PictureSink) -> None:
        self._sink = sink
        self._waiting: dict[TakeName, Pictures] = {}
        self._drawn: set[Path] = set()
        self.on_callers_thread = bool(getattr(sink, "on_callers_thread", False))
        self.target = str(getattr(sink, "target", ""))

    def prepare(self, take: Take) -> None:
        """Draw what is new of a take, which is about to be written."""
        paths = {clip.audio.path: clip for clip in take.clips if clip.audio.path is not None}
        fresh = {path: clip for path, clip in paths.items() if path not in self._drawn}
        self._waiting[take.name] = [(clip, spectrogram(clip.audio)) for clip in fresh.values()]
        self._drawn.update(path for path in fresh if take.path not in path.parents)

    def write(self, take: Take) -> None:
        """Pass on a take, and its pictures."""
        pictures = self._waiting.pop(take.name, [])
        try:
            if pictures:
                self._sink.write_pictures(pictures)
        finally:
            self._sink.write(take)

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()


def illustrated(name: str, sink: Sink, notices: Notices) -> Sink:
    """Have a sink show pictures; one that cannot is told of, and left as it is.

    Args:
        name: What it is called.
        sink: The sink.
        notices: Who is told.
    """
    if isinstance(sink, PictureSink):
        return Illustrated(sink)
    notices.tell(
        ("pictures", name),
        f"the {name!r} sink shows no pictures: it gets the sounds alone; leave out "
        "spectrogram=True, or give it a method write_pictures",
    )
    return sink
