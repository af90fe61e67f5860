"""Pushes: the command, the spool that it looks into, and what it finds there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from earmark.cli import cli
from earmark.testing import noise
from earmark.upload.spool import Opening
from earmark.writer import Writer
from tests.core.clips import clip


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spool that the command looks into."""
    spool = tmp_path / "spool"
    monkeypatch.setenv("EARMARK_SPOOL", str(spool))
    return spool


def push(*arguments: object) -> Result:
    """Type a command."""
    return CliRunner().invoke(cli, ["push", *map(str, arguments)])


def leave(spool: Path, *steps: int, url: str = "s3://bucket/run", host: str = "") -> Opening:
    """Leave takes as a process does that never reached the store, and has ended."""
    opening = Opening.create(spool, url, {})
    writer = Writer(opening.run)
    for step in steps:
        sounds = {"prediction": noise(seed=step), "target": noise(seed=9)}
        clips = [clip(s, r, step=step, example="utt", tag="") for r, s in sounds.items()]
        assert writer.publish(step, clips)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    about = json.loads((opening.folder / "spool.json").read_text())
    about |= {"pid": ended.pid, "host": host or about["host"]}
    (opening.folder / "spool.json").write_text(json.dumps(about))
    return opening
