"""The command line: what it prints, to people and to scripts, and how it ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import earmark
from earmark.cli import cli

TONE = 0.5 * np.sin(np.arange(800) * 0.3)
CLIPS = "step\tepoch\ttag\texample\trole\tseconds\tpeak dBFS\tRMS dBFS\tcaption\tfile"
RUNS = "run\ttakes\tclips\tfirst step\tlast step\tlast epoch"
CAPTION = "the quick brown fox jumps over the lazy dog, again and again and again, | epoch 1"
URL = "https://example.com/noisy.wav"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of two epochs: predictions, a target that stays the same, an input elsewhere."""
    path = tmp_path / "runs" / "vocoder"
    with earmark.Run(path, strict=True) as run:
        run.log(
            {"prediction": TONE / 2, "target": TONE, "input": URL},
            step=0,
            epoch=0,
            tag="val",
            sample_rate={"prediction": 8000, "target": 8000},
            example="utt-1",
        )
        run.log(
            {"prediction": np.zeros(400), "target": TONE},
            step=10,
            epoch=1,
            tag="val",
            sample_rate=8000,
            example="utt-1",
            caption=CAPTION,
        )
    return path


def earmark_command(*args: object) -> Result:
    """Run the command within this process."""
    return CliRunner().invoke(cli, [str(arg) for arg in args], catch_exceptions=False)


def files(run: Path, **filters: Any) -> list[str]:
    """The paths of the clips, as the library gives them."""
    return [str(clip.audio.path) for clip in earmark.open_run(run).clips(**filters)]


# --- ls


def test_ls_lists_clips(run: Path) -> None:
    """A pipe gets a line a clip, with its place, its length and level, its caption and its file."""
    first, second = files(run, role="prediction")
    (target, _) = files(run, role="target")
    note = "[silent]"

    result = earmark_command("ls", run)

    assert result.exit_code == 0
    assert result.output.splitlines() == [
        CLIPS,
        f"0\t0\tval\tutt-1\tinput\t\t\t\t\t{URL}",
        f"0\t0\tval\tutt-1\tprediction\t0.100\t-12.0\t-15.1\t\t{first}",
        f"0\t0\tval\tutt-1\ttarget\t0.100\t-6.0\t-9.0\t\t{target}",
        f"10\t1\tval\tutt-1\tprediction\t0.050\t-inf\t-inf\t{CAPTION} {note}\t{second}",
        f"10\t1\tval\tutt-1\ttarget\t0.100\t-6.0\t-9.0\t{CAPTION}\t{target}",
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--role", "input"], [("0", "input")]),
        (["--epoch", "0", "--role", "target"], [("0", "target")]),
        (["--step", "10"], [("10", "prediction"), ("10", "target")]),
        (["--example", "utt-2"], []),
        (["--tag", "val", "--role", "prediction"], [("0", "prediction"), ("10", "prediction")]),
    ],
)
def test_ls_filters(run: Path, options: list[str], expected: list[tuple[str, str]]) -> None:
    """Each option leaves the clips that match it."""
    header, *rows = earmark_command("ls", run, *options).output.splitlines()

    assert header == CLIPS
    assert [(row.split("\t")[0], row.split("\t")[4]) for row in rows] == expected


def test_ls_paths(run: Path) -> None:
    """For players and scripts there are paths only, each file once."""
    predictions = files(run, role="prediction")
    (target, _) = files(run, role="target")

    result = earmark_command("ls", run, "--paths")
    assert result.output.splitlines() == [URL, predictions[0], target, predictions[1]]

    result = earmark_command("ls", run, "--paths", "--role", "prediction", "--epoch", 1)
    assert result.output == f"{predictions[1]}\n"


def test_ls_all_versions(run: Path) -> None:
    """A step that was logged again is shown once, and twice on request."""
    with pytest.warns(earmark.EarmarkWarning, match="logged before"), earmark.Run(run) as resumed:
        resumed.log({"prediction": TONE}, step=10, tag="val", example="utt-1", sample_rate=8000)
    command = ("ls", run, "--role", "prediction", "--step", 10)

    assert len(earmark_command(*command).output.splitlines()) == 2
    assert len(earmark_command(*command, "--all-versions").output.splitlines()) == 3


def test_ls_lists_runs(run: Path) -> None:
    """A folder of runs is listed a line a run; runs without epochs, or empty, have gaps."""
    with earmark.Run(run.parent / "asr" / "1") as other:
        other.log({"prediction": TONE}, step=7, sample_rate=8000)
    earmark.Run(run.parent / "asr" / "2").close()

    assert earmark_command("ls", run.parent).output.splitlines() == [
        RUNS,
        f"{run.parent}/asr/1\t1\t1\t7\t7\t",
        f"{run.parent}/asr/2\t0\t0\t\t\t",
        f"{run}\t2\t5\t0\t10\t1",
    ]


def test_ls_passes_over_what_is_no_run(run: Path) -> None:
    """Another program's run.json makes no run, and folders within runs are not searched."""
    (run.parent / "run.json").write_text("{}")
    (run / "derived" / "takes").mkdir(parents=True)
    (run / "derived" / "run.json").write_text("{}")

    assert earmark_command("ls", run.parent).output.splitlines() == [
        RUNS,
        f"{run}\t2\t5\t0\t10\t1",
    ]


def test_ls_paths_of_all_runs(run: Path) -> None:
    """Filters and --paths reach into every run of a folder."""
    with earmark.Run(run.parent / "asr") as other:
        other.log({"prediction": TONE}, epoch=1, sample_rate=8000)

    result = earmark_command("ls", run.parent, "--role", "prediction", "--epoch", 1, "--paths")

    assert result.output.splitlines() == [
        *files(run.parent / "asr"),
        *files(run, role="prediction", epoch=1),
    ]


def test_ls_of_here(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path, the run or the runs in the working directory are listed."""
    monkeypatch.chdir(run)
    (first, *_) = earmark_command("ls", "--paths", "--role", "prediction").output.splitlines()

    assert first.startswith("takes")
    assert Path(first).is_file()


def test_ls_keeps_a_clip_on_its_line(tmp_path: Path) -> None:
    """No caption breaks a line, adds a column, or commands the terminal."""
    with earmark.Run(tmp_path / "run") as run:
        caption = "a\tb\nc\x1b[2Jd\u2028e [bold]f"
        run.log({"prediction": TONE}, step=0, sample_rate=8000, caption=caption)

    _, row = earmark_command("ls", tmp_path / "run").output.split("\n")[:-1]

    assert row.split("\t")[8] == "a b c [2Jd e [bold]f"


def on_a_terminal(*arguments: object) -> str:
    """What the command shows on a terminal of 80 columns."""
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals on Windows")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "earmark", *map(str, arguments)]
    with subprocess.Popen(command, stdout=theirs, env={**os.environ, "COLUMNS": "80"}) as process:
        os.close(theirs)
        shown = b""
        with os.fdopen(ours, "rb") as terminal, contextlib.suppress(OSError):  # EIO is its end
            while part := terminal.read1():
                shown += part
    assert process.returncode == 0
    return shown.decode().replace("\r\n", "\n")


def test_ls_on_a_terminal(run: Path) -> None:
    """A terminal gets aligned columns, long captions folded, and every path in one piece."""
    shown = on_a_terminal("ls", run, "--role", "prediction")

    first, second = files(run, role="prediction")
    folded = (
        "the quick brown fox jumps over the lazy",
        "dog, again and again and again, | epoch",
        "1 [silent]",
    )
    assert shown.splitlines() == [
        "                                                 peak    RMS",
        f"step  epoch  tag  example  role        seconds   dBFS   dBFS  {'caption':<40}  file",
        f"   0      0  val  utt-1    prediction    0.100  -12.0  -15.1  {'':<40}  {first}",
        f"  10      1  val  utt-1    prediction    0.050   -inf   -inf  {folded[0]:<40}  {second}",
        f"{'':<62}{folded[1]}",
        f"{'':<62}{folded[2]}",
    ]


def test_ls_shows_the_first_rows_of_a_long_table_at_once(tmp_path: Path) -> None:
    """A long table comes in parts, whose columns stay where they were."""
    with earmark.Run(tmp_path / "run", strict=True) as run:
        for step in range(2):
            tones = np.tile(TONE, (150, 1))
            run.log_batch({"prediction": tones}, step=step, sample_rate=8000)
    shown = on_a_terminal("ls", tmp_path / "run")

    rows = [line for line in shown.splitlines() if line.endswith(".flac")]
    assert len(rows) == 300
    assert len({line.index("prediction") for line in rows}) == 1
    assert shown.count("example") == 1


# --- check


def test_check_of_a_sound_run(run: Path) -> None:
    """A run that is as it was published gets one line, and the exit status 0."""
    result = earmark_command("check", run)

    assert result.output == f"{run}: nothing is wrong with 2 takes, 5 clips, 3 sound files\n"
    assert result.exit_code == 0


def test_check_of_a_damaged_run(run: Path) -> None:
    """Every problem gets a line; the exit status is 1, and nothing is changed."""
    for sound in files(run, role="prediction"):
        Path(sound).write_bytes(b"")
    first, second = (Path(sound) for sound in files(run, role="prediction"))

    result = earmark_command("check", run)

    lines = result.output.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"takes/{first.parent.name}/{first.name}: expected ")
    assert lines[1].startswith(f"takes/{second.parent.name}/{second.name}: expected ")
    assert result.exit_code == 1


def test_check_repairs(run: Path) -> None:
    """With --repair it says what was done, then what is still wrong."""
    (run / "README.md").unlink()
    assert earmark_command("check", run).exit_code == 1

    result = earmark_command("check", run, "--repair")

    assert result.output.splitlines() == [
        "made README.md anew",
        f"{run}: nothing is wrong with 2 takes, 5 clips, 3 sound files",
    ]
    assert result.exit_code == 0


# --- errors


@pytest.mark.parametrize("command", ["ls", "check"])
def test_no_run(tmp_path: Path, command: str) -> None:
    """An error of ours is one line with the way out, and the exit status 1."""
    result = earmark_command(command, tmp_path / "nothing")

    path = str(tmp_path / "nothing")
    assert (
        result.output
        == f"Error: expected a run at {path!r}, got no run.json there: check the path\n"
    )
    assert result.exit_code == 1


def test_check_of_a_folder_of_runs(run: Path) -> None:
    """Only one run is checked at a time, and the error names those there are."""
    result = earmark_command("check", run.parent)

    assert result.output.endswith("got no run.json there: name one of the runs in it: vocoder\n")
    assert result.exit_code == 1


def test_version() -> None:
    """`earmark --version` says the version."""
    assert earmark_command("--version").output == f"earmark {earmark.__version__}\n"


# --- as a program


def test_python_m_earmark(run: Path) -> None:
    """`python -m earmark` is the command."""
    done = subprocess.run(
        [sys.executable, "-m", "earmark", "ls", run, "--paths", "--role", "target"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == (f"{files(run, role='target')[0]}\n", "")


WITHOUT = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from earmark.__main__ import main
main()
"""


def without(module: str) -> subprocess.CompletedProcess[str]:
    """Start the command where a module is not installed."""
    command = [sys.executable, "-c", WITHOUT, module]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("package", ["click", "rich"])
def test_what_the_command_needs(package: str) -> None:
    """Where click or rich is missing, one line says how to install it."""
    done = without(package)

    message = f"the earmark command needs {package}: pip install 'earmark[listen]'\n"
    assert (done.stdout, done.stderr, done.returncode) == ("", message, 1)


def test_other_missing_modules_are_not_blamed_on_the_extra() -> None:
    """What the extra would not bring is not said to be missing from it."""
    done = without("unicodedata")

    assert done.stderr.endswith("ModuleNotFoundError: No module named 'unicodedata'\n")
    assert "pip install" not in done.stderr
