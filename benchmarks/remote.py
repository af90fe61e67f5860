"""What a large run at an S3 server takes to list: how many requests."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path

from tests.core.object_store import ObjectStore, object_store

import earmark
from earmark.names import INDEX, METADATA, RUN_FILE, TAKES

_TAKES_PER_SEGMENT = 512


def measure(path: Path) -> tuple[int, int]:
    """Upload what listing a run needs, and list it.

    Args:
        path: The run, on this machine.

    Returns:
        How many takes it has, and how many requests it took to list all of its clips.
    """
    with object_store() as store:
        _upload(path, store)
        store.requests.clear()
        takes = sum(1 for _ in earmark.open_run(store.url("run")).takes())
        return takes, len(store.requests)


def _upload(path: Path, store: ObjectStore) -> None:
    """Upload the index in segments; of each take a file that says it is there, and no sound."""
    objects = {RUN_FILE: (path / RUN_FILE).read_bytes()}
    objects |= {f"{TAKES}/{take.name}/{METADATA}": b"\n" for take in (path / TAKES).iterdir()}
    files = store.files
    files.pipe({f"bucket/run/{name}": data for name, data in objects.items()})
    [index] = (path / INDEX).iterdir()
    with index.open("rb") as lines:
        for segment in count():
            data = b"".join(islice(lines, _TAKES_PER_SEGMENT))
            if not data:
                break
            files.pipe_file(f"bucket/run/{INDEX}/{index.stem}.{segment}.jsonl", data)
