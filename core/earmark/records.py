"""Records: the lines of a run's files, parsed, and those of one take."""

from __future__ import annotations

import json
from typing import Any

from earmark.clip import Record
from earmark.errors import RunFormatError
from earmark.names import LINKS, METADATA
from earmark.tree import Place, open_tree


def read_records(place: Place, folder: str = "") -> Record | None:
    """Read a take's own records; `None` if it is not complete.

    A take is complete if its metadata is there, or if links are all there is to it.

    Args:
        place: Where the take's folder is, or what it is in.
        folder: The folder, relative to that.

    Raises:
        RunFormatError: If the records are not lines of JSON.
        OSError: If they cannot be read; `FileNotFoundError` if they have just been deleted.
    """
    tree = open_tree(place)
    prefix = f"{folder}/" if folder else ""
    names = {name for name in tree.entries(folder) if not name.startswith(".")}
    if METADATA not in names and names != {LINKS}:
        return None

    def read(file: str) -> list[Record]:
        """Read the lines of one file; none if there is no such file."""
        if file not in names:
            return []
        records = parse_lines(tree.read(prefix + file))
        if None in records:
            raise RunFormatError(
                f"expected lines of JSON in {str(tree.at(prefix + file))!r}, got something else: "
                "earmark check says what is damaged"
            )
        return [record for record in records if record is not None]

    take = str(tree.at(folder)).rstrip("/").rsplit("/", 1)[-1]
    return {"take": take, "clips": read(METADATA), "links": read(LINKS)}


def parse_lines(data: bytes) -> list[Record | None]:
    """Parse lines of strict JSON, an object each; `None` for a line that is anything else."""
    # Not `splitlines`, which also parts lines where a caption holds U+2028.
    return [parse_line(line) for line in data.split(b"\n") if line]


def parse_line(line: bytes) -> Record | None:
    """Parse one line of strict JSON, an object; `None` for anything else."""
    try:
        record: Any = _DECODER.decode(line.decode())
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


# Made once: `json.loads` makes one for every line that it is given a function for.
_DECODER = json.JSONDecoder(parse_constant=_refuse)
