"""Names in a run, format 1: readable in a file manager, safe on every file system.

takes/00001200.bcd4fgh5.3/          step, writer, and the number of the writer's take
    utt-7.prediction.flac           example, role
takes/ref.utt-7.target.5e8c1f0a/    example, role, content
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

FORMAT = "1.0"
"""The version of the format that is written: major.minor."""

RUN_FILE = "run.json"
TAKES = "takes"
WRITERS = "writers"
INDEX = "index"
FAULTS = "faults"
MARKS = "marks"
SENT = "sent"
METADATA = "metadata.jsonl"
LINKS = "links.jsonl"
TEMPORARY = ".tmp-"

# No vowels, so that no id reads as a word; no 0 or 1, so that none is misread.
_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"
_UNSAFE = re.compile(r"[^a-z0-9_-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)")
_HASHED = re.compile(r"[a-z0-9_-]+-[0-9a-f]{12}")  # what a name with a hash looks like
_TAKE = re.compile(rf"([0-9]{{8,}})\.([{_ALPHABET}]+)\.([0-9]+)")
_MAX_NAME = 60
_MAX_ROLE = 100
_PLAIN = re.compile(r"[^/\\:\0]+")


@dataclass(frozen=True, order=True)
class TakeName:
    """The name of a take's folder, taken apart."""

    step: int
    writer: str
    number: int

    def __str__(self) -> str:
        return f"{self.step:08d}.{self.writer}.{self.number}"

    @classmethod
    def parse(cls, name: str) -> TakeName | None:
        """Take a folder's name apart; `None` if it is not one of a take."""
        match = _TAKE.fullmatch(name)
        if match is None:
            return None
        take = cls(int(match[1]), match[2], int(match[3]))
        return take if str(take) == name else None


def is_plain(name: object) -> bool:
    """Say whether something names a file in a folder, on every system, and leads nowhere else."""
    return isinstance(name, str) and bool(_PLAIN.fullmatch(name)) and name not in (".", "..")


def new_writer_id() -> str:
    """Make up a name for one opening of a run: 8 characters, one in 10^11."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


def safe_name(text: str) -> str:
    """Make a name of any text that is safe as a part of a file name, and unlike any other text's.

    Lower-case ASCII letters, digits, `-` and `_` stay; if anything else had to go, a hash of the
    text is added, so that two texts never share a name, on file systems without case either.
    """
    name = _UNSAFE.sub("-", text.lower()).strip("-_")[:_MAX_NAME]
    special = not name or _RESERVED.fullmatch(name) or _HASHED.fullmatch(name)
    if name == text and not special:
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{name}-{digest}" if name else f"x-{digest}"


def safe_role(role: str) -> str:
    """Make a name of any role that is safe as a part of a file name: that of a stem keeps its dot.

    `prediction.vocals` stays what it is; no two roles share a name.
    """
    name = ".".join(map(safe_name, role.split(".")))
    return name if len(name) <= _MAX_ROLE else safe_name(role)


def reference_name(example: str, role: str, digest: str) -> str:
    """Name the folder of a sound that is stored once, by its content."""
    return f"ref.{safe_name(example)}.{safe_role(role)}.{digest[:16]}"
