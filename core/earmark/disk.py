"""Durable writes on a local file system: what has been published survives a crash."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from earmark.names import TEMPORARY


def json_line(record: Mapping[str, Any]) -> str:
    """One record as a line of strict JSON; what UTF-8 cannot hold becomes `?`."""
    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    return line.encode("utf-8", "replace").decode() + "\n"


def json_lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Records as lines of strict JSON."""
    return "".join(map(json_line, records)).encode()


def write_durably(path: Path, data: bytes | memoryview) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the disk has a folder's entries; file systems that cannot are left to it."""
    if os.name == "nt":  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def publish_folder(temporary: Path, final: Path) -> bool:
    """Give a finished folder its name, in one step.

    Returns:
        Whether it was this call that did it; `False` if there already is such a folder.
    """
    sync_folder(temporary)
    try:
        temporary.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        return not temporary.is_dir()  # over NFS, a rename that was done may still report an error
    with contextlib.suppress(OSError):  # it is published: what remains is up to the disk
        sync_folder(final.parent)
    return True


def write_new(path: Path, data: bytes) -> bool:
    """Create a file whole, unless there is one.

    Returns:
        Whether it was this call that created it.
    """
    if path.exists():
        return False
    # Processes on several machines that share a disk may well have the same id.
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}-{path.name}")
    try:
        write_durably(temporary, data)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # no hard links here: who comes second within this moment writes the same
            temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def write_over(path: Path, data: bytes) -> None:
    """Put other content into a file, so that readers see the old one or the new one, whole."""
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}-{path.name}")
    try:
        write_durably(temporary, data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Append one line, in one write, so that readers see all of it or none."""
    with path.open("ab", buffering=0) as file:
        file.write(line.encode())
