"""`make bench`: measures everything, prints the table, writes RESULTS.md and README.md's part."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import machine, report, side_by_side, startup
from benchmarks.isolated import Isolated, NoResultError
from benchmarks.outcomes import Outcomes, Reading
from benchmarks.peers import PEERS

RESULTS = Path(__file__).with_name("RESULTS.md")
README = Path(__file__).parents[1] / "README.md"

_EPOCHS = 20
_STEPS = 50
_BOUND_MIB = 128


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of all peers in turn")
    parser.add_argument("--pairs", type=int, default=8, help="of blocks of the training loop")
    parser.add_argument("--million", action="store_true", help="read a run of 1,000,000 too")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[*PEERS], metavar="NAME")
    parser.add_argument("--out", type=Path, default=RESULTS, help="what to write")
    options = parser.parse_args()
    load = machine.busy()
    sizes = [1_000, 100_000, *([1_000_000] if options.million else [])]
    with tempfile.TemporaryDirectory(prefix="earmark-bench-") as folder:
        outcomes = measure(
            options.peers,
            Path(folder),
            rounds=options.rounds,
            pairs=options.pairs,
            sizes=sizes,
        )
    text = report.render(outcomes, load)
    options.out.write_text(text, encoding="utf-8")
    if options.out == RESULTS:
        page = README.read_text(encoding="utf-8")
        README.write_text(report.taken_over(page, text), encoding="utf-8")
    sys.stdout.write(text)


def measure(
    peers: Sequence[str],
    folder: Path,
    *,
    rounds: int,
    pairs: int,
    sizes: Sequence[int],
    epochs: int = _EPOCHS,
) -> Outcomes:
    """Measure all parts, one after the other: they share the machine's cores.

    Args:
        peers: Names in `PEERS`.
        folder: Where everything is written.
        rounds: Of all peers in turn.
        pairs: Of blocks of the training loop.
        sizes: Of the runs to read, in clips, the smallest first.
        epochs: Of what is compared on disk.
    """
    missing: dict[str, str] = {}
    measured = side_by_side.measure(peers, rounds, folder / "peers", _tell)
    present = [name for name in peers if not measured[name].failure]
    disk_bytes = side_by_side.measure_disk(present, epochs, folder / "disk", _tell)
    _tell("importing")
    trackers = [name for name in present if PEERS[name].is_tracker]
    often = dict.fromkeys(trackers, 3) | {"earmark": 11, "wav": 11}
    packages = {name: entry.imports for name, entry in PEERS.items()}
    often["earmark.Run"] = 11  # what is deferred until a script asks for it
    packages["earmark.Run"] = ("earmark.run", "earmark.store")
    imports = startup.measure(often, packages, folder)
    _tell("training")
    loop = _isolated("loop:measure", missing, folder / "loop", pairs, _STEPS)
    _tell("logging a burst")
    burst = _isolated("memory:measure", missing, folder / "memory", _BOUND_MIB, 4)
    readings = [_reading(size, folder, missing) for size in sizes]
    done = [reading for reading in readings if reading is not None]
    return Outcomes(measured, disk_bytes, epochs, imports, loop, burst, done, missing)


def _reading(clips: int, folder: Path, missing: dict[str, str]) -> Reading | None:
    _tell(f"reading {clips:,} clips")
    run = folder / f"{clips}"
    _isolated("synthetic:make", missing, run, clips)
    reading: Reading | None = _isolated("scale:measure", missing, run)
    requests = _isolated("remote:measure", missing, run)
    return reading and replace(reading, requests=requests)


def _isolated(function: str, missing: dict[str, str], folder: Path, *arguments: Any) -> Any:
    """Call a function of the benchmark in a process of its own; why there is no result is noted."""
    try:
        with Isolated(folder.with_name(f"{folder.name}-process"), timeout=900) as process:
            return process.run(f"benchmarks.{function}", folder, *arguments)
    except NoResultError as error:
        missing[function.partition(":")[0]] = str(error)
        return None


def _tell(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


if __name__ == "__main__":
    main()
