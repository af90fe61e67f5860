from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark import Audio, Clip
from earmark.codec import Header
from earmark.names import TakeName
from earmark.samples import Samples
from earmark.store import open_run
from earmark.testing import noise, sine
from earmark.writer import Writer
from tests.core.clips import clip, folders, publish
from tests.core.faults import files_of_at_most


def assert_whole(run: Path) -> None:
    """Every sound that has a record is the one that was recorded, and decodes to its end."""
    for metadata in (run / "takes").glob("[!.]*/metadata.jsonl"):
        for line in metadata.read_text(encoding="utf-8").split("\n")[:-1]:
            record = json.loads(line)
            file = metadata.with_name(record["file_name"])
            assert hashlib.sha256(file.read_bytes()).hexdigest() == record["sha256"]
            assert len(soundfile.read(file)[0]) == record["num_frames"]


def big_clips(seed: int = 0) -> list[Clip]:
    """Clips of about 5 kB each, in every kind of file."""
    return [
        clip(noise(seed=seed, seconds=0.15), "prediction"),
        clip(sine(peak=0.5 + seed / 100), "stem"),
        clip(sine(peak=1.5 + seed / 100), "other"),
        clip(noise(seed=seed), "target"),
    ]


def test_a_full_disk_never_publishes_half_a_sound(tmp_path: Path) -> None:
    """Wherever the disk stops taking bytes, a take is published whole or not at all."""
    whole = publish(Writer(tmp_path / "whole"), 7, big_clips())
    largest = max(file.stat().st_size for file in whole.path.parent.rglob("*.*"))
    published = 0
    for limit in [*range(0, largest, 401), largest]:
        run = tmp_path / f"run-{limit}"
        writer = Writer(run)
        with files_of_at_most(limit):
            try:
                writer.publish(7, big_clips())
            except OSError:
                assert not [name for name in folders(run) if not name.startswith("ref.")]
            else:
                published += 1
        assert_whole(run)
    assert published == 1


def test_after_a_fault_later_takes_are_published(tmp_path: Path) -> None:
    """A take that the disk refused leaves nothing over, and the next one is published."""
    writer = Writer(tmp_path)
    writer.publish(1, big_clips(1))
    with files_of_at_most(100), pytest.raises(OSError, match="too large"):
        writer.publish(2, big_clips(2))
    writer.publish(3, big_clips(3))

    assert [take.step for take in open_run(tmp_path).takes()] == [1, 3]
    assert not [name for name in folders(tmp_path) if name.startswith(".tmp-")]


def test_a_lost_index_line_loses_no_take(tmp_path: Path) -> None:
    """When only the index cannot be written, the take is published all the same."""
    writer = Writer(tmp_path)
    shutil.rmtree(tmp_path / "index")
    writer.publish(1, [clip(noise(), step=1)])

    assert [take.step for take in open_run(tmp_path).takes()] == [1]


class Interrupted:
    """An origin at which the user presses Ctrl-C."""

    header = Header(16_000, 1600, 1, "ARRAY", "FLOAT")

    def read(self) -> Samples:
        """Be interrupted."""
        raise KeyboardInterrupt


def test_an_interrupted_take_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a take is passed on; no name is used twice afterwards."""
    writer = Writer(tmp_path)
    interrupted = clip(Audio.from_origin(Interrupted(), 16_000, None), "other")
    with pytest.raises(KeyboardInterrupt):
        writer.publish(7, [clip(noise()), interrupted])
    assert folders(tmp_path) == []

    names = [publish(writer, 7, [clip(noise())]).name for _ in range(2)]
    assert len(set(names)) == 2
    assert [take.name for take in open_run(tmp_path).takes()] == names


# --- processes that die, and processes side by side

DIE_AT_EVERY_STEP = """
import itertools, os, signal, sys
from pathlib import Path
from earmark import Audio, Clip, open_run
from earmark.testing import noise, sine
from earmark.writer import Writer

def publish(run, step):
    sounds = {"prediction": sine(frequency=300 + step), "target": noise()}
    clips = [Clip(Audio(sound, 16_000), "val", "utt", role, step) for role, sound in sounds.items()]
    Writer(run).publish(step, clips)

def die_after(count):
    counter = itertools.count()
    def hook(event, args):
        if (event == "open" or event.startswith("os.")) and next(counter) == count:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

def heard(run):
    for clip in open_run(run).clips():
        expected = noise() if clip.role == "target" else sine(frequency=300 + clip.step)
        assert abs(clip.audio.samples - expected).max() <= 6e-8
        yield clip.step, clip.role

for count in itertools.count():
    run = Path(sys.argv[1]) / str(count)
    child = os.fork()
    if child == 0:
        die_after(count)
        publish(run, 1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    before = list(heard(run)) if (run / "run.json").exists() else []
    assert before in ([], [(1, "prediction"), (1, "target")]), before
    publish(run, 2)
    assert list(heard(run)) == [*before, (2, "prediction"), (2, "target")]
    if status == 0:
        break
assert before, "the last one lived"
print(count)
"""


def test_a_process_may_be_killed_at_every_step(tmp_path: Path) -> None:
    """SIGKILL before each file that is opened, made, renamed: a take is there whole, or not at all.

    From the making of the directory on, and whatever is left over: the next writer goes on.
    """
    command = [sys.executable, "-c", DIE_AT_EVERY_STEP, str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30


PUBLISH_FOREVER = """
import itertools, sys
from pathlib import Path
from earmark import Audio, Clip
from earmark.testing import noise, sine
from earmark.writer import Writer

writer = Writer(Path(sys.argv[1]))
for step in itertools.count():
    sounds = {"prediction": sine(0.4, frequency=300 + step), "stem": sine(peak=1.5),
              "target": noise(0.2), "input": noise(0.2, seed=step % 7)}
    clips = [Clip(Audio(sound, 16_000), "val", "utt", role, step) for role, sound in sounds.items()]
    print(writer.publish(step, clips).name, flush=True)
"""


def killed_while_publishing(run: Path, seconds: float) -> list[TakeName]:
    """Publish in another process, kill it so long after its first take, say what was published."""
    command = [sys.executable, "-c", PUBLISH_FOREVER, str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=seconds)
        process.kill()
        printed += process.communicate()[0]
    names = [
        TakeName.parse(line.strip()) for line in printed.splitlines(keepends=True) if "\n" in line
    ]
    return [name for name in names if name is not None]


def test_a_process_that_is_killed_loses_nothing_published(tmp_path: Path) -> None:
    """After SIGKILL at any moment every published take is there, whole, and once; work goes on."""
    moments = random.Random(0)
    published: list[TakeName] = []
    for _ in range(3):
        published += killed_while_publishing(tmp_path, moments.uniform(0.0, 0.15))
        takes = list(open_run(tmp_path).takes())

        names = [take.name for take in takes]
        assert set(published) <= set(names)
        assert len(names) == len(set(names))
        for take in takes:
            assert [each.role for each in take.clips] == ["input", "prediction", "stem", "target"]
        assert_whole(tmp_path)
    assert len(publish(Writer(tmp_path), 7, big_clips()).clips) == 4


PUBLISH_TOGETHER = """
import sys
from pathlib import Path
from earmark import Audio, Clip
from earmark.testing import noise, sine
from earmark.writer import Writer

writer = Writer(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for step in range(12):
    sounds = {"prediction": sine(frequency=300 + step), "target": noise(0.5, seed=step)}
    clips = [Clip(Audio(sound, 16_000), "val", "utt", role, step) for role, sound in sounds.items()]
    writer.publish(step, clips)
"""


def test_two_processes_write_one_run(tmp_path: Path) -> None:
    """Side by side, without locks, two writers lose nothing, and store what they share once."""
    command = [sys.executable, "-c", PUBLISH_TOGETHER, str(tmp_path)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
        assert process.returncode == 0

    run = open_run(tmp_path)
    assert len(list(run.takes())) == 24
    assert len(list(run.clips(role="prediction", all_versions=True))) == 24
    targets = [soundfile.read(path)[0] for path in (tmp_path / "takes").glob("ref.*/*.flac")]
    assert len(targets) == 12
    for each in run.clips(role="target", all_versions=True):
        np.testing.assert_array_equal(each.audio.samples, noise(0.5, seed=each.step))
    assert not [name for name in folders(tmp_path) if name.startswith(".tmp-")]
