"""Verify: a take, or a sound that is stored once, file by file against its own records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import soundfile

from earmark.clip import Record, leads_out
from earmark.codec import decode, read_header
from earmark.errors import EarmarkError
from earmark.names import LINKS, METADATA, TAKES, TakeName
from earmark.records import parse_lines
from earmark.schema import LINKED, STORED, misfit
from earmark.tree import Tree

_RESTORE = "earmark check --repair restores it from the index"
_BACKUP = "restore it from a backup; other clips are read as before"
_FIELDS = {METADATA: STORED, LINKS: LINKED}

_Records: TypeAlias = Mapping[str, Sequence[Record]]
"""The records of one folder, by the file that holds them."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a run."""

    file: str
    """The file or folder, relative to the run's directory, with `/` between its parts."""

    what: str
    """What is wrong with it."""

    way_out: str
    """What to do about it."""

    def __str__(self) -> str:
        return f"{self.file}: {self.what}: {self.way_out}"


@dataclass(frozen=True)
class Verdict:
    """What a take says of itself, and whether it is true."""

    line: Record | None
    """Its own records, as a line of the index; `None` where some are damaged or lost."""

    problems: list[Problem]
    """What is wrong with it."""

    restorable: bool
    """Whether its records are damaged while the index still has them."""


class Folders:
    """The folders of takes; one that links lead to is listed once, not once for each link.

    Args:
        tree: The run.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._linked: dict[str, set[str]] = {}

    def files(self, name: str) -> set[str]:
        """The names in a folder, but for hidden ones, which are the system's."""
        entries = self.tree.entries(f"{TAKES}/{name}")
        return {entry for entry in entries if not entry.startswith(".")}

    def is_complete(self, take: str) -> bool:
        """Say whether a take is published: its metadata is there, or links are all there is."""
        files = self.files(take)
        return METADATA in files or files == {LINKS}

    def holds(self, sound: str) -> bool:
        """Say whether what a link names, `<folder>/<file>`, is there."""
        folder, _, file = sound.partition("/")
        if folder not in self._linked:
            self._linked[folder] = self.files(folder)
        return file in self._linked[folder]


def verify_take(folders: Folders, name: TakeName, noted: Record | None) -> Verdict:
    """Hold a published take against its records; every sound is read and decoded.

    Args:
        folders: The run's.
        name: The take; its folder is there.
        noted: Its line in the index, if there is one; well-formed, but not always true.
    """
    folder = f"{TAKES}/{name}"
    names = folders.files(str(name))
    links = [LINKS] if LINKS in names else []
    records, damage = _read(folders.tree, folder, links if names == {LINKS} else [METADATA, *links])
    line = {"take": str(name), "clips": records[METADATA], "links": records[LINKS]}
    remembered = {METADATA: noted["clips"], LINKS: noted["links"]} if noted else records
    damage = damage or list(_lost(records, remembered))
    problems = [*damage, *_faults(folders, folder, records, name)]
    restorable = (
        bool(problems)
        and records != remembered
        and not any(_faults(folders, folder, remembered, name))
    )
    if restorable:
        problems = [replace(problem, way_out=_RESTORE) for problem in problems]
    problems = problems or list(_strangers(names, records))
    return Verdict(None if damage else line, _placed(folder, problems), restorable)


def verify_reference(folders: Folders, name: str) -> list[Problem]:
    """Hold a sound that is stored once against its record; it is read and decoded."""
    folder = f"{TAKES}/{name}"
    records, problems = _read(folders.tree, folder, [METADATA])
    problems += _faults(folders, folder, records, None)
    if not problems and len(records[METADATA]) != 1:
        what = f"expected the record of one sound, got {len(records[METADATA])}"
        problems = [Problem(METADATA, what, _BACKUP)]
    return _placed(folder, problems or list(_strangers(folders.files(name), records)))


def _read(tree: Tree, folder: str, expected: Sequence[str]) -> tuple[_Records, list[Problem]]:
    records: dict[str, list[Record]] = {METADATA: [], LINKS: []}
    problems: list[Problem] = []
    for file in expected:
        try:
            lines = parse_lines(tree.read(f"{folder}/{file}"))
        except OSError as error:
            problems.append(Problem(file, _reason(error), _BACKUP))
            continue
        if not lines:
            problems.append(Problem(file, "empty", _BACKUP))
        for number, line in enumerate(lines, 1):
            wrong = misfit(line, _FIELDS[file])
            if line is None or wrong:
                what = f"expected a record in line {number}, got {wrong}"
                problems.append(Problem(file, what, _BACKUP))
            else:
                records[file].append(line)
    return records, problems


def _faults(
    folders: Folders, folder: str, records: _Records, name: TakeName | None
) -> Iterator[Problem]:
    for file in (METADATA, LINKS):
        for record in records[file]:
            if name is not None and record["step"] != name.step:
                what = f"expected step {name.step} in every record, got {record['step']}"
                yield Problem(file, what, _BACKUP)
    for record in records[METADATA]:
        astray = leads_out(record)
        file = METADATA if astray else record["file_name"]
        what = astray or _sound_fault(folders.tree, f"{folder}/{file}", record)
        if what:
            yield Problem(file, what, _BACKUP)
    for record in records[LINKS]:
        what = leads_out(record)
        if not what and record["sound"] and not folders.holds(record["sound"]):
            what = (
                f"the {record['role']} of example {record['example']!r} is missing, expected it "
                f"at {TAKES}/{record['sound']}"
            )
        if what:
            yield Problem(LINKS, what, _BACKUP)


def _sound_fault(tree: Tree, file: str, record: Record) -> str:
    try:
        data = tree.read(file)
    except OSError as error:
        return _reason(error)
    if len(data) != record["num_bytes"]:
        return f"expected {record['num_bytes']} bytes, got {len(data)}"
    if hashlib.sha256(data).hexdigest() != record["sha256"]:
        return "its bytes are not those that were published"
    try:
        header = read_header(data)
        decode(data)
    except (EarmarkError, soundfile.SoundFileError) as error:
        return f"it does not decode: {error}"
    expected = "{sample_rate} Hz, shape ({num_frames}, {num_channels})".format_map(record)
    got = f"{header.sample_rate} Hz, shape ({header.num_frames}, {header.num_channels})"
    return "" if expected == got else f"expected {expected}, got {got}"


def _lost(records: _Records, remembered: _Records) -> Iterator[Problem]:
    if any(record not in remembered[file] for file in records for record in records[file]):
        return  # the take says something else, not less
    for file in (METADATA, LINKS):
        count, expected = len(records[file]), len(remembered[file])
        if count < expected:
            yield Problem(file, f"expected records: {expected}, got {count}", _BACKUP)


def _strangers(names: set[str], records: _Records) -> Iterator[Problem]:
    known = {METADATA, LINKS} | {record["file_name"] for record in records[METADATA]}
    for name in sorted(names - known):
        yield Problem(name, "no record says what it is", "move it out of the run")


def _placed(folder: str, problems: Sequence[Problem]) -> list[Problem]:
    return [replace(problem, file=f"{folder}/{problem.file}") for problem in problems]


def _reason(error: OSError) -> str:
    missing = isinstance(error, FileNotFoundError)
    return "missing" if missing else f"cannot be read: {error.strerror or error}"
