"""Makes the environment of `make bench`: the peers, on top of the packages of another one.

What the peers ask for cannot move the versions that the tests run with, and PyTorch is there once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def main() -> None:
    """Installs all peers, or where they cannot be had together, those that can be had."""
    parser = argparse.ArgumentParser(description="Makes the environment of the benchmark.")
    parser.add_argument("folder", type=Path, help="where to make it")
    folder = parser.parse_args().folder
    python = make(folder)
    if install(python, "--requirement", str(REQUIREMENTS)):
        return
    for line in requirements():
        if not install(python, line):
            sys.stderr.write(f"{line} cannot be installed here: it will be left out\n")


def make(folder: Path) -> Path:
    """Makes an environment that sees the packages of this one; returns its Python."""
    venv.create(folder, clear=True)  # its pip is that of this one
    below = sysconfig.get_path("purelib")
    paths = {"base": str(folder), "platbase": str(folder)}
    own = Path(sysconfig.get_path("purelib", scheme="venv", vars=paths))
    # A line that starts with `import` is run: so the editable packages of this one are seen too.
    (own / "below.pth").write_text(f"import site; site.addsitedir({below!r})\n", encoding="utf-8")
    return Path(sysconfig.get_path("scripts", scheme="venv", vars=paths)) / "python"


def requirements() -> list[str]:
    """Lists the peers' packages with their versions."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    stated = (line.partition("#")[0].strip() for line in lines)
    return [line for line in stated if line]


def install(python: Path, *what: str) -> bool:
    """Installs packages; returns whether that was possible."""
    command = [str(python), "-m", "pip", "install", "--quiet", *what]
    # The packages are those that requirements.txt names.
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603


if __name__ == "__main__":
    main()
