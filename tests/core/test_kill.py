"""`kill -9` at random moments: 20 times in `make test`, as often as `--kills` says on request."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark import open_run
from earmark.upkeep.check import check_run
from earmark.upkeep.repair import repair_run
from tests.core.behind import run_script, steps

PENDING = 1 << 20
SOUND = np.linspace(-0.5, 0.5, 2000, dtype=np.float32)

KILLED = """
import itertools, json, os, random, signal, sys
import numpy as np
import earmark

run, seed, times, pending = sys.argv[1], *map(int, sys.argv[2:])
moments = random.Random(seed)
sound = np.linspace(-0.5, 0.5, 2000, dtype=np.float32)

def train(epoch, logged):
    run_here = earmark.Run(run, max_pending_mib=pending / (1 << 20), max_wait_seconds=60)
    for step in itertools.count(epoch * 1_000_000):
        sounds = {"prediction": sound + step % 100 / 256, "target": sound}
        run_here.log(sounds, step=step, epoch=epoch, example="utt", sample_rate=8000)
        os.write(logged, b".")

counts = []
for epoch in range(times):
    logged, say = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(logged)
        train(epoch, say)
    os.close(say)
    count = 0
    for _ in range(moments.randrange(1, 60)):
        count += len(os.read(logged, 1))
    for _ in range(moments.randrange(100_000)):
        pass
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    while more := os.read(logged, 4096):
        count += len(more)
    os.close(logged)
    counts.append(count)
print(json.dumps({"logged": counts}))
"""


def test_a_training_that_is_killed_loses_at_most_what_was_pending(
    tmp_path: Path, kills: int
) -> None:
    """And each one goes on in the same run: nothing published is damaged, or there twice."""
    for number in range(0, kills, 20):
        run = tmp_path / str(number)
        times = min(20, kills - number)
        logged = run_script(KILLED, run, number, times, PENDING)["logged"]

        by_epoch = {epoch: list(own) for epoch, own in groupby(steps(run), lambda s: s // 10**6)}
        for epoch, count in enumerate(logged):
            published = by_epoch.get(epoch, [])
            first = epoch * 10**6
            assert published == list(range(first, first + len(published)))
            assert count - len(published) <= PENDING / (2 * SOUND.nbytes)
        assert_whole(run)
        repair_run(run)
        assert check_run(run) == []


def assert_whole(run: Path) -> None:
    """What is damaged is no more than leftovers; every clip is there once, and sounds as logged."""
    found = [problem for problem in check_run(run) if not problem.file.startswith("index/")]
    assert {problem.what for problem in found} <= {"left over by a writer that is gone"}
    clips = list(open_run(run).clips(all_versions=True))
    assert len({clip.key for clip in clips}) == len(clips) == 2 * len(steps(run))
    for clip in clips:
        change = clip.step % 100 / 256 if clip.role == "prediction" else 0
        np.testing.assert_allclose(clip.audio.samples[:, 0], SOUND + change, rtol=0, atol=6e-8)


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often to kill."""
    number: Any = request.config.getoption("--kills")
    return int(number)
