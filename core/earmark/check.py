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
from pathlib import Path

from earmark.folder import README
from earmark.leftovers import find_leftovers
from earmark.names import INDEX, RUN_FILE, SENT, TAKES, WRITERS
from earmark.store import parse_lines
from earmark.survey import Survey, is_whole
from earmark.verify import Problem, verify_reference, verify_take

_ANEW = "earmark check --repair makes it anew"
_SWEEP = "earmark check --repair removes it"
_WAIT = "earmark check --repair makes it anew when its writer has ended"
_LINE = "delete the line; earmark push --to sends that take once more"
_WRITER = "restore it from a backup; its takes are read as if they were the oldest"


def check_run(path: str | os.PathLike[str]) -> list[Problem]:
    """Hold every file of a run against its record.

    Args:
        path: The run's directory. Nothing in it is changed.

    Returns:
        All that is wrong; empty for a run that is as it was published.

    Raises:
        RunNotFoundError: If there is no run.
        RunFormatError: If the run is of a later major format.
    """
    survey = Survey.of(Path(path))
    return [
        *_run_problems(survey.root),
        *_writer_problems(survey),
        *_take_problems(survey),
        *_cursor_problems(survey.root),
        *_leftover_problems(survey),
    ]


def _run_problems(root: Path) -> Iterator[Problem]:
    if not (root / RUN_FILE).exists():
        yield Problem(RUN_FILE, "missing", _ANEW)
    elif not is_whole(root / RUN_FILE, "name", "format"):
        what = "expected a run's name and format, got something else"
        yield Problem(RUN_FILE, what, f"delete it; {_ANEW}")
    if not (root / README).exists():
        yield Problem(README, "missing", _ANEW)


def _writer_problems(survey: Survey) -> Iterator[Problem]:
    folder = survey.root / WRITERS
    described = {file.stem for file in folder.glob("[!.]*.json")}
    for writer in sorted(described | survey.takes.keys()):
        file = f"{WRITERS}/{writer}.json"
        if writer not in described:
            yield Problem(file, "missing", _WRITER)
        elif not is_whole(survey.root / file, "id", "started_at", "host", "pid"):
            what = "expected who has opened the run, got something else"
            yield Problem(file, what, _WRITER)


def _take_problems(survey: Survey) -> Iterator[Problem]:
    for stranger in survey.strangers:
        what = "neither a take nor a sound that is stored once"
        yield Problem(f"{TAKES}/{stranger}", what, "move it out of the run")
    for reference in survey.references:
        yield from verify_reference(survey.root, reference)
    for writer in survey.indexed():
        lacking: list[str] = []
        differing: list[str] = []
        for name in survey.takes.get(writer, []):
            noted = survey.noted(name)
            verdict = verify_take(survey.root, name, noted)
            yield from verdict.problems
            if verdict.line is None or verdict.restorable or verdict.line == noted:
                continue
            (lacking if noted is None else differing).append(str(name))
        yield from _index_problems(survey, writer, lacking, differing)


def _index_problems(
    survey: Survey, writer: str, lacking: list[str], differing: list[str]
) -> Iterator[Problem]:
    file = f"{INDEX}/{writer}.jsonl"
    ended = survey.has_ended(writer)
    way_out = _ANEW if ended else _WAIT
    names = [str(name) for name in survey.takes.get(writer, [])]
    if not ended and lacking[-1:] == names[-1:]:
        lacking = lacking[:-1]  # its writer has just published it, and is about to note it
    notes = survey.index.get(writer)
    if notes is None:
        if lacking:
            yield Problem(file, "missing", way_out)
        return
    for number in notes.torn:
        what = f"expected a take's records in line {number}, got something else"
        yield Problem(file, what, way_out)
    gone = sorted(take for take in notes.lines if not (survey.root / TAKES / take).is_dir())
    for takes, what in (
        (gone, "names {}, which is not there"),
        (lacking, "says nothing of {}"),
        (differing, "says of {} something else than the take itself"),
    ):
        for take in takes:
            yield Problem(file, what.format(take), way_out)


def _cursor_problems(root: Path) -> Iterator[Problem]:
    files = (file for file in sorted((root / SENT).glob("[!.]*.jsonl")) if file.is_file())
    for file in files:
        for number, line in enumerate(parse_lines(file.read_bytes()), 1):
            if line is None or "take" not in line:
                what = f"expected the name of a take in line {number}, got something else"
                yield Problem(f"{SENT}/{file.name}", what, _LINE)


def _leftover_problems(survey: Survey) -> Iterator[Problem]:
    for path in find_leftovers(survey.root, survey.writers):
        file = path.relative_to(survey.root).as_posix()
        yield Problem(file, "left over by a writer that is gone", _SWEEP)
