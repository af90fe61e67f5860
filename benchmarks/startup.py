"""What importing costs: each time in a new Python process, the import alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_TIMED = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def measure(
    rounds: Mapping[str, int], packages: Mapping[str, tuple[str, ...]], folder: Path
) -> dict[str, list[float]]:
    """Import packages, in turn.

    Args:
        rounds: How often, by name.
        packages: What to import, by name.
        folder: Where to be meanwhile.

    Returns:
        The seconds that each import took, by name; none for what cannot be imported.
    """
    seconds: dict[str, list[float]] = {name: [] for name in rounds}
    for number in range(max(rounds.values())):
        for name, count in rounds.items():
            if number < count and len(seconds[name]) == number:
                seconds[name] += _import(packages[name], folder)
    return seconds


def _import(packages: tuple[str, ...], folder: Path) -> list[float]:
    command = [sys.executable, "-c", _TIMED.format(", ".join(packages))]
    # Compiled once, as it is for every user: an installed package comes so, a checkout does not.
    cached = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    # The packages are those that the peers name.
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=cached, capture_output=True, text=True, check=False
    )
    return [] if done.returncode else [float(done.stdout.split()[-1])]
