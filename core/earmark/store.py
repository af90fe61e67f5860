"""RunStore: a run, read. The takes are the truth; the index saves reading each of them."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earmark.clip import Clip, Record, Take
from earmark.errors import EarmarkWarning, RunFormatError
from earmark.folder import read_run_file, read_writers
from earmark.names import FORMAT, INDEX, LINKS, METADATA, RUN_FILE, TAKES, TakeName


class RunStore:
    """A run on disk, read.

    Args:
        path: The run's directory.

    Raises:
        RunNotFoundError: If there is no run.
        RunFormatError: If the run is of a later major format, or its file is broken.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        self.name: str = read_run_file(self.path)["name"]

    @property
    def writers(self) -> list[dict[str, Any]]:
        """Everyone who has opened the run for writing: id, host, rank, versions, config, ..."""
        return read_writers(self.path)

    def takes(self) -> Iterator[Take]:
        """The published takes, by step; at one step the oldest writer's first.

        Each call looks at the disk anew, so that a run may be followed while it grows. A damaged
        take is left out with a warning; `earmark check` says what is damaged.
        """
        age = {writer["id"]: age for age, writer in enumerate(self.writers)}
        names = sorted(
            take_names(self.path), key=lambda n: (n.step, age.get(n.writer, -1), n.number)
        )
        index = read_index(self.path)
        for name in names:
            try:
                line = index.get(str(name)) or read_records(self.path / TAKES / str(name))
                take = None if line is None else self._take(name, line)
            except RunFormatError as error:  # one damaged take must not hide the others
                warnings.warn(f"earmark: {error}", EarmarkWarning, stacklevel=2)
                continue
            if take is not None:
                yield take

    def _take(self, name: TakeName, line: Record) -> Take:
        try:
            return Take.from_records(self.path / TAKES, name, line["clips"], line["links"])
        except (KeyError, TypeError) as error:
            raise RunFormatError(
                f"expected records of format {FORMAT} of the take {name}, got {error!r} in "
                f"{str(self.path)!r}: earmark check says what is damaged"
            ) from error

    def clips(
        self,
        *,
        role: str | None = None,
        example: str | int | None = None,
        step: int | None = None,
        epoch: int | None = None,
        tag: str | None = None,
        all_versions: bool = False,
    ) -> Iterator[Clip]:
        """The clips that match every filter given, by step; no sound is read.

        Args:
            role: For example `"prediction"`.
            example: The example's identity; a number stands for its digits.
            step: The training step.
            epoch: The epoch, counted from 0.
            tag: For example `"val"`.
            all_versions: Also give clips that a newer writer has logged again at the same step.
        """
        wanted = {"role": role, "example": example, "step": step, "epoch": epoch, "tag": tag}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        if example is not None:
            wanted["example"] = str(example)
        found = (
            clip
            for take in self.takes()
            for clip in take.clips
            if all(getattr(clip, name) == value for name, value in wanted.items())
        )
        if all_versions:
            yield from found
        else:
            yield from {clip.key: clip for clip in found}.values()

    def __repr__(self) -> str:
        return f"RunStore({str(self.path)!r})"


def open_run(path: str | os.PathLike[str]) -> RunStore:
    """Open a run for reading.

    Args:
        path: The run's directory.

    Raises:
        RunNotFoundError: If there is no run.
        RunFormatError: If the run is of a later major format, or its file is broken.
    """
    return RunStore(path)


def list_runs(path: str | os.PathLike[str]) -> list[RunStore]:
    """Open every run under a folder, at any depth; the folder itself, if it is one."""
    runs: list[Path] = []
    for folder, folders, files in os.walk(Path(path).expanduser()):
        if RUN_FILE in files and TAKES in folders:
            runs.append(Path(folder))
            folders.clear()  # a run holds no runs, but may hold very many takes
    return [RunStore(run) for run in sorted(runs)]


def take_names(root: Path) -> list[TakeName]:
    """List the takes that are published."""
    if not (root / TAKES).is_dir():  # a copy of a run without takes may have lost the empty folder
        return []
    parsed = (TakeName.parse(folder.name) for folder in (root / TAKES).iterdir())
    return [name for name in parsed if name is not None]


def read_index(root: Path) -> dict[str, Record]:
    """Read what the writers noted of their takes; a torn or missing line is passed over."""
    lines: dict[str, Record] = {}
    for file in sorted((root / INDEX).glob("*.jsonl")):
        for line in parse_lines(file.read_bytes()):
            if line is not None and {"take", "clips", "links"} <= line.keys():
                lines[str(line["take"])] = line
    return lines


def read_records(folder: Path) -> Record | None:
    """Read a take's own records; `None` if it is not complete.

    A take is complete if its metadata is there, or if links are all there is to it.
    """
    names = {file.name for file in folder.glob("[!.]*")}  # hidden ones are the system's
    if METADATA not in names and names != {LINKS}:
        return None
    return {
        "take": folder.name,
        "clips": _read_lines(folder / METADATA) if METADATA in names else [],
        "links": _read_lines(folder / LINKS) if LINKS in names else [],
    }


def parse_lines(data: bytes) -> list[Record | None]:
    """Parse lines of strict JSON, an object each; `None` for a line that is anything else."""
    # Not `splitlines`, which also parts lines where a caption holds U+2028.
    return [_parsed(line) for line in data.split(b"\n") if line]


def _read_lines(file: Path) -> list[Record]:
    records = parse_lines(file.read_bytes())
    if None in records:
        raise RunFormatError(
            f"expected lines of JSON in {str(file)!r}, got something else: earmark check says "
            "what is damaged"
        )
    return [record for record in records if record is not None]


def _parsed(line: bytes) -> Record | None:
    try:
        record = json.loads(line.decode(), parse_constant=_refuse)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(constant)
