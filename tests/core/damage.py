"""A run written by a process that has ended, and what a disk, or a user, may do to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earmark.upkeep.check import check_run

# Written by a process of its own, which has ended when the tests look at what it wrote.
WRITE = """
import sys
import numpy as np
import earmark

tone = 0.5 * np.sin(np.arange(800) * 0.3)
rates = {"prediction": 8000, "target": 8000}
url = "https://example.com/a.wav"
with earmark.Run(sys.argv[1], strict=True) as run:
    for epoch in range(2):
        run.log(
            {"prediction": tone / (epoch + 2), "target": tone, "input": url},
            step=10 * epoch, epoch=epoch, tag="val", example="a", sample_rate=rates,
            caption="one\\u2028line", metrics={"si_sdr": 1.5},
        )
    run.log({"target": tone}, step=20, epoch=2, tag="val", example="a", sample_rate=8000)
"""

BACKUP = "restore it from a backup; other clips are read as before"
RESTORE = "earmark check --repair restores it from the index"
ANEW = "earmark check --repair makes it anew"
WAIT = "earmark check --repair makes it anew when its writer has ended"
MOVE = "move it out of the run"
HOUR = 3600


@dataclass(frozen=True)
class Written:
    """A run, and the names that its writer made up."""

    path: Path

    @property
    def writer(self) -> str:
        """The id of its one writer."""
        (file,) = self.path.glob("writers/*.json")
        return file.stem

    @property
    def description(self) -> Path:
        """What the writer says of itself."""
        return self.path / "writers" / f"{self.writer}.json"

    @property
    def index(self) -> Path:
        """The writer's file in the index."""
        return self.path / "index" / f"{self.writer}.jsonl"

    def take(self, number: int) -> Path:
        """The folder of a take: 0 and 1 hold a prediction and links, 2 holds a link only."""
        (folder,) = self.path.glob(f"takes/*.{number}")
        return folder

    @property
    def reference(self) -> Path:
        """The folder of the target, which is stored once."""
        (folder,) = self.path.glob("takes/ref.*")
        return folder

    def name(self, file: Path) -> str:
        """What a problem calls a file."""
        return file.relative_to(self.path).as_posix()

    def files(self) -> dict[str, bytes]:
        """Every file and its bytes."""
        files = (path for path in self.path.rglob("*") if path.is_file())
        return {self.name(file): file.read_bytes() for file in files}

    def sounds(self) -> dict[str, bytes]:
        """Every sound file and its bytes."""
        return {name: data for name, data in self.files().items() if name.endswith(".flac")}

    def hand_over_to(self, **owner: Any) -> None:
        """Have the run written by somebody else, who has not said that it is closed."""
        edit_json(
            self.description,
            lambda record: {k: v for k, v in record.items() if k != "closed_at"} | owner,
        )


def write_run(path: Path) -> None:
    """Write a run in a process that ends."""
    subprocess.run([sys.executable, "-c", WRITE, path], check=True, capture_output=True)


def said(run: Written) -> list[str]:
    """What `earmark check` says."""
    return [str(problem) for problem in check_run(run.path)]


def edit_json(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the first record of a file."""
    first, *rest = file.read_text(encoding="utf-8").split("\n")
    if first == "{":  # written over many lines
        first, rest = "\n".join([first, *rest]), []
    file.write_text("\n".join([json.dumps(change(json.loads(first))), *rest]), encoding="utf-8")


def flip_bit(file: Path, position: int) -> None:
    """Flip one bit, as a failing disk does."""
    data = bytearray(file.read_bytes())
    data[position] ^= 1
    file.write_bytes(data)


def truncate(file: Path, size: int) -> None:
    """Cut a file off, as a full disk does."""
    file.write_bytes(file.read_bytes()[:size])


def age(*paths: Path) -> None:
    """Have nothing changed for more than an hour."""
    then = time.time() - HOUR - 60
    for path in paths:
        os.utime(path, (then, then))


def left_over(run: Written, name: str) -> Path:
    """A take that was never published, with a sound in it."""
    folder = run.path / "takes" / f".tmp-{name}"
    folder.mkdir()
    (folder / "a.prediction.flac").write_bytes(b"fLaC")
    return folder
