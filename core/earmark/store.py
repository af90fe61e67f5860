"""RunStore: a run, read. The takes are the truth; the index saves reading each of them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from earmark.clip import Clip, Record, Take
from earmark.errors import EarmarkWarning, RunFormatError, StorageError
from earmark.folder import read_run_file, read_writers
from earmark.index import Index
from earmark.names import FORMAT, RUN_FILE, TAKES, WRITERS, TakeName
from earmark.records import read_records
from earmark.tree import LocalTree, Place, Tree, open_tree


class RunStore:
    """A run, read: on this machine, or at a URL.

    Args:
        place: The run's directory, or its URL.

    Raises:
        RunNotFoundError: If there is no run.
        RunFormatError: If the run is of a later major format, or its file is broken.
        MissingDependencyError: If it is at a URL for which a package is missing.
        StorageError: If it is at a URL that cannot be read.
    """

    def __init__(self, place: Place) -> None:
        self._tree = open_tree(place)
        self.name: str = read_run_file(self._tree)["name"]

    @property
    def place(self) -> str:
        """The run's directory, or its URL."""
        return self._tree.place

    @property
    def path(self) -> Path:
        """The run's directory on this machine.

        Raises:
            StorageError: If the run is at a URL.
        """
        if isinstance(self._tree, LocalTree):
            return self._tree.root
        raise StorageError(
            f"expected a run on this machine, got one at {self.place!r}: it is read as any other, "
            "run.place is its URL"
        )

    @property
    def writers(self) -> list[dict[str, Any]]:
        """Everyone who has opened the run for writing: id, host, rank, versions, config, ..."""
        return read_writers(self._tree)

    def takes(self) -> Iterator[Take]:
        """The published takes, by step; at one step the oldest writer's first.

        Each call looks at the run anew, so that it may be followed while it grows. A damaged
        take is left out with a warning; `earmark check` says what is damaged.
        """
        return self._read(take_names(self._tree), {})

    def _read(self, names: list[TakeName], wanted: Mapping[str, Any]) -> Iterator[Take]:
        """Read takes one after the other, with no other clips than those that are wanted."""
        takes = self._tree.at(TAKES)
        with Index(self._tree, names) as index:
            for name in self._in_order(names):
                try:
                    line = index.line(name) or read_records(self._tree, f"{TAKES}/{name}")
                    take = None if line is None else _take(takes, name, line, wanted)
                except FileNotFoundError:  # deleted since it was listed
                    continue
                except RunFormatError as error:  # one damaged take must not hide the others
                    warnings.warn(f"earmark: {error}", EarmarkWarning, stacklevel=2)
                    continue
                if take is not None:
                    yield take

    def _in_order(self, names: list[TakeName]) -> list[TakeName]:
        age: dict[str, int] = {}
        if len({name.writer for name in names}) > 1:  # else there is nothing to ask for
            age = {writer["id"]: age for age, writer in enumerate(self.writers)}
        return sorted(names, key=lambda n: (n.step, age.get(n.writer, -1), n.number))

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
        wanted = {"role": role, "example": example, "epoch": epoch, "tag": tag}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        if example is not None:
            wanted["example"] = str(example)
        if epoch is not None and epoch < 0:  # in a record, no epoch
            return
        names = take_names(self._tree)
        if step is not None:
            names = [name for name in names if name.step == step]
        # Versions of one clip are at one step, so that no more than a step is in memory.
        for _, takes in groupby(self._read(names, wanted), key=lambda take: take.step):
            found = (clip for take in takes for clip in take.clips)
            yield from found if all_versions else {clip.key: clip for clip in found}.values()

    def __repr__(self) -> str:
        return f"RunStore({self.place!r})"


def _take(takes: Path | str, name: TakeName, line: Record, wanted: Mapping[str, Any]) -> Take:
    try:
        return Take.from_records(takes, name, line["clips"], line["links"], wanted)
    except (KeyError, TypeError) as error:
        raise RunFormatError(
            f"expected records of format {FORMAT} of the take {name}, got {error!r} in "
            f"{str(takes)!r}: earmark check says what is damaged"
        ) from error


def open_run(path: str | os.PathLike[str]) -> RunStore:
    """Open a run for reading.

    Args:
        path: The run's directory, or its URL.

    Raises:
        RunNotFoundError: If there is no run.
        RunFormatError: If the run is of a later major format, or its file is broken.
        MissingDependencyError: If it is at a URL for which a package is missing.
        StorageError: If it is at a URL that cannot be read.
    """
    return RunStore(path)


def list_runs(path: str | os.PathLike[str]) -> list[RunStore]:
    """Open every run under a folder or a URL, at any depth; the folder itself, if it is one.

    One that cannot be read is left out with a warning, unless it is the folder itself.
    """
    tree = open_tree(path)
    places: Iterable[Path | str]
    if isinstance(tree, LocalTree):
        places = sorted(_local_runs(tree.root))
    else:
        places = sorted(_runs_in(tree, ""))
    runs: list[RunStore] = []
    for place in places:
        try:
            runs.append(RunStore(place))
        except RunFormatError as error:  # one must not hide the others
            if str(place) == tree.place:
                raise
            warnings.warn(f"earmark: {error}", EarmarkWarning, stacklevel=2)
    return runs


def _local_runs(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):  # which follows no link in a circle
        if RUN_FILE in files and TAKES in folders:
            folders.clear()  # a run holds no runs, but may hold very many takes
            yield Path(folder)


def _runs_in(tree: Tree, folder: str) -> Iterator[str]:
    entries = tree.entries(folder)
    if RUN_FILE in entries and not {TAKES, WRITERS}.isdisjoint(entries):
        yield str(tree.at(folder)).rstrip("/")
        return
    for name in (name for name, is_folder in entries.items() if is_folder):
        yield from _runs_in(tree, f"{folder}/{name}".lstrip("/"))


def take_names(place: Place) -> list[TakeName]:
    """List the takes that are published."""
    parsed = map(TakeName.parse, open_tree(place).entries(TAKES))
    return [name for name in parsed if name is not None]
