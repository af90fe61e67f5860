"""Replay: whether a step was logged before, in the takes that are at a URL already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from earmark.clip import Take
from earmark.names import LINKS, METADATA, TAKES, TakeName
from earmark.records import parse_lines
from earmark.upload.bucket import Bucket


class RemoteTakes:
    """The takes that were at a URL when a run was opened there.

    Args:
        bucket: The URL.
        names: Their names.
    """

    def __init__(self, bucket: Bucket, names: Iterable[TakeName]) -> None:
        self._bucket = bucket
        self._at_step: dict[int, list[TakeName]] = {}
        for name in names:
            self._at_step.setdefault(name.step, []).append(name)

    def hold(self, take: Take) -> bool:
        """Say whether one of them has a clip of the same key; they are asked once a step."""
        logged = {clip.key for clip in take.clips}
        older = self._at_step.pop(take.step, ())
        return any(key in logged for name in older for key in self._keys(name))

    def _keys(self, name: TakeName) -> Iterator[tuple[str, str, str, int]]:
        for file in (METADATA, LINKS):
            data = self._bucket.read(f"{TAKES}/{name}/{file}") or b""
            for record in parse_lines(data):
                if record is not None:
                    tag, example, role = (
                        str(record.get(part)) for part in ("tag", "example", "role")
                    )
                    yield tag, example, role, name.step
