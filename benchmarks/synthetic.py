"""Runs of very many clips, made cheaply: `python -m benchmarks.synthetic FOLDER --clips 1000000`.

earmark writes the first take. All others say the same of other steps, and their sounds are further
names of the first one's files, so that a million clips take no more room than their records.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import earmark
from earmark.names import INDEX, LINKS, METADATA, TAKES, TakeName

EXAMPLES = 50
CLIPS_PER_TAKE = 2 * EXAMPLES
_RATE = 8_000

_Record = dict[str, Any]


def make(path: Path, clips: int) -> int:
    """Make a run of clips of 50 examples: predictions of their own, a target that stays.

    Args:
        path: Its directory; there must be none.
        clips: At least so many.

    Returns:
        How many there are.
    """
    takes = -(-clips // CLIPS_PER_TAKE)
    _log_first_take(path)
    [index] = (path / INDEX).glob("*.jsonl")
    first = json.loads(index.read_text(encoding="utf-8"))
    with index.open("a", encoding="utf-8") as lines:
        for step in range(1, takes):
            line = _write_take(path / TAKES, first, step)
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
    return takes * CLIPS_PER_TAKE


def _log_first_take(path: Path) -> None:
    time = np.arange(_RATE // 10) / _RATE
    pitches = 200 * 2 ** (np.arange(EXAMPLES)[:, None] / 24)
    tones = (0.3 * np.sin(2 * np.pi * pitches * time)).astype(np.float32)
    with earmark.Run(path, strict=True) as run:
        run.log_batch(
            {"prediction": tones, "target": 0.9 * tones},
            epoch=0,
            tag="val",
            sample_rate=_RATE,
            captions=[f"a tone of {pitch:.0f} Hz" for pitch in pitches.ravel()],
            metrics={"si_sdr": np.linspace(0, 20, EXAMPLES)},
        )


def _write_take(takes: Path, first: Mapping[str, Any], step: int) -> _Record:
    """Write the folder of a take; returns its line of the index."""
    name = TakeName.parse(first["take"])
    assert name is not None  # noqa: S101 - the index holds names of takes
    folder = takes / str(TakeName(step, name.writer, step))
    folder.mkdir()
    moved = {kind: [_moved(record, step) for record in first[kind]] for kind in ("clips", "links")}
    for record in moved["clips"]:
        os.link(takes / first["take"] / record["file_name"], folder / record["file_name"])
    for file, records in ((LINKS, moved["links"]), (METADATA, moved["clips"])):
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (folder / file).write_text(text, encoding="utf-8")
    return {**first, "take": folder.name, **moved}


def _moved(record: _Record, step: int) -> _Record:
    return {**record, "step": step, "epoch": step}


def main() -> None:
    """Makes a run, to try the command line on."""
    parser = argparse.ArgumentParser(description="Makes a run of very many clips.")
    parser.add_argument("run", type=Path, help="its directory; there must be none")
    parser.add_argument("--clips", type=int, default=100_000)
    options = parser.parse_args()
    sys.stdout.write(f"{make(options.run, options.clips):,} clips in {options.run}\n")


if __name__ == "__main__":
    main()
