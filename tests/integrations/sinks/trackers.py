"""Real trackers to write to, and their own records read back."""

from __future__ import annotations

import importlib
import json
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import wandb
from numpy.typing import NDArray

Row = dict[str, Any]

# W&B makes this module's names when it is imported, for the protobuf that is installed.
_messages: Any = importlib.import_module("wandb.proto.wandb_internal_pb2")


@contextmanager
def wandb_at_home_in(folder: Path) -> Generator[None]:
    """Keep W&B offline and within a folder, and end the process that serves it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "HOME"):
            (folder / name).mkdir()
            patch.setenv(name, str(folder / name))
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        patch.setenv("WANDB_CONSOLE", "off")
        # However busy the machine is, a row waits for its clips.
        patch.setattr("earmark.monitor._HAND_OVER_SECONDS", 60.0)
        try:
            yield
        finally:
            if wandb.run is not None:
                wandb.run.finish()
            wandb.teardown()


def finished(run: wandb.Run) -> list[Any]:
    """Finish a run and read the records of its transaction log."""
    log = next(Path(run.dir).parent.glob("*.wandb"))
    run.finish()
    wandb.teardown()  # the log is complete when the process that writes it has ended
    return list(_records(log.read_bytes()))


def wandb_rows(records: list[Any]) -> list[Row]:
    """The rows of scalars and sounds."""
    return [_row(record) for record in records if record.HasField("history")]


def wandb_uploads(records: list[Any]) -> list[str]:
    """The files that are uploaded, as often as they are, within the run's folder."""
    lists = [record.files.files for record in records if record.HasField("files")]
    return [file.path for files in lists for file in files]


def media(row: Row, key: str, run: wandb.Run) -> list[tuple[str, Path]]:
    """The captions and files of the sounds under a key, in order."""
    sounds = row[key]
    assert sounds["_type"] == "audio"
    assert sounds["count"] == len(sounds["audio"])
    assert sounds["captions"] == [sound["caption"] for sound in sounds["audio"]]
    return [(sound["caption"], Path(run.dir) / sound["path"]) for sound in sounds["audio"]]


def decoded(file: Any) -> NDArray[np.float32]:
    """The samples that soundfile reads, shape `(frames, channels)`."""
    samples, _ = soundfile.read(file, dtype="float32", always_2d=True)
    return np.asarray(samples, np.float32)


def _row(record: Any) -> Row:
    row: Row = {}
    for item in record.history.item:
        *outer, last = item.nested_key or [item.key]
        place = row
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = json.loads(item.value_json)
    return row


def _records(log: bytes) -> Iterator[Any]:
    """Take the log apart: LevelDB's framing, after a header of W&B's."""
    position, message = 7, b""
    while position + 7 <= len(log):
        left_in_block = 2**15 - position % 2**15
        if left_in_block < 7:
            position += left_in_block
            continue
        _, size, kind = struct.unpack_from("<IHB", log, position)
        chunk = log[position + 7 : position + 7 + size]
        position += 7 + size
        message = chunk if kind in (1, 2) else message + chunk  # whole, first; middle, last
        if kind in (1, 4):
            yield _messages.Record.FromString(message)
