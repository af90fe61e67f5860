"""References: sounds that stay where they are, at a URL, until someone asks to hear them."""

from __future__ import annotations

import importlib
import re
from typing import Any

from earmark.errors import MissingDependencyError, RemoteError

_REMOTE = """
    abfs abfss adl arrow_hdfs az azure box dbfs dropbox dvc ftp ftps gcs gdrive gist git github gs
    hdfs hf http https jlab jupyter lakefs oci ocilake oss root s3 s3a s3n sftp smb ssh tos tosfs
    viewfs wandb wandb-artifact webdav webhdfs
"""
REMOTE_SCHEMES = frozenset(_REMOTE.split())
"""Schemes of URLs that lead to another machine: what fsspec knows, and a few aliases."""

_LOCAL_SCHEMES = (["file"], ["local"])
_URL = re.compile(r"(?:[a-z][a-z0-9+._-]*::)*[a-z][a-z0-9+._-]*://", re.IGNORECASE)
# fsspec chains URLs: "zip://a.wav::s3://bucket/all.zip" is a sound in an archive far away.
_SCHEME = re.compile(r"(?:^|::)([a-z][a-z0-9+._-]*)://", re.IGNORECASE)


def is_reference(path: object) -> bool:
    """Say whether something is the URL of a sound on another machine; `False` for anything else."""
    return not REMOTE_SCHEMES.isdisjoint(_schemes(path))


def is_file_url(path: object) -> bool:
    """Say whether something is the URL of a file on this machine, such as `file:///data/a.wav`."""
    return _schemes(path) in _LOCAL_SCHEMES


def has_unknown_scheme(path: object) -> bool:
    """Say whether something is written like a URL, but leads neither to a file nor far away."""
    return bool(_schemes(path)) and not is_reference(path) and not is_file_url(path)


def is_url(path: object) -> bool:
    """Say whether something is written like a URL, wherever it leads."""
    return bool(_schemes(path))


def leads_away(url: object) -> bool:
    """Say whether a URL leads to another machine, with no part of it on this one."""
    here = {scheme for schemes in _LOCAL_SCHEMES for scheme in schemes}
    return is_reference(url) and here.isdisjoint(_schemes(url))


def _schemes(path: object) -> list[str]:
    if not isinstance(path, str) or not _URL.match(path):
        return []
    return [scheme.lower() for scheme in _SCHEME.findall(path)]


def storage_of(url: str) -> tuple[Any, str]:
    """Find the file system of fsspec that a URL leads to, and the path in it.

    Args:
        url: A URL whose scheme fsspec knows, in any case.

    Raises:
        MissingDependencyError: If fsspec, or the package behind the scheme, is not installed.
        Exception: Whatever else fsspec and the package behind the scheme raise.
    """
    try:
        fsspec = importlib.import_module("fsspec.core")  # not needed until someone asks
        storage, path = fsspec.url_to_fs(_SCHEME.sub(lambda match: match[0].lower(), url))
    except ImportError as error:
        raise MissingDependencyError(
            f"fetching {url!r} needs {error.name or error}: pip install 'earmark[s3]' for S3 and "
            "HTTP, or the package that fsspec names for other schemes"
        ) from error
    return storage, str(path)


def fetch(url: str) -> bytes:
    """Fetch what a reference leads to.

    Args:
        url: A URL whose scheme fsspec knows.

    Raises:
        MissingDependencyError: If fsspec, or the package behind the scheme, is not installed.
        RemoteError: If the URL cannot be read.
    """
    try:
        storage, path = storage_of(url)
        return bytes(storage.cat_file(path))
    except MissingDependencyError:
        raise
    except Exception as error:  # every fsspec backend raises its own
        raise RemoteError(
            f"expected a sound at {url!r}, got {type(error).__name__}: {error}; check the address "
            "and the credentials of its storage"
        ) from error
