"""Prune: a run thinned out on request. This is the only thing that removes what was published."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from earmark.clip import Take
from earmark.errors import ArgumentError
from earmark.leftovers import Writers
from earmark.names import INDEX, TAKES, TEMPORARY
from earmark.run_size import size_of
from earmark.store import RunStore, open_run, take_names
from earmark.tree import LocalTree, open_tree
from earmark.upkeep.repair import repair_run


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be."""

    takes: tuple[str, ...]
    """The names of takes."""

    references: tuple[str, ...]
    """The names of inputs and targets that no other take has."""

    num_bytes: int
    """Their size."""


def prune_run(path: str | os.PathLike[str], every: int, *, dry_run: bool = False) -> Pruned:
    """Keep the first, the last and every `every`-th step of each tag, and remove the other takes.

    Args:
        path: The run's directory.
        every: Which steps to keep, counted among those at which a tag was logged.
        dry_run: Whether to remove nothing, and only say what would be.

    Raises:
        ArgumentError: If the run is at a URL, is still being written, or `every` is less than 2.
        RunNotFoundError: If there is no run.
        RunFormatError: If the run is of a later major format.
        OSError: If the directory cannot be written.
    """
    if every < 2:
        raise ArgumentError(f"expected to keep every 2nd take or fewer, got every={every}: pass 5")
    root = _idle(path)
    run = open_run(root)
    takes = _superfluous(run, every)
    references = _unlinked(run, set(takes))
    folders = [root / TAKES / name for name in (*takes, *references)]
    pruned = Pruned(tuple(takes), tuple(references), sum(map(size_of, folders)))
    if not dry_run and folders:
        for folder in folders:
            _remove(folder)
        repair_run(root)  # the index no longer lists them
    return pruned


def _idle(path: str | os.PathLike[str]) -> Path:
    tree = open_tree(path)
    if not isinstance(tree, LocalTree):
        raise ArgumentError(
            f"expected a run on this machine to prune, got {tree.place!r}: prune a copy, and put "
            "it in its place with the tools of its object store"
        )
    writers = Writers(tree.root)
    for writer in writers:
        trace = tree.root / INDEX / f"{writer['id']}.jsonl"
        if trace.exists() and not writers.is_gone(writer["id"], trace):
            raise ArgumentError(
                f"expected a run that nobody writes to, got {tree.place!r}, which process "
                f"{writer.get('pid')} on {writer.get('host')!r} may be writing to: prune it when "
                "that has ended"
            )
    return tree.root


def _superfluous(run: RunStore, every: int) -> list[str]:
    steps: dict[str, list[int]] = {}
    takes: list[tuple[str, int, str]] = []
    for take in run.takes():
        for tag in {clip.tag for clip in take.clips}:
            known = steps.setdefault(tag, [])
            if take.step not in known[-1:]:
                known.append(take.step)
        takes += [(tag, take.step, str(take.name)) for tag in {clip.tag for clip in take.clips}]
    kept = {(tag, step) for tag, known in steps.items() for step in (*known[::every], known[-1])}
    needed = {name for tag, step, name in takes if (tag, step) in kept}
    return [name for name in dict.fromkeys(name for _, _, name in takes) if name not in needed]


def _unlinked(run: RunStore, removed: set[str]) -> list[str]:
    """The references to which only removed takes link; those of nobody are left alone."""
    links: dict[bool, set[str]] = {True: set(), False: set()}
    unread = set(take_names(run.path))
    for take in run.takes():
        links[str(take.name) in removed].update(_references(take))
        unread.discard(take.name)
    if unread:  # a damaged take may link to any of them
        return []
    return sorted(links[True] - links[False])


def _references(take: Take) -> Iterable[str]:
    paths = (clip.audio.path for clip in take.clips)
    return (path.parent.name for path in paths if path and path.parent.name != str(take.name))


def _remove(folder: Path) -> None:
    """Take a folder out of the run in one step, so that readers see all of it or nothing."""
    hidden = folder.with_name(f"{TEMPORARY}{os.getpid()}-{folder.name}")  # as leftovers are named
    folder.rename(hidden)
    shutil.rmtree(hidden)
