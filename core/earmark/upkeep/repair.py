"""Repair: what can be put right in a run without losing anything that was published.

missing run.json, README.md    made anew
.tmp-*                         removed, if its writer is gone
takes/<take>/*.jsonl           damaged or missing: restored, where the index still has what they
                               said and every sound agrees
index/<writer>.jsonl           made anew from the takes, if its writer is gone
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from earmark.clip import Record
from earmark.disk import json_lines, sync_folder, write_durably
from earmark.errors import ArgumentError
from earmark.folder import README, create_run
from earmark.leftovers import find_leftovers
from earmark.names import INDEX, LINKS, METADATA, RUN_FILE, TAKES, TEMPORARY, TakeName
from earmark.tree import LocalTree, open_tree
from earmark.upkeep.survey import Survey
from earmark.upkeep.verify import Folders, verify_take


def repair_run(path: str | os.PathLike[str]) -> list[str]:
    """Put right what can be, and say what was done. No published sound is changed or removed.

    Writers that may still be running are left alone, with all that is theirs: on this machine
    while their process is there, on other machines until nothing has changed for an hour.

    Args:
        path: The run's directory.

    Returns:
        What was done, a line each; empty if there was nothing to do.

    Raises:
        ArgumentError: If the run is at a URL.
        RunNotFoundError: If there is no run.
        RunFormatError: If the run is of a later major format, or its file is broken.
        OSError: If the directory cannot be written.
    """
    tree = open_tree(path)
    if not isinstance(tree, LocalTree):
        raise ArgumentError(
            f"expected a run on this machine to repair, got {tree.place!r}: repair it on the "
            f"machine that wrote it, and send it again: earmark push RUN --to {tree.place}"
        )
    survey = Survey.of(tree)
    return [
        *_make_missing(tree.root),
        *_sweep(tree.root, survey),
        *_mend_records(tree.root, survey),
    ]


def _make_missing(root: Path) -> Iterator[str]:
    missing = [name for name in (RUN_FILE, README) if not (root / name).exists()]
    if missing or not (root / INDEX).is_dir():
        create_run(root)
    for name in missing:
        yield f"made {name} anew"


def _sweep(root: Path, survey: Survey) -> Iterator[str]:
    for path in find_leftovers(root, survey.writers):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        yield f"removed {path.relative_to(root).as_posix()}"


def _mend_records(root: Path, survey: Survey) -> Iterator[str]:
    folders = Folders(survey.tree)
    for writer in survey.indexed():
        lines: list[Record] = []
        for name in survey.takes.get(writer, []):
            noted = survey.noted(name)
            verdict = verify_take(folders, name, noted)
            if verdict.restorable and noted is not None:
                yield from _restore(root, name, noted)
            # The line of a damaged take may be the last that is known of it.
            line = noted if verdict.restorable or verdict.line is None else verdict.line
            if line is not None:
                lines.append(line)
        if survey.has_ended(writer):
            noted_in = survey.index[writer].files if writer in survey.index else []
            yield from _rewrite_index(root, writer, noted_in, lines)


def _restore(root: Path, name: TakeName, noted: Record) -> Iterator[str]:
    for file, records in ((LINKS, noted["links"]), (METADATA, noted["clips"])):
        path = root / TAKES / str(name) / file
        if records and _replace(path, json_lines(records), root / TAKES):
            yield f"restored {path.relative_to(root).as_posix()} from the index"


def _rewrite_index(root: Path, writer: str, files: list[str], lines: list[Record]) -> Iterator[str]:
    path = root / INDEX / f"{writer}.jsonl"
    segments = [root / file for file in files if root / file != path]
    data = json_lines(lines)
    if segments and b"".join((root / file).read_bytes() for file in files) == data:
        return
    if (lines or files) and _replace(path, data, root / INDEX):
        for segment in segments:  # of a run that was downloaded: they say what the file says now
            segment.unlink()
        yield f"made {path.relative_to(root).as_posix()} anew: {len(lines)} takes"


def _replace(path: Path, data: bytes, beside: Path) -> bool:
    if path.exists() and path.read_bytes() == data:
        return False
    temporary = beside / f"{TEMPORARY}{os.getpid()}-{path.name}"
    write_durably(temporary, data)
    temporary.replace(path)
    sync_folder(path.parent)
    return True
