"""RunSize: says when a run has grown beyond what was meant."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from earmark.clip import Take
from earmark.memory import MIB
from earmark.notices import Notices


class RunSize:
    """Counts the bytes of a run as it grows, and tells once when they are too many.

    It comes along with the sinks, since it is given every published take.

    Args:
        place: The run: what a directory holds already counts, what is at a URL does not.
        max_mib: How much is meant, in MiB.
        notices: Who tells.
    """

    on_callers_thread = False

    def __init__(self, place: Path | str, max_mib: float, notices: Notices) -> None:
        self._place = place
        self._max_mib = max_mib
        self._notices = notices
        self._counted: set[Path] = set()
        self._num_bytes: int | None = None

    def pass_on(self, take: Take) -> None:
        """Count what a take has added."""
        with contextlib.suppress(OSError):  # somebody removes what is counted: it is only a warning
            self._count(take)

    def _count(self, take: Take) -> None:
        if self._num_bytes is None:
            self._num_bytes = size_of(self._place) if isinstance(self._place, Path) else 0
        new = {clip.audio.path for clip in take.clips if clip.audio.path} - self._counted
        self._counted |= {path for path in new if take.path not in path.parents}
        self._num_bytes += sum(path.stat().st_size for path in new)
        if self._num_bytes > self._max_mib * MIB:
            self._notices.tell(
                "size",
                f"{str(self._place)!r} has grown to {self._num_bytes / MIB:.0f} MiB, more than "
                f"max_run_mib={self._max_mib:g}: nothing is dropped; log less often or fewer "
                f"examples{self._way_out}",
            )

    @property
    def _way_out(self) -> str:
        if isinstance(self._place, Path):
            return f", or thin it out with `earmark prune {self._place}`"
        return ", or thin out a copy of it with `earmark prune`, and put that in its place"

    def come_by(self) -> None:
        """Nothing is left for anybody."""

    def flush(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - nothing is waited for
        """All is counted."""
        return True

    close = flush

    def end(self) -> None:
        """Nothing is pending."""

    def part(self) -> None:
        """Nothing was missed."""


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder; of those that vanish meanwhile, none."""
    total = 0
    for parent, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.stat(os.path.join(parent, file)).st_size  # noqa: PTH116, PTH118 - many
            except FileNotFoundError:
                continue
    return total
