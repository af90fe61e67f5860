"""Strangers: who of another job may still be writing into the same run."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from earmark.job import Job
from earmark.leftovers import Writers, is_here
from earmark.names import INDEX, WRITERS
from earmark.notices import Notices


def tell_of_strangers(notices: Notices, place: Path | str, root: Path, job: Job) -> None:
    """Tell of the writers of other jobs that have not ended, as far as anybody can tell.

    Args:
        notices: Who is told.
        place: Where the run is, as the user calls it.
        root: Its directory, or what is here of a run at a URL.
        job: The job of this process. Its children, and what this process has opened before, are
            no strangers, nor is any other rank: each job has one of the same rank.
    """
    strangers = _find_strangers(root, job)
    if strangers:
        notices.tell("strangers", _told_of(place, strangers))


def _find_strangers(root: Path, job: Job) -> list[dict[str, Any]]:
    writers = Writers(root)
    others = [writer for writer in writers if _is_of_another_job(writer, job)]
    return [writer for writer in others if not writers.is_gone(writer["id"], _trace(root, writer))]


def _told_of(place: Path | str, strangers: list[dict[str, Any]]) -> str:
    """Say who else writes into a run, what becomes of it, and the way out."""
    names = [_named(stranger) for stranger in strangers[:3]]
    more = f" and {len(strangers) - 3} more" if len(strangers) > 3 else ""
    return (
        f"another job is writing to {str(place)!r} too, {', '.join(names)}{more}: the clips of "
        "both are kept, and readers show the newest of those that both log at one step; give one "
        "of them a directory of its own (run_dir= of a monitor) to keep them apart"
    )


def _is_of_another_job(writer: dict[str, Any], job: Job) -> bool:
    if "closed_at" in writer or "job" not in writer or writer.get("rank") != job.rank:
        return False
    here = is_here(writer) and writer.get("pid") == os.getpid()
    return not here and writer["job"] != job.name


def _trace(root: Path, writer: dict[str, Any]) -> Path:
    index = root / INDEX / f"{writer['id']}.jsonl"
    return index if index.exists() else root / WRITERS / f"{writer['id']}.json"


def _named(writer: dict[str, Any]) -> str:
    since = datetime.fromtimestamp(writer["started_at"], timezone.utc).astimezone()
    host = str(writer.get("host"))
    unsure = (
        ""
        if is_here(writer)
        else " (which cannot be asked from here: it has written within the last hour, and not "
        "closed the run; it may have been killed since)"
    )
    return f"process {writer.get('pid')} on {host!r} since {since:%Y-%m-%d %H:%M}{unsure}"
