"""Runs at URLs: logged to, looked at with a plain S3 client, and read back from a plain copy."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import earmark.upload.opening
import earmark.upload.uploader
from earmark import Run
from earmark.testing import noise
from earmark.upkeep.check import check_run
from earmark.upload.bucket import Bucket
from tests.core.object_store import ObjectStore

NOWHERE = "http://127.0.0.1:9"
"""Where no server listens."""


def be_quick(patch: pytest.MonkeyPatch, seconds: float = 1.0, first: float = 10.0) -> None:
    """Have attempts end, and be made again, so soon that a test can wait for it."""
    patch.setattr(Bucket, "SECONDS", seconds)
    patch.setattr(earmark.upload.opening, "_FIRST_ANSWER_SECONDS", first)
    patch.setattr(earmark.upload.uploader, "_FIRST_WAIT", 0.02)
    patch.setattr(earmark.upload.uploader, "_LONGEST_WAIT", 0.1)


def log(run: Run, *steps: int, target: int = 1000) -> None:
    """Log a prediction that differs at each step, and a target that does not."""
    for step in steps:
        sounds = {"prediction": noise(seed=step), "target": noise(seed=target)}
        run.log(sounds, step=step, example="utt", sample_rate=16_000)


def contents(store: ObjectStore, run: str = "run") -> dict[str, bytes]:
    """Every file of a run in the bucket, by its path in the run."""
    files: Any = store.files
    found: list[str] = files.find(f"bucket/{run}")
    return {path.removeprefix(f"bucket/{run}/"): files.cat_file(path) for path in found}


def copied(store: ObjectStore, folder: Path, run: str = "run") -> Path:
    """A copy of a run, made as any S3 client makes one."""
    copy = folder / "copy"
    for path, data in contents(store, run).items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(data)
    return copy


def assert_whole(store: ObjectStore, folder: Path, steps: list[int], run: str = "run") -> None:
    """Each step is there once, whole, with its own samples, and so is its target."""
    copy = copied(store, folder, run)
    takes = [path.name for path in (copy / "takes").glob("[0-9]*")]
    assert sorted(int(name.split(".")[0]) for name in takes) == sorted(steps)
    assert [problem for problem in check_run(copy) if not problem.file.startswith("index/")] == []
    for name in takes:
        (record,) = lines(copy / "takes" / name / "metadata.jsonl")
        file = copy / "takes" / name / record["file_name"]
        samples, _ = soundfile.read(file, dtype="float32", always_2d=True)
        np.testing.assert_array_equal(samples, noise(seed=int(name.split(".")[0])))
        assert hashlib.sha256(file.read_bytes()).hexdigest() == record["sha256"]
        (link,) = lines(copy / "takes" / name / "links.jsonl")
        assert (copy / "takes" / link["sound"]).is_file()
    assert indexed(copy) == Counter(takes)


def indexed(copy: Path) -> Counter[str]:
    """How often the index names each take; what it says is what the take says."""
    noted: Counter[str] = Counter()
    for file in (copy / "index").iterdir():
        assert re.fullmatch(r"[^.]+\.\d+\.jsonl", file.name)
        for line in lines(file):
            noted[line["take"]] += 1
            folder = copy / "takes" / line["take"]
            assert line["clips"] == lines(folder / "metadata.jsonl")
            assert line["links"] == lines(folder / "links.jsonl")
    return noted


def lines(file: Path) -> list[dict[str, Any]]:
    """The lines of a file of JSON."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def puts(store: ObjectStore) -> list[str]:
    """What was put, in order, by its path in the bucket."""
    put = "PUT /bucket/"
    return [each.removeprefix(put) for each in store.requests if each.startswith(put)]


def left_in(spool: Path) -> list[str]:
    """The takes that a spool holds."""
    return sorted(path.name for path in spool.glob("*/*/run/takes/[0-9]*"))
