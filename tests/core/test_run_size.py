"""A run that grows beyond what was meant: told once, and nothing dropped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from earmark import EarmarkWarning, Run, open_run
from earmark.errors import ArgumentError
from earmark.memory import MIB
from earmark.run_size import size_of
from earmark.testing import noise
from tests.core.faults import flushing, told
from tests.core.object_store import ObjectStore


def log(run: Run, step: int) -> None:
    """About 100 kB of predictions, and a target that stays."""
    sounds = {"prediction": noise(seconds=2, seed=step), "target": noise(seconds=2, seed=99)}
    run.log(sounds, step=step, example="utt", sample_rate=16_000)


def test_a_run_that_is_too_large_is_told_of_once(tmp_path: Path) -> None:
    """With its size, and how to make it smaller; every clip is kept."""
    limit = 0.3
    with (
        told() as messages,
        Run(tmp_path / "run", max_run_mib=limit) as run,
        flushing(run),
    ):
        for step in range(8):
            log(run, step)
    message = (
        rf"earmark: '.*run' has grown to 0 MiB, more than max_run_mib={limit}: nothing is dropped; "
        rf"log less often or fewer examples, or thin it out with `earmark prune .*run`"
    )
    assert len(messages) == 1
    assert re.fullmatch(message, messages[0])
    assert len(list(open_run(tmp_path / "run").clips())) == 16


def test_a_run_at_a_url_that_is_too_large(store: ObjectStore, tmp_path: Path) -> None:
    """It is not said to be thinned out where it cannot be."""
    with (
        pytest.warns(EarmarkWarning, match="examples, or thin out a copy of it with `earmark pru"),
        Run(store.url("run"), spool=tmp_path, max_run_mib=0.01) as run,
    ):
        log(run, 0)


def test_what_is_there_already_counts(tmp_path: Path) -> None:
    """A job that is started again is told at its first take."""
    with Run(tmp_path / "run", strict=True) as run:
        for step in range(4):
            log(run, step)
    limit = size_of(tmp_path / "run") / MIB
    with (
        pytest.warns(EarmarkWarning, match="has grown to"),
        Run(tmp_path / "run", max_run_mib=limit) as run,
    ):
        log(run, 4)


def test_a_run_within_its_limit_is_not_told_of(tmp_path: Path) -> None:
    """References count once, however often they are linked to."""
    with Run(tmp_path / "run", max_run_mib=0.5, strict=True) as run:
        for step in range(3):
            log(run, step)


@pytest.mark.parametrize("limit", [0, -1, True])
def test_an_impossible_limit_is_refused(tmp_path: Path, limit: float) -> None:
    """A run has some size."""
    with pytest.raises(ArgumentError, match="expected max_run_mib as a positive number, got"):
        Run(tmp_path / "run", max_run_mib=limit)
