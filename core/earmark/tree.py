"""Tree: what a reader needs of a folder, on this machine or at a URL. Nothing is written here.

LocalTree    a directory
RemoteTree   a URL of any scheme that fsspec knows
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

from earmark.errors import ArgumentError, EarmarkError, RunNotFoundError, StorageError
from earmark.origin import local_path
from earmark.reference import is_file_url, is_reference, is_url, storage_of


class Tree(Protocol):
    """A folder to read from. Paths in it are relative, with `/` between their parts."""

    @property
    def place(self) -> str:
        """Its path or URL, to be shown."""
        ...

    def at(self, path: str) -> Path | str:
        """Where something in it is: a path on this machine, or a URL."""
        ...

    def entries(self, folder: str = "") -> dict[str, bool]:
        """The names in a folder, and whether each is a folder; none if there is no such folder.

        Raises:
            OSError: If the folder is there and cannot be listed.
        """
        ...

    def open(self, path: str) -> BinaryIO:
        """Open a file.

        Raises:
            OSError: If it cannot be read; `FileNotFoundError` if there is none.
        """
        ...

    def read(self, path: str) -> bytes:
        """Read a file whole; raises as `open` does."""
        ...


class LocalTree:
    """A directory on this machine.

    Args:
        root: The directory; there may be none.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def place(self) -> str:
        """Its path."""
        return str(self.root)

    def at(self, path: str) -> Path:
        """The path of something in it."""
        return self.root / path

    def entries(self, folder: str = "") -> dict[str, bool]:
        """The names in a folder, and whether each is a folder."""
        try:
            with os.scandir(self.root / folder) as found:
                return {entry.name: entry.is_dir() for entry in found}
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def open(self, path: str) -> BinaryIO:
        """Open a file."""
        return (self.root / path).open("rb")

    def read(self, path: str) -> bytes:
        """Read a file whole."""
        return (self.root / path).read_bytes()


class RemoteTree:
    """A folder at a URL. Every listing is a fresh one.

    Args:
        url: Its URL.

    Raises:
        ArgumentError: If no file system is known for the URL.
        MissingDependencyError: If fsspec, or the package behind the scheme, is not installed.
        StorageError: If the file system cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        with self._reading(self._url):
            try:
                self._storage, root = storage_of(self._url)
            except ValueError as error:
                raise ArgumentError(
                    f"expected a path or a URL that fsspec knows, got {url!r} ({error}): check it"
                ) from error
        self._root = root.rstrip("/")

    @property
    def place(self) -> str:
        """Its URL."""
        return self._url

    def at(self, path: str) -> str:
        """The URL of something in it."""
        return f"{self._url}/{path}"

    def entries(self, folder: str = "") -> dict[str, bool]:
        """The names in a folder, and whether each is a folder."""
        path = self._path(folder)
        try:
            with self._reading(self.at(folder)):
                self._storage.invalidate_cache()  # others write there
                found = self._storage.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        # Some stores keep an empty object in the name of a folder, which they list in it.
        listed = {each["name"].rstrip("/"): each["type"] == "directory" for each in found}
        return {
            name.rsplit("/", 1)[-1]: is_folder
            for name, is_folder in listed.items()
            if name.lstrip("/") != path.lstrip("/")
        }

    def open(self, path: str) -> BinaryIO:
        """Fetch a file."""
        return io.BytesIO(self.read(path))

    def read(self, path: str) -> bytes:
        """Fetch a file, in one request."""
        file = self._path(path)
        with self._reading(self.at(path)):
            try:
                # Asked for the whole file, s3fs asks for its size first.
                return bytes(self._storage.cat_file(file, start=0))
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                return bytes(self._storage.cat_file(file))  # an empty one has no byte 0

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/")

    @contextlib.contextmanager
    def _reading(self, url: str) -> Generator[None]:
        try:
            yield
        except (EarmarkError, FileNotFoundError, NotADirectoryError):
            raise
        except IsADirectoryError as error:
            raise FileNotFoundError(str(error)) from error
        except Exception as error:  # every fsspec backend raises its own
            raise StorageError(
                f"expected to read {url!r}, got {type(error).__name__}: {error}; check the URL, "
                "the connection, and whether your credentials may list and read it"
            ) from error


Place: TypeAlias = "str | os.PathLike[str] | Tree"
"""Where a folder is: a path, a URL, or an opened tree."""


def open_tree(place: Place) -> Tree:
    """Open a folder for reading; nothing of it is read yet.

    Args:
        place: A path, perhaps with `~`; a URL, as text; or a tree, which is returned.

    Raises:
        ArgumentError: If it is a URL that fsspec does not know.
        MissingDependencyError: If it is a URL for which a package is missing.
        RunNotFoundError: If it is a URL that has become a path.
        StorageError: If it is a URL that cannot be reached.
    """
    if not isinstance(place, str | os.PathLike):
        return place
    text = os.fsdecode(place)
    if is_file_url(text):
        return LocalTree(local_path(text))
    if is_url(text):
        return RemoteTree(text)
    path = Path(text).expanduser()
    if is_reference(text.replace(":/", "://", 1)) and not path.exists():
        raise RunNotFoundError(
            f"expected a run, got {text!r}, a URL that lost a slash in a Path: pass URLs as str"
        )
    return LocalTree(path)
