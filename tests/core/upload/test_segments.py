from __future__ import annotations

import json
from pathlib import Path

from earmark.upload.segments import TAKES_PER_SEGMENT, Segments


def add(segments: Segments, *numbers: int, writer: str = "bcd") -> None:
    """Note some takes."""
    for number in numbers:
        segments.add(writer, f"{number}", json.dumps({"take": f"{number}"}) + "\n")


def takes(data: bytes) -> list[int]:
    """The takes in a file of the index."""
    return [int(json.loads(line)["take"]) for line in data.splitlines()]


def test_each_file_holds_so_many_takes(tmp_path: Path) -> None:
    """512 a file, of each writer by itself, in the order in which they were sent."""
    segments = Segments(tmp_path)
    add(segments, *range(TAKES_PER_SEGMENT + 2))
    add(segments, 7, writer="fgh")
    found = {name: takes(data) for name, data in segments.due(all_of_them=True)}
    assert found == {
        "bcd.0.jsonl": list(range(512)),
        "bcd.1.jsonl": [512, 513],
        "fgh.0.jsonl": [7],
    }
    assert list(segments.due(all_of_them=True)) == []


def test_the_open_file_is_due_when_it_has_grown_by_an_eighth(tmp_path: Path) -> None:
    """What is put over 512 takes is some nine times the file, not 256 times."""
    segments = Segments(tmp_path)
    put = 0
    for number in range(TAKES_PER_SEGMENT):
        add(segments, number)
        put += sum(len(takes(data)) for _, data in segments.due(all_of_them=False))
    assert put < 10 * TAKES_PER_SEGMENT
    assert len(list(segments.due(all_of_them=True))) <= 1


def test_a_full_file_is_put_at_last(tmp_path: Path) -> None:
    """Its last takes too, though they are less than an eighth of it; and then no more."""
    segments = Segments(tmp_path)
    add(segments, *range(TAKES_PER_SEGMENT - 1))
    assert len(list(segments.due(all_of_them=False))) == 1
    add(segments, TAKES_PER_SEGMENT - 1)
    assert list(segments.due(all_of_them=False)) == []
    add(segments, TAKES_PER_SEGMENT)
    full, new = segments.due(all_of_them=False)
    assert takes(full[1]) == list(range(TAKES_PER_SEGMENT))
    assert takes(new[1]) == [TAKES_PER_SEGMENT]


def test_what_could_not_be_put_is_due_again(tmp_path: Path) -> None:
    """Whoever stops in the middle, since a store refused a file, is given it the next time."""
    segments = Segments(tmp_path)
    add(segments, 1)
    assert next(segments.due(all_of_them=True))[0] == "bcd.0.jsonl"
    assert next(segments.due(all_of_them=True))[0] == "bcd.0.jsonl"


def test_another_process_goes_on(tmp_path: Path) -> None:
    """It knows what was sent, names nothing twice, and drops a line that was torn."""
    add(Segments(tmp_path), 1, 2)
    with (tmp_path / "bcd.jsonl").open("ab") as file:
        file.write(b'{"take": "3')
    segments = Segments(tmp_path)
    add(segments, 2, 3, 4)
    ((name, data),) = segments.due(all_of_them=True)
    assert (name, takes(data)) == ("bcd.0.jsonl", [1, 2, 3, 4])
