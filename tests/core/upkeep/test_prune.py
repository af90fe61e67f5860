"""A run thinned out: what stays is whole, and what goes leaves no trace."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from earmark import EarmarkWarning, Run, open_run
from earmark.cli import cli
from earmark.errors import ArgumentError
from earmark.run_size import size_of
from earmark.testing import noise
from earmark.upkeep.check import check_run
from earmark.upkeep.prune import prune_run
from earmark.upkeep.repair import repair_run
from tests.core.damage import age


def written(root: Path, steps: int = 12) -> Path:
    """A run of two tags, the second of them at every third step; with targets."""
    with Run(root, strict=True) as run:
        for step in range(steps):
            for tag in ["val", "test"] if step % 3 == 0 else ["val"]:
                sounds = {
                    "prediction": noise(seed=step),
                    "target": noise(seed=99 if step < 10 or tag == "test" else 100),
                    "input": noise(seed=200 + step),
                }
                run.log(sounds, step=step, tag=tag, example="utt", sample_rate=16_000)
    return root


def steps(root: Path, tag: str) -> list[int]:
    """The steps at which there are predictions of a tag."""
    return [clip.step for clip in open_run(root).clips(role="prediction", tag=tag)]


def test_first_last_and_every_nth_step_stay(tmp_path: Path) -> None:
    """Tag by tag; what stays is whole, and inputs that only removed takes had are gone."""
    root = written(tmp_path / "run")
    before = size_of(root / "takes")
    pruned = prune_run(root, 5)

    assert steps(root, "val") == [0, 5, 10, 11]
    assert steps(root, "test") == [0, 9]
    assert len(pruned.takes) == 16 - 6
    assert pruned.num_bytes == before - size_of(root / "takes")
    kept = {0, 5, 9, 10, 11}
    assert len(pruned.references) == 12 - len(kept)
    assert {clip.step for clip in open_run(root).clips(role="input")} == kept
    assert check_run(root) == []
    assert not list((root / "takes").glob(".tmp*"))
    assert prune_run(root, 5).takes != ()  # counted anew, there is a fifth step no more
    assert steps(root, "val") == [0, 11]


def test_a_dry_run_removes_nothing(tmp_path: Path) -> None:
    """It says what would be."""
    root = written(tmp_path / "run")
    shutil.copytree(root, tmp_path / "copy")
    assert prune_run(root, 5, dry_run=True) == prune_run(tmp_path / "copy", 5)
    assert len(steps(root, "val")) == 12


def test_training_goes_on_in_a_pruned_run(tmp_path: Path) -> None:
    """What is logged later is beside what was kept."""
    root = written(tmp_path / "run")
    prune_run(root, 4)
    with Run(root, strict=True) as run:
        run.log({"prediction": noise(), "target": noise(seed=99)}, step=12, tag="val",
                example="utt", sample_rate=16_000)  # fmt: skip
    assert steps(root, "val") == [0, 4, 8, 11, 12]
    assert check_run(root) == []


def test_what_a_damaged_take_links_to_stays(tmp_path: Path) -> None:
    """It cannot be read, so that nobody knows which inputs and targets it needs."""
    root = written(tmp_path / "run")
    references = set((root / "takes").glob("ref.*"))
    (damaged,) = (root / "takes").glob("00000004.*")
    (damaged / "metadata.jsonl").write_text('{"torn', encoding="utf-8")
    shutil.rmtree(root / "index")
    with pytest.warns(EarmarkWarning, match="earmark check says what is damaged"):
        pruned = prune_run(root, 5)

    assert pruned.references == ()
    assert references == set((root / "takes").glob("ref.*"))


def test_a_prune_that_is_interrupted_leaves_what_is_swept_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while an input is deleted: what is left of it is hidden, and goes after an hour."""
    root, delete = written(tmp_path / "run"), shutil.rmtree

    def interrupted(path: Path) -> None:
        if "ref." in path.name:
            raise KeyboardInterrupt
        delete(path)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prune_run(root, 5)
    monkeypatch.undo()
    (left,) = (root / "takes").glob(".tmp*")
    age(left, *left.iterdir())

    assert f"removed takes/{left.name}" in repair_run(root)
    assert check_run(root) == []


def test_a_run_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    """The writer may hold on to what would be removed."""
    root = tmp_path / "run"
    script = f"""
import os, sys
from tests.core.upkeep.test_prune import written
from earmark import Run
run = Run({str(root)!r})
from earmark.testing import noise
for step in range(3):
    run.log({{"prediction": noise()}}, step=step, sample_rate=16_000)
run.flush()
print("ready", flush=True)
sys.stdin.read()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        message = f"which process {process.pid} on "
        with pytest.raises(ArgumentError, match=re.escape(message)):
            prune_run(root, 2)
        process.communicate()
    assert len(prune_run(root, 2).takes) == 1
    assert steps(root, "") == [0, 2]


@pytest.mark.parametrize(
    ("run", "every", "message"),
    [
        ("runs/a", 1, "expected to keep every 2nd take or fewer, got every=1: pass 5"),
        (
            "memory://prune/run",
            5,
            (
                "expected a run on this machine to prune, got 'memory://prune/run': prune a copy, "
                "and put it in its place with the tools of its object store"
            ),
        ),
    ],
)
def test_what_cannot_be_pruned_is_refused(run: str, every: int, message: str) -> None:
    """With the way out."""
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}$"):
        prune_run(run, every)


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    """Takes, references and bytes, and the same before it does anything."""
    root = written(tmp_path / "run")
    for options, done in ((["--dry-run"], "would remove"), ([], "removed")):
        result = CliRunner().invoke(cli, ["prune", str(root), "--every", "5", *options])
        assert result.exit_code == 0
        line = rf"{re.escape(str(root))}: {done} 10 takes, 7 references, 0\.\d MiB\n"
        assert re.fullmatch(line, result.output)
