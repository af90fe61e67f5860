from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from earmark import open_run
from earmark.upkeep.check import check_run
from tests.core.behind import LONG, run_script, steps

START = """
import itertools, json, os, signal, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
import earmark
from earmark.testing import MemorySink, noise
from tests.core.behind import Gate, GatedSound

noise()  # which imports numpy.random: nobody survives a fork in the middle of an import

def log(run, step, sound=None):
    sound = noise(seed=step) if sound is None else sound
    run.log({"prediction": sound}, step=step, example="utt", sample_rate=16_000)
"""


def writers(run: Path) -> dict[str, list[int]]:
    """The steps that each writer has published."""
    found: dict[str, list[int]] = {}
    for take in open_run(run).takes():
        found.setdefault(take.path.name.split(".")[1], []).append(take.step)
    return found


def assert_sound(run: Path) -> None:
    """Nothing is damaged, and each step holds its own samples."""
    assert check_run(run) == []
    for clip in open_run(run).clips():
        np.testing.assert_array_equal(clip.audio.samples, noise(clip.step))


def noise(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """What the scripts log at a step."""
    from earmark.testing import noise as signal_of

    return signal_of(seed=seed)


PENDING = """
class Here(MemorySink):
    on_callers_thread = True

gate, sink, here = Gate(), MemorySink(), Here()
run = earmark.Run(sys.argv[1], sinks=[sink, here], strict=True)
log(run, 0)
while not os.path.exists(f"{sys.argv[1]}/index") or not any(os.scandir(f"{sys.argv[1]}/takes")):
    pass
log(run, 1, GatedSound(gate, noise(seed=1)))
log(run, 2)
gate.wait_until_reached()
seen = len(here.takes)
child = os.fork()
if child == 0:
    signal.alarm(30)
    for step in (100, 101):
        log(run, step)
    if "closes" in sys.argv:
        run.close()
        os._exit(0 if (sink.closed, here.closed, len(here.takes)) == (False, False, seen) else 1)
    sys.exit(0)
code = os.waitpid(child, 0)[1]
gate.open()
log(run, 3)
run.close()
passed_on = [[take.step for take in each.takes] for each in (sink, here)]
print(json.dumps({"code_of_child": code, "passed_on": passed_on}))
"""


def test_a_fork_while_takes_are_pending_loses_none(tmp_path: Path) -> None:
    """The parent publishes what it logged, the child what it did, each as a writer of its own."""
    told = run_script(START + PENDING, tmp_path, "closes")

    assert told["code_of_child"] == 0
    assert sorted(writers(tmp_path).values()) == [[0, 1, 2, 3], [100, 101]]
    assert told["passed_on"] == [[0, 1, 2, 3]] * 2  # the tracker is the parent's
    assert_sound(tmp_path)


def test_a_child_that_ends_without_close_loses_nothing(tmp_path: Path) -> None:
    """What it logged is published as it ends, and nothing of its parent's a second time."""
    told = run_script(START + PENDING, tmp_path, "leaves")

    assert told["code_of_child"] == 0
    assert sorted(writers(tmp_path).values()) == [[0, 1, 2, 3], [100, 101]]
    assert_sound(tmp_path)


BUSY = """
run = earmark.Run(sys.argv[1], strict=True, max_pending_mib=0.05, max_wait_seconds=60)
ended, counts = threading.Event(), []

def work(first):
    for step in itertools.count(first, 2):
        if ended.is_set() and step > first + 6:
            counts.append(step)
            return
        log(run, step)

threads = [threading.Thread(target=work, args=(first,)) for first in range(2)]
for thread in threads:
    thread.start()
codes = []
for number in range(1, 9):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        for step in range(3):
            log(run, 100_000 * number + step)
        run.close()
        os._exit(0)
    codes.append(os.waitpid(child, 0)[1])
ended.set()
for thread in threads:
    thread.join()
run.close()
logged = [step for count in counts for step in range(count % 2, count, 2)]
print(json.dumps({"codes": codes, "logged": sorted(logged)}))
"""


def test_forks_beside_threads_that_log_do_not_hang(tmp_path: Path) -> None:
    """Whatever the other threads were at in that moment, parent and children lose nothing."""
    told = run_script(START + BUSY, tmp_path)
    of_children = [100_000 * number + step for number in range(1, 9) for step in range(3)]

    assert told["codes"] == [0] * 8
    assert steps(tmp_path) == sorted(told["logged"] + of_children)
    assert len(writers(tmp_path)) == 9
    assert_sound(tmp_path)


FAULTY = """
run = earmark.Run(sys.argv[1])
log(run, 0)
run.flush()
child = os.fork()
if child == 0:
    signal.alarm(30)
    warnings.simplefilter("ignore")
    log(run, 1, "no such file.wav")
    run.close()
    os._exit(0)
code = os.waitpid(child, 0)[1]
run.close()
print(json.dumps({"code_of_child": code}))
"""


def test_a_childs_faults_are_noted_as_its_own(tmp_path: Path) -> None:
    """Every file of a run belongs to one writer."""
    told = run_script(START + FAULTY, tmp_path)

    assert told["code_of_child"] == 0
    (noted,) = (tmp_path / "faults").iterdir()
    assert noted.stem not in writers(tmp_path)
    assert (tmp_path / "writers" / f"{noted.stem}.json").exists()


SPAWNED = """
import multiprocessing, os, sys
import earmark
from earmark.testing import noise

def work(path, number):
    with earmark.Run(path) as run:
        for step in range(10 * number, 10 * number + 3):
            run.log({"prediction": noise(seed=step)}, step=step, example="utt", sample_rate=16_000)

if __name__ == "__main__":
    with earmark.Run(sys.argv[1]) as run:
        run.log({"prediction": noise(seed=0)}, step=0, example="utt", sample_rate=16_000)
        spawn = multiprocessing.get_context("spawn")
        children = [spawn.Process(target=work, args=(sys.argv[1], n)) for n in (1, 2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
    sys.exit(max(child.exitcode for child in children))
"""


def test_spawned_processes_open_the_run_themselves(tmp_path: Path) -> None:
    """Each of them is a writer of its own, beside its parent."""
    script = tmp_path / "script.py"
    script.write_text(SPAWNED, encoding="utf-8")
    run_script(
        "import runpy, sys; runpy.run_path(sys.argv[2], run_name='__main__')",
        tmp_path / "run",
        script,
    )

    assert sorted(writers(tmp_path / "run").values()) == [[0], [10, 11, 12], [20, 21, 22]]
    assert_sound(tmp_path / "run")


MULTIPROCESSING = """
import multiprocessing, sys
import earmark
from earmark.testing import noise

run = earmark.Run(sys.argv[2])

def log(run, step):
    run.log({"prediction": noise(seed=step)}, step=step, example="utt", sample_rate=16_000)

def inherits(path):
    for step in range(10, 30):
        log(run, step)

def opens(path):
    of_its_own = earmark.Run(path)
    for step in range(30, 50):
        log(of_its_own, step)

if __name__ == "__main__":
    log(run, 0)
    context = multiprocessing.get_context(sys.argv[1])
    for work in (inherits, opens):
        child = context.Process(target=work, args=(sys.argv[2],))
        child.start()
        child.join()
        if child.exitcode:
            sys.exit(child.exitcode)
"""


@pytest.mark.parametrize("how", ["fork", "forkserver", "spawn"])
def test_a_child_of_multiprocessing_loses_nothing(tmp_path: Path, how: str) -> None:
    """Without close, on a run it inherits or opens, though such a child ends without `atexit`."""
    script = tmp_path / "script.py"
    script.write_text(MULTIPROCESSING, encoding="utf-8")
    subprocess.run([sys.executable, script, how, tmp_path / "run"], check=True, timeout=LONG)
    found = sorted(writers(tmp_path / "run").values())

    assert [0] in found
    assert sorted(step for each in found for step in each) == [0, *range(10, 50)]
    assert_sound(tmp_path / "run")


LOADER = """
import torch

class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        if "logs" in sys.argv:
            log(run, 100 + index)
            run.flush()
        return torch.from_numpy(noise(seed=index).T.copy())

run = earmark.Run(sys.argv[1], strict=True)
log(run, 50)
loader = torch.utils.data.DataLoader(
    Data(), batch_size=2, num_workers=2, multiprocessing_context="fork", timeout=30
)
for number, batch in enumerate(loader):
    log(run, 2 * number, batch[0])
    batch.zero_()
run.close()
"""


def test_a_loader_with_workers_beside_a_run(tmp_path: Path) -> None:
    """Workers that are forked while takes are pending, and log, neither hang nor lose anything."""
    run_script(START + LOADER, tmp_path, "logs")
    found = writers(tmp_path)

    assert steps(tmp_path) == [0, 2, 4, 6, 50, *range(100, 108)]
    assert len(found) == 3
    assert sorted(map(len, found.values())) == [4, 4, 5]
    assert_sound(tmp_path)
