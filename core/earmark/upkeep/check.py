"""Check: every file of a run against its record. It reports all that is wrong, changes nothing.

run.json README.md writers/    there, and whole
takes/                         each take and each reference against its records (verify)
index/                         says what the takes say
sent/                          names takes, line by line
.tmp-*                         nothing is left over by writers that are gone
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from earmark.folder import README, writer_ids
from earmark.leftovers import find_leftovers
from earmark.names import INDEX, RUN_FILE, SENT, TAKES, WRITERS
from earmark.records import parse_lines
from earmark.tree import LocalTree
from earmark.upkeep.survey import Survey, is_whole
from earmark.upkeep.verify import Folders, Problem, verify_reference, verify_take

_ANEW = "earmark check --repair makes it anew"
_REPAIR = "--repair"
_SWEEP = "earmark check --repair removes it"
_WAIT = "earmark check --repair makes it anew when its writer has ended"
_PUSH = (
    "earmark check --repair where the run was written, delete this file here, and send it again: "
    "earmark push RUN --to {}"
)
_LINE = "delete the line; earmark push --to sends that take once more"
_WRITER = "restore it from a backup; its takes are read as if they were the oldest"


def check_run(path: str | os.PathLike[str]) -> list[Problem]:
    """Hold every file of a run against its record.

    Args:
        path: The run's directory, or its URL. Nothing in it is changed. Of a run at a URL one
            file at a time is fetched; what is still being uploaded is passed over.

    Returns:
        All that is wrong; empty for a run that is as it was published.

    Raises:
        RunNotFoundError: If there is no run.
        RunFormatError: If the run is of a later major format.
        MissingDependencyError: If it is at a URL for which a package is missing.
        StorageError: If it is at a URL that cannot be read.
    """
    survey = Survey.of(path)
    problems = [
        *_run_problems(survey),
        *_writer_problems(survey),
        *_take_problems(survey),
        *_cursor_problems(survey),
        *_leftover_problems(survey),
    ]
    if survey.is_here:
        return problems
    # Nothing is repaired at a URL: what was uploaded is uploaded again.
    push = _PUSH.format(survey.tree.place)
    return [replace(each, way_out=push) if _REPAIR in each.way_out else each for each in problems]


def _run_problems(survey: Survey) -> Iterator[Problem]:
    entries = survey.tree.entries()
    if RUN_FILE not in entries:
        yield Problem(RUN_FILE, "missing", _ANEW)
    elif not is_whole(survey.tree, RUN_FILE, "name", "format"):
        what = "expected a run's name and format, got something else"
        yield Problem(RUN_FILE, what, f"delete it; {_ANEW}")
    if README not in entries:
        yield Problem(README, "missing", _ANEW)


def _writer_problems(survey: Survey) -> Iterator[Problem]:
    described = set(writer_ids(survey.tree))
    for writer in sorted(described | survey.takes.keys()):
        file = f"{WRITERS}/{writer}.json"
        if writer not in described:
            yield Problem(file, "missing", _WRITER)
        elif not is_whole(survey.tree, file, "id", "started_at", "host", "pid"):
            what = "expected who has opened the run, got something else"
            yield Problem(file, what, _WRITER)


def _take_problems(survey: Survey) -> Iterator[Problem]:
    for stranger in survey.strangers:
        what = "neither a take nor a sound that is stored once"
        yield Problem(f"{TAKES}/{stranger}", what, "move it out of the run")
    folders = Folders(survey.tree)
    for reference in survey.references:
        yield from verify_reference(folders, reference)
    for writer in survey.indexed():
        lacking: list[str] = []
        differing: list[str] = []
        for name in survey.takes.get(writer, []):
            noted = survey.noted(name)
            if noted is None and not survey.is_here and not folders.is_complete(str(name)):
                continue  # on its way
            verdict = verify_take(folders, name, noted)
            yield from verdict.problems
            if verdict.line is None or verdict.restorable or verdict.line == noted:
                continue
            (lacking if noted is None else differing).append(str(name))
        yield from _index_problems(survey, writer, lacking, differing)


def _index_problems(
    survey: Survey, writer: str, lacking: list[str], differing: list[str]
) -> Iterator[Problem]:
    ended = survey.has_ended(writer)
    way_out = _ANEW if ended else _WAIT
    names = [str(name) for name in survey.takes.get(writer, [])]
    if not survey.is_here:
        lacking = []  # the index is uploaded now and then, behind the takes
    elif not ended and lacking[-1:] == names[-1:]:
        lacking = lacking[:-1]  # its writer has just published it, and is about to note it
    notes = survey.index.get(writer)
    if notes is None:
        if lacking:
            yield Problem(f"{INDEX}/{writer}.jsonl", "missing", way_out)
        return
    for torn, number in notes.torn:
        what = f"expected a take's records in line {number}, got something else"
        yield Problem(torn, what, way_out)
    file = notes.files[-1]
    unseen = notes.lines.keys() - set(names)  # published since, or deleted
    gone = sorted(take for take in unseen if not survey.tree.entries(f"{TAKES}/{take}"))
    for takes, what in (
        (gone, "names {}, which is not there"),
        (lacking, "says nothing of {}"),
        (differing, "says of {} something else than the take itself"),
    ):
        for take in takes:
            yield Problem(file, what.format(take), way_out)


def _cursor_problems(survey: Survey) -> Iterator[Problem]:
    tree = survey.tree
    names = (name for name in sorted(tree.entries(SENT)) if not name.startswith("."))
    for file in (f"{SENT}/{name}" for name in names if name.endswith(".jsonl")):
        for number, line in enumerate(parse_lines(tree.read(file)), 1):
            if line is None or "take" not in line:
                what = f"expected the name of a take in line {number}, got something else"
                yield Problem(file, what, _LINE)


def _leftover_problems(survey: Survey) -> Iterator[Problem]:
    if not isinstance(survey.tree, LocalTree):  # what is uploaded has its name from the start
        return
    root = survey.tree.root
    for path in find_leftovers(root, survey.writers):
        file = path.relative_to(root).as_posix()
        yield Problem(file, "left over by a writer that is gone", _SWEEP)
