from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from earmark import open_run
from earmark.upkeep.check import check_run
from earmark.upkeep.repair import repair_run
from tests.core.behind import LONG, run_script, steps

START = """
import atexit, os, sys
import numpy as np
import earmark, earmark.ending
from earmark.testing import MemorySink, noise
from tests.core.behind import Gate, GatedSink, GatedSound

gate, sink = Gate(), GatedSink()
earmark.ending._SECONDS = float(sys.argv[2])
run = earmark.Run(sys.argv[1], sinks=[sink] if "hung sink" in sys.argv else [])
if "gated" in sys.argv:
    atexit.register(gate.open)  # before what was registered earlier: all is pending until then
else:
    gate.open()
if "hung disk" not in sys.argv:
    run.log({"prediction": GatedSound(gate)}, step=0, example="utt")
else:
    run.log({"prediction": GatedSound(Gate())}, step=0, example="utt")
for step in range(1, 6):
    run.log({"prediction": noise(seed=step)}, step=step, example="utt", sample_rate=16_000)
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("raise RuntimeError('diverged')", 1),
        ("del run", 0),
        ("os.kill(os.getpid(), 2)", -2),
    ],
)
def test_a_script_that_ends_without_close_loses_nothing(
    tmp_path: Path, ending: str, code: int
) -> None:
    """However the interpreter comes to its end, what was logged is published first."""
    told = run_script(START + ending, tmp_path, LONG, "gated", check=False)

    assert told["code"] == code, told["stderr"]
    assert steps(tmp_path) == [0, 1, 2, 3, 4, 5]
    assert check_run(tmp_path) == []


def test_a_disk_that_hangs_does_not_hold_the_exit_for_long(tmp_path: Path) -> None:
    """The process ends within its bound, and says what is lost and what to do."""
    told = run_script(START, tmp_path, 0.05, "hung disk")

    assert (
        "clips that were not published 0.05 s after the end of the program are lost: call close(), "
        "which waits as long as it is told to"
    ) in told["stderr"]
    assert steps(tmp_path) == []


def test_a_sink_that_hangs_does_not_hold_the_exit(tmp_path: Path) -> None:
    """All is published, and the tracker left to itself."""
    told = run_script(START, tmp_path, LONG, "hung sink")

    assert "lost" not in told["stderr"]
    assert steps(tmp_path) == [0, 1, 2, 3, 4, 5]
    assert check_run(tmp_path) == []


def test_what_went_wrong_behind_is_told_at_the_exit_at_last(tmp_path: Path) -> None:
    """A script that never comes by again hears of its faults all the same."""
    script = """
class Failing(MemorySink):
    def write(self, take):
        raise ValueError("tracker is full")

sink = Failing()
with earmark.Run(sys.argv[1], sinks=[sink]):
    pass

def fail():
    raise RuntimeError("device lost")

run.log({"prediction": GatedSound(fail)}, step=7, example="utt")
"""
    told = run_script(START + script, tmp_path, LONG)

    assert "the prediction of example 'utt' at step 7 was not logged" in told["stderr"]
    assert "RuntimeError: device lost" in told["stderr"]


def test_what_is_logged_at_the_exit_itself_is_published(tmp_path: Path) -> None:
    """By a handler that runs before the run's own, as those of later imports do."""
    script = """
def last_words():
    run.log({"prediction": noise()}, step=9, example="utt", sample_rate=16_000)

atexit.register(last_words)
"""
    run_script(START + script, tmp_path, LONG)

    assert steps(tmp_path) == [0, 1, 2, 3, 4, 5, 9]


ENDLESS = """
import itertools, os, sys
import numpy as np
import earmark

end = int(sys.argv[2])
run = earmark.Run(sys.argv[1], max_pending_mib=1, max_wait_seconds=60)
for step in itertools.count():
    sounds = {"prediction": np.full(800, step % 100 / 128), "target": np.full(800, 0.5)}
    run.log(sounds, step=step, example="utt", sample_rate=8000)
    print(step, flush=True)
    if step == end:
        os._exit(7)
"""


def assert_sound(run: Path) -> None:
    """Nothing that was published is damaged or there twice, and leftovers can be swept."""
    found = [problem for problem in check_run(run) if not problem.file.startswith("index/")]
    assert {problem.what for problem in found} <= {"left over by a writer that is gone"}
    clips = list(open_run(run).clips())
    assert len({clip.key for clip in clips}) == len(clips)
    predictions = {clip.step: clip.audio.samples for clip in clips if clip.role == "prediction"}
    assert sorted(predictions) == steps(run) == list(range(len(predictions)))
    for step, samples in predictions.items():
        np.testing.assert_array_equal(samples, np.full((800, 1), step % 100 / 128))
    repair_run(run)
    assert check_run(run) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_signal_that_ends_it_damages_nothing(tmp_path: Path, seed: int) -> None:
    """At whatever moment SIGTERM comes, what was published is whole, and what was logged before."""
    moment = random.Random(seed)
    command = [sys.executable, "-c", ENDLESS, str(tmp_path), "-1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for _ in range(moment.randrange(1, 40)):
            process.stdout.readline()
        for _ in range(moment.randrange(100_000)):
            pass
        process.terminate()
        process.stdout.read()

    assert process.returncode == -signal.SIGTERM
    assert_sound(tmp_path)


def test_a_process_that_leaves_at_once_damages_nothing(tmp_path: Path) -> None:
    """`os._exit` runs no handlers: pending takes are lost, and published ones whole."""
    for end in (0, 5, 20):
        run = tmp_path / str(end)
        done = subprocess.run(
            [sys.executable, "-c", ENDLESS, run, str(end)], check=False, capture_output=True
        )
        assert done.returncode == 7
        assert len(steps(run)) <= end + 1
        assert_sound(run)
