from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from earmark.index import Index, index_files
from earmark.names import TakeName
from earmark.tree import LocalTree

WRITER = "bcdfghjk"


class Watched(LocalTree):
    """A directory, and which of its files were opened, and are open."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[str] = []
        self.files: list[BinaryIO] = []

    def open(self, path: str) -> BinaryIO:
        self.opened.append(path.removeprefix("index/"))
        self.files.append(super().open(path))
        return self.files[-1]


def take(number: int, writer: str = WRITER, step: int | None = None) -> TakeName:
    """The name of a take whose step is its number, unless said otherwise."""
    return TakeName(number if step is None else step, writer, number)


def note(root: Path, file: str, *takes: TakeName, torn: bytes = b"") -> None:
    """Write a file of the index."""
    (root / "index").mkdir(exist_ok=True)
    lines = [json.dumps({"take": str(name), "clips": [], "links": []}) for name in takes]
    (root / "index" / file).write_bytes("".join(f"{line}\n" for line in lines).encode() + torn)


def found(root: Path, *takes: TakeName) -> list[str | None]:
    """What the index says of takes, asked for in this order."""
    with Index(LocalTree(root), takes) as index:
        lines = [index.line(name) for name in takes]
    return [None if line is None else str(line["take"]) for line in lines]


def test_the_files_of_a_writer_are_in_order(tmp_path: Path) -> None:
    """Segments are numbered in plain decimal; what is named otherwise is none."""
    names = ["b.10.jsonl", "b.2.jsonl", "b.jsonl", "b.0.jsonl", "c.0.jsonl"]
    for name in (*names, "b.01.jsonl", "b.x.jsonl", ".tmp-b.jsonl", "b.json", "b.1.2.jsonl"):
        note(tmp_path, name)

    assert index_files(LocalTree(tmp_path)) == {
        "b": ["index/b.jsonl", "index/b.0.jsonl", "index/b.2.jsonl", "index/b.10.jsonl"],
        "c": ["index/c.0.jsonl"],
    }
    assert index_files(LocalTree(tmp_path / "nothing")) == {}


def whole(root: Path, takes: list[TakeName]) -> None:
    """One file, where the run was written."""
    note(root, f"{WRITER}.jsonl", *takes)


def segments(root: Path, takes: list[TakeName]) -> None:
    """Segments of two takes, where it was uploaded to."""
    for k in range(0, len(takes), 2):
        note(root, f"{WRITER}.{k // 2}.jsonl", *takes[k : k + 2])


def both(root: Path, takes: list[TakeName]) -> None:
    """A stale segment beside the file."""
    whole(root, takes)
    note(root, f"{WRITER}.0.jsonl", *takes[:1])


@pytest.mark.parametrize("form", [whole, segments, both])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [3]])
def test_takes_are_found_in_any_order(
    tmp_path: Path, form: Callable[[Path, list[TakeName]], None], order: list[int]
) -> None:
    """Steps need not ascend with the takes of a writer."""
    takes = [take(number, step=10 - number) for number in range(5)]
    form(tmp_path, takes)
    asked = [takes[number] for number in order]

    assert found(tmp_path, *asked) == [str(name) for name in asked]


def test_what_was_not_noted_is_not_found(tmp_path: Path) -> None:
    """Gaps, ends, torn lines, other writers and other steps of one number give nothing."""
    note(tmp_path, f"{WRITER}.jsonl", take(1), take(3), torn=b'{"take": "00000004.bcdfghjk.4", "c')

    assert found(tmp_path, *map(take, range(6))) == [
        None,
        str(take(1)),
        None,
        str(take(3)),
        None,
        None,
    ]
    assert found(tmp_path, take(1, step=7), take(3, writer="cdfghjkm")) == [None, None]


def test_lines_are_understood_however_they_are_written(tmp_path: Path) -> None:
    """A line whose fields are in another order, or spaced otherwise, is one of the index."""
    (tmp_path / "index").mkdir()
    name = str(take(0))
    lines = f'{{"links":[],"clips":[],"take":"{name}"}}\n'
    (tmp_path / "index" / f"{WRITER}.jsonl").write_text("\nnull\n[]\n" + lines)

    assert found(tmp_path, take(0)) == [name]


def test_no_more_is_read_than_is_asked_for(tmp_path: Path) -> None:
    """A segment is opened when its takes are asked for, once, and closed behind them."""
    takes = [take(number) for number in range(8)]
    segments(tmp_path, takes)
    tree = Watched(tmp_path)

    with Index(tree, takes[:6]) as index:
        assert tree.opened == []
        for name in takes[:5]:
            index.line(name)
        assert tree.opened == [f"{WRITER}.{k}.jsonl" for k in range(3)]
        assert [file.closed for file in tree.files] == [True, True, False]
        index.line(takes[5])
        assert [file.closed for file in tree.files] == [True, True, True]
    assert len(tree.opened) == 3


def test_a_take_that_was_not_noted_costs_no_second_reading(tmp_path: Path) -> None:
    """Of a gap the next line tells, since a writer's numbers ascend."""
    segments(tmp_path, [take(number) for number in range(9) if number not in (0, 3)])
    tree = Watched(tmp_path)

    with Index(tree, map(take, range(9))) as index:
        lines = [index.line(take(number)) for number in range(9)]
    assert [line is None for line in lines] == [number in (0, 3) for number in range(9)]
    assert tree.opened == [f"{WRITER}.{k}.jsonl" for k in range(4)]


def test_takes_that_are_nearly_in_order_are_read_once(tmp_path: Path) -> None:
    """Several threads may publish step 1 before step 0."""
    takes = [take(number, step=number ^ 1) for number in range(8)]
    segments(tmp_path, takes)
    tree = Watched(tmp_path)

    with Index(tree, takes) as index:
        for name in sorted(takes):
            assert index.line(name) is not None
    assert tree.opened == [f"{WRITER}.{k}.jsonl" for k in range(4)]


def test_an_index_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    """A cache may go at any time: nothing is found, and nothing raises."""
    takes = [take(number, step=9 - number) for number in range(4)]
    segments(tmp_path, takes)
    with Index(LocalTree(tmp_path), takes) as index:
        assert index.line(takes[2]) is not None
        shutil.rmtree(tmp_path / "index")
        assert [index.line(takes[number]) for number in (0, 1)] == [None, None]
