"""Bucket: a folder at a URL, which files are put into. The one door to fsspec for writing."""

from __future__ import annotations

import errno
import importlib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from earmark.errors import MissingDependencyError, RemoteError, StorageError

_SLOWEST = 1 << 16
"""Bytes per second below which sending a file counts as hanging."""
_PUT_AT = ("LastModified", "last_modified", "mtime")
"""What S3, Azure, and all others call the time at which a file was put."""
_MISTAKES = ("CredentialsError", "ParamValidationError", "ProfileNotFound")
"""How botocore names what waiting does not cure, in ends of the names of its errors."""


class Bucket:
    """A folder at a URL. Whatever is asked of it comes to an end.

    Args:
        url: A URL whose scheme fsspec knows.
        seconds: How long one attempt may take, where fsspec can end it: on S3, GCS and Azure it
            can. Files that are sent have the time that they take at 64 KiB/s on top.

    Raises:
        MissingDependencyError: If fsspec, or the package behind the scheme, is not installed.
    """

    SECONDS = 60.0
    """How long one attempt may take, if nothing else is asked for."""

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        self.url = url
        self.seconds = seconds
        try:
            fsspec = importlib.import_module("fsspec.core")
            # An instance of one's own: nobody else's listings, options or closed sessions.
            self._files, self._path = fsspec.url_to_fs(url, skip_instance_cache=True)
        except ImportError as error:
            raise MissingDependencyError(
                f"writing to {url!r} needs {error.name or error}: pip install 'earmark[s3]' for "
                "S3, or the package that fsspec names for other schemes"
            ) from error
        except ValueError as error:
            raise _refused(url, error) from error

    def read(self, path: str) -> bytes | None:
        """Read a file; `None` if there is none."""
        with self._asking():
            try:
                # Asked for the whole file, s3fs asks for its size first.
                return bytes(self._files.cat_file(self._at(path), start=0, **self._bound(0)))
            except OSError as error:
                if not _is_nothing(error):
                    raise
                return None if isinstance(error, FileNotFoundError) else b""

    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Read files, several at a time where fsspec can; without those that hold nothing."""
        places = {path: self._at(path) for path in paths}
        ends = [None] * len(places)
        with self._asking():
            got = self._files.cat_ranges(
                list(places.values()), [0] * len(places), ends, **self._bound(0)
            )
            for each in got:
                if isinstance(each, Exception) and not _is_nothing(each):
                    raise each
        found = zip(places, got, strict=True)
        return {path: bytes(data) for path, data in found if not isinstance(data, Exception)}

    def sizes(self, folder: str) -> dict[str, int]:
        """List what is in a folder now: the size in bytes of each file, and 0 for a folder."""
        entries = self._entries(folder).items()
        return {name: int(entry.get("size") or 0) for name, entry in entries}

    def changes(self, folder: str) -> dict[str, float]:
        """List when each file in a folder was put last, in seconds since 1970, where one can."""
        entries = self._entries(folder).items()
        return {name: at for name, entry in entries if (at := _put_at(entry)) is not None}

    def _entries(self, folder: str) -> dict[str, Mapping[str, Any]]:
        with self._asking():
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._at(folder), detail=True, **self._bound(0))
            except FileNotFoundError:
                return {}
        return {str(entry["name"]).rstrip("/").rsplit("/", 1)[-1]: entry for entry in found}

    def put(self, path: str, data: bytes) -> None:
        """Put one file, whole."""
        with self._asking():
            self._make_room_for(path)
            self._files.pipe_file(self._at(path), data, **self._bound(len(data)))

    def put_files(self, files: Mapping[str, Path]) -> None:
        """Put files of this machine, several at a time where fsspec can."""
        if not files:
            return
        size = sum(file.stat().st_size for file in files.values())
        with self._asking():
            self._make_room_for(*files)
            sources, places = list(map(str, files.values())), list(map(self._at, files))
            self._files.put(sources, places, **self._bound(size))

    def fetch(self, paths: Iterable[str], folder: Path) -> None:
        """Fetch files into a folder of this machine, under the same paths."""
        for path in paths:
            data = self.read(path)
            if data is None:
                raise RemoteError(
                    f"expected a file at '{self.url}/{path}', got none: earmark check says what "
                    "is missing"
                )
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)

    def _at(self, path: str) -> str:
        return f"{self._path}/{path}".rstrip("/")

    @property
    def _is_async(self) -> bool:
        return bool(getattr(self._files, "async_impl", False))

    def _bound(self, num_bytes: int) -> dict[str, Any]:
        return {"timeout": self.seconds + num_bytes / _SLOWEST} if self._is_async else {}

    def _make_room_for(self, *paths: str) -> None:
        if self._is_async:  # object stores have no folders
            return
        for folder in {self._at(path).rsplit("/", 1)[0] for path in paths}:
            self._files.makedirs(folder, exist_ok=True)

    @contextmanager
    def _asking(self) -> Generator[None]:
        try:
            yield
        except Exception as error:  # every fsspec backend raises its own
            if _is_configuration(error):
                raise _refused(self.url, error) from error
            raise RemoteError(
                f"expected an answer from {self.url!r}, got {_said(error)}: it may be unreachable, "
                "or slow"
            ) from error


def _is_nothing(error: Exception) -> bool:
    missing = isinstance(error, FileNotFoundError)
    # An empty file has no byte 0.
    return missing or (isinstance(error, OSError) and error.errno == errno.EINVAL)


def _put_at(entry: Mapping[str, Any]) -> float | None:
    at = next((entry[key] for key in _PUT_AT if key in entry), None)
    return at.timestamp() if isinstance(at, datetime) else at if isinstance(at, float) else None


def _is_configuration(error: Exception) -> bool:
    known = isinstance(error, FileNotFoundError | PermissionError | ValueError)
    return known or type(error).__name__.endswith(_MISTAKES)


def _refused(url: str, error: Exception) -> StorageError:
    return StorageError(
        f"expected a place that can be written at {url!r}, got {_said(error)}: check the "
        "address, the credentials and what they allow"
    )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
