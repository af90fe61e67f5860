"""Durable writes on a local file system: what has been published survives a crash."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from earmark.names import TEMPORARY

_PART = 1 << 16


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


class DurableFile:
    """A new file that a library writes which passes over errors: the first one is raised here.

    As a context it ends by waiting until the disk has all of it.

    Args:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=4 * _PART)
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write at the current place, and say how much that was."""
        return self._attempt(self._file.write, data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place, and say which."""
        return self._attempt(self._file.seek, offset, whence)

    def tell(self) -> int:
        """Say which place is the current one."""
        return self._attempt(self._file.tell)

    def _attempt(self, action: Callable[..., int], *arguments: Any) -> int:
        if self._error is None:
            try:
                return action(*arguments)
            except OSError as error:
                self._error = error
        return 0

    def __enter__(self) -> DurableFile:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._attempt(self._sync)
        if error is None and self._error is None:
            self._file.close()
            return
        with contextlib.suppress(OSError):  # which would be the same one again
            self._file.close()
        if self._error is not None:
            raise self._error

    def _sync(self) -> int:
        self._file.flush()
        os.fsync(self._file.fileno())
        return 0


def fingerprint(path: Path) -> tuple[int, str]:
    """A file's size in bytes, and its SHA-256 in hexadecimal."""
    content, num_bytes, part = hashlib.sha256(), 0, memoryview(bytearray(_PART))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(part):
            content.update(part[:count])
            num_bytes += count
    return num_bytes, content.hexdigest()


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
    """Append one line, in one write, so that readers see all of it or none.

    Raises:
        OSError: If it cannot be written, or not all of it; then none of it is there.
    """
    data = line.encode()
    with path.open("ab", buffering=0) as file:
        written = file.write(data)
        if written < len(data):  # the disk is full
            file.truncate(file.tell() - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
