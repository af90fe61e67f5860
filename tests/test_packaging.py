"""What is shipped: the metadata, the wheel and the sdist, and what an import brings along."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from packaging.requirements import Requirement

import earmark

ROOT = Path(__file__).parents[1]
SOURCES = (ROOT / "core", ROOT / "integrations")
SINKS = {path.stem for path in SOURCES[1].glob("earmark_integrations/sinks/[!_]*.py")}


def _python(*args: str | Path) -> str:
    """Run this Python and give what it prints; a failure shows what it complained about."""
    command = [sys.executable, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- metadata


def _requirements(extra: str) -> list[Requirement]:
    """What one extra asks for, on any platform; the plain install for `""`."""
    found = []
    for line in metadata.requires("earmark") or []:
        need, _, marker = line.partition(";")
        if marker.partition("extra ==")[2].strip(" \"'") == extra:
            found.append(Requirement(need))
    return found


def _extras() -> set[str]:
    return set(metadata.metadata("earmark").get_all("Provides-Extra") or [])


def test_a_plain_install_brings_numpy_and_soundfile_only() -> None:
    """The base dependencies are numpy and soundfile, and nothing else."""
    assert sorted(need.name for need in _requirements("")) == ["numpy", "soundfile"]


def test_every_sink_has_an_extra_of_its_name() -> None:
    """`pip install 'earmark[NAME]'` exists for every built-in sink file."""
    assert SINKS
    assert {name.replace("_", "-") for name in SINKS} <= _extras()


def test_all_brings_every_extra_a_user_may_want() -> None:
    """The extra `all` asks for whatever the others do, this repository's own chores excepted."""
    chores = {"all", "demo", "dev", "recipes"}
    others = {str(need) for extra in _extras() - chores for need in _requirements(extra)}

    assert {str(need) for need in _requirements("all")} == others


def test_one_version() -> None:
    """The package and its metadata agree on the version."""
    assert metadata.version("earmark") == earmark.__version__


def test_the_command_is_there() -> None:
    """The script `earmark` leads to a function."""
    (script,) = metadata.entry_points(group="console_scripts", name="earmark")

    assert callable(script.load())


# --- the wheel and the sdist


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel made from that sdist."""
    folder = tmp_path_factory.mktemp("built")
    _python("-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel file."""
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_holds_both_packages_whole_and_nothing_else(wheel: Path) -> None:
    """The wheel has every file of both packages, typed markers included, and its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(folder).as_posix()
        for folder in SOURCES
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert shipped == sources
    assert {"earmark/py.typed", "earmark_integrations/py.typed"} <= shipped


def test_the_sdist_can_be_tested(built: Path) -> None:
    """The sdist has what is needed to build, test and read it, and no machine's leftovers."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        top = {name.split("/")[1] for name in sdist.getnames()}

    assert {"pyproject.toml", "README.md", "LICENSE", "core", "tests", "examples"} <= top
    assert not top & {".venv", ".git", "dist", "runs"}


# --- the wheel alone

LOG_ONE_CLIP = """
import sys
sys.path[:0] = sys.argv[1:3]
import numpy
import earmark
run = earmark.Run(sys.argv[3])
run.log({"prediction": numpy.load(sys.argv[4])}, step=1, sample_rate=16_000)
run.close()
"""


def _needs(name: str) -> set[str]:
    """Every distribution that `name` needs, directly or not, without any extra."""
    found: set[str] = set()
    queue = [name]
    while queue:
        for need in map(Requirement, metadata.requires(queue.pop()) or []):
            wanted = need.marker is None or need.marker.evaluate({"extra": ""})
            if wanted and need.name not in found:
                found.add(need.name)
                queue.append(need.name)
    return found


def _link(name: str, folder: Path) -> None:
    """Make one installed distribution importable from `folder`."""
    distribution = metadata.distribution(name)
    tops = {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}
    for top in tops:
        (folder / top).symlink_to(str(distribution.locate_file(top)))


def test_the_wheel_alone_logs_a_clip(wheel: Path, tmp_path: Path) -> None:
    """With the wheel and its declared needs, and nothing else, a logged clip decodes to itself."""
    packages, needs, run, given = (tmp_path / name for name in ("wheel", "needs", "run", "x.npy"))
    shutil.unpack_archive(wheel, packages, format="zip")
    needs.mkdir()
    for name in _needs("earmark"):
        _link(name, needs)
    samples = np.round(20_000 * np.sin(np.arange(16_000) * 0.05)).astype(np.float32) / 32768
    np.save(given, samples)

    _python("-I", "-S", "-W", "error", "-c", LOG_ONE_CLIP, packages, needs, run, given)

    (stored,) = (run / "takes").rglob("*.flac")
    decoded, sample_rate = soundfile.read(stored, dtype="float32")
    assert sample_rate == 16_000
    np.testing.assert_array_equal(decoded, samples)


# --- what an import brings along


def _imported_by(code: str) -> set[str]:
    """The top-level modules that `code` brings, beyond Python, numpy and soundfile."""
    listing = "\nimport sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    brought = set(_python("-c", code + listing).split())
    paid_anyway = set(_python("-c", "import numpy, soundfile" + listing).split())
    return brought - paid_anyway - sys.stdlib_module_names


def test_importing_earmark_imports_nothing_heavy() -> None:
    """All of earmark's names import no torch, fsspec, click, rich or tracker: only itself."""
    assert _imported_by("from earmark import *; Run; open_run; Audio") == {"earmark"}


def test_importing_earmark_waits_with_its_modules() -> None:
    """`import earmark` alone brings not even numpy: each name brings what it needs."""
    assert _python("-c", "import earmark, sys; print('numpy' in sys.modules)").split() == ["False"]
    code = "import earmark, sys; earmark.Audio; print('numpy' in sys.modules)"
    assert _python("-c", code).split() == ["True"]


def test_a_heavy_import_would_be_seen() -> None:
    """The check above can fail: an import within another is found."""
    assert _imported_by("import earmark, fsspec") >= {"earmark", "fsspec"}


NOT_IN_CORE = SINKS | {
    "earmark_integrations",
    "lightning",
    "pytorch_lightning",
    "torch",
    "torchaudio",
    "torchcodec",
}


def _import_statements(source: str) -> set[str]:
    """The top-level names imported anywhere in `source`, within functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_core_has_no_import_statement_for_what_it_must_not_know() -> None:
    """No file of core imports the integrations, torch, a framework or a tracker."""
    files = sorted(SOURCES[0].rglob("*.py"))
    found = {
        path.relative_to(ROOT).as_posix(): names & NOT_IN_CORE
        for path in files
        if (names := _import_statements(path.read_text(encoding="utf-8"))) & NOT_IN_CORE
    }

    assert files
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import torch.nn.functional as F",
        "from torch import nn",
        "def late():\n    from torch.nn import Module",
    ],
)
def test_a_forbidden_import_statement_would_be_seen(source: str) -> None:
    """The check above can fail: at the top, within a function, in either form."""
    assert _import_statements(source) == {"torch"}
