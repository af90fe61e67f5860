"""Recorder: what becomes of a draft. It reads the sounds, publishes the take, feeds the sinks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.audio import Audio
from earmark.clip import Clip, Take, finite_metrics, problems
from earmark.draft import Draft, Entry
from earmark.errors import ArgumentTypeError, StorageError, shown
from earmark.notices import Notices
from earmark.sink import Feed
from earmark.writer import Writer


class Recorder:
    """Turns drafts into published takes.

    Args:
        writer: Who publishes; `None` to do everything else and write nothing.
        feeds: Where published takes are passed on to.
        notices: Who is told of what could not be recorded.
    """

    def __init__(self, writer: Writer | None, feeds: Sequence[Feed], notices: Notices) -> None:
        self._writer = writer
        self._feeds = feeds
        self._notices = notices

    def submit(self, draft: Draft) -> None:
        """Publish a draft as one take. What cannot be recorded is dropped, counted and told."""
        clips = list(self._clips(draft))
        if not clips or self._writer is None:
            return
        lost = f"a take of {len(clips)} clips at step {draft.step}"
        try:
            take = self._writer.publish(draft.step, clips)
        except OSError as error:
            refused = _refused(self._writer.root, error)
            self._notices.fault(("publish", error.errno), lost, refused)
        except Exception as error:  # noqa: BLE001 - one take is lost, and training goes on
            self._notices.fault(("publish", type(error)), lost, error)
        else:
            for feed in self._feeds:
                feed.pass_on(take)
            self._tell_of_replay(self._writer, take)

    def close(self) -> None:
        """Close the sinks; everything submitted has been published."""
        for feed in self._feeds:
            feed.close()

    def _clips(self, draft: Draft) -> Iterator[Clip]:
        for entry in draft.entries:
            try:
                yield _clip_of(entry, draft)
            except Exception as error:  # noqa: BLE001 - one clip is lost, and training goes on
                lost = f"the {entry.role} of example {entry.example!r} at step {draft.step}"
                self._notices.fault((draft.tag, entry.role, type(error)), lost, error)

    def _tell_of_replay(self, writer: Writer, take: Take) -> None:
        logged = {clip.key for clip in take.clips}
        if any(not logged.isdisjoint(keys) for keys in writer.older_keys(take.step)):
            self._notices.tell(
                "replay",
                f"step {take.step} was logged before, when {str(writer.root)!r} was last opened: "
                "both are kept, and readers show the newest (all_versions=True shows both)",
            )


def _refused(root: Path, error: OSError) -> StorageError:
    return StorageError(
        f"expected a directory that can be written at {str(root)!r}, got {error}: make room, or "
        "make it writable again; each later take is tried anew"
    )


def _clip_of(entry: Entry, draft: Draft) -> Clip:
    audio = entry.sound if isinstance(entry.sound, Audio) else entry.sound.to_audio()
    metrics, metrics_note = finite_metrics(_plain_metrics(entry.metrics))
    wrong = "" if audio.resolve_ref() else problems(audio.level)
    note = ", ".join(part for part in (wrong, metrics_note) if part)
    caption = f"{entry.caption} [{note}]".lstrip() if note else entry.caption
    return Clip(
        audio=audio,
        tag=draft.tag,
        example=entry.example,
        role=entry.role,
        step=draft.step,
        epoch=draft.epoch,
        caption=caption,
        metrics=metrics,
        note=note,
    )


def _plain_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    plain = {}
    for name, value in metrics.items():
        try:
            plain[str(name)] = float(value.item() if hasattr(value, "item") else value)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise ArgumentTypeError(
                f"expected one number as the metric {name!r} of each clip, got "
                f"{shown(value)}: pass a number, or to log_batch one for each example"
            ) from error
    return plain
