"""What every sink must do: a new file in `sinks/` is tested here before it has tests of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from earmark.errors import ArgumentError, MissingDependencyError
from earmark.sink import open_sink, sink_names
from earmark.testing import check_sink

# What a sink is opened on: the name of a fixture. Sinks that find what is active need none.
TARGETS = {"tensorboard": "writer", "wandb": "wandb_run"}

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"

# Core is imported, with what it needs; from then on, nothing else is installed.
ALONE = """
import sys

from earmark.errors import MissingDependencyError
from earmark.sink import open_sink

class NothingElse:
    allowed = {*sys.stdlib_module_names, "earmark_integrations", *sys.modules}

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in cls.allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NothingElse)
try:
    open_sink(sys.argv[1])
except MissingDependencyError as error:
    print(error)
"""


@pytest.fixture(params=sink_names())
def name(request: pytest.FixtureRequest) -> str:
    """Each sink there is, if its package is installed."""
    sink: str = request.param
    try:
        open_sink(sink)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    except ArgumentError:
        pass  # nothing is active, and nothing was given to be opened on
    return sink


def test_takes_what_runs_hold(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Every kind of take is written, from another thread, without an error or a warning."""
    target = request.getfixturevalue(TARGETS[name]) if name in TARGETS else None
    assert check_sink(open_sink(name, target), tmp_path / "run")


@pytest.mark.parametrize("name", sink_names())
def test_says_what_to_install(name: str) -> None:
    """Where nothing but core is installed, the error holds the line that helps."""
    command = [sys.executable, "-c", ALONE, name]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(rf"the '{name}' sink needs \w+: pip install 'earmark\[{name}\]'\n", shown)


@pytest.mark.parametrize("name", sink_names())
def test_has_an_extra(name: str) -> None:
    """The line that the error holds installs something."""
    assert re.search(rf'^{name} = \[".+"\]', PYPROJECT.read_text(encoding="utf-8"), re.MULTILINE)
