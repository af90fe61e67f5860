"""A run's directory: made, recognised, its format judged, its writers listed.

run.json       name and format
README.md      how to read this run, for people and for `datasets`
writers/       one file for each opening of the run for writing
takes/         the sounds, published whole, then never changed
index/         a cache for readers, one file for each writer
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from earmark.disk import write_new
from earmark.errors import RunFormatError, RunNotFoundError
from earmark.names import FORMAT, INDEX, RUN_FILE, TAKES, WRITERS
from earmark.schema import METRIC, STORED
from earmark.tree import Place, Tree, open_tree

README = "README.md"
"""How to read the run, in its own directory."""

_LOOKED_INTO = 50  # folders, for a run to name instead: at a URL, each is a request

_README = """\
---
configs:
- config_name: default
  data_files:
  - split: train
    path:
    - takes/**/metadata.jsonl
    - takes/**/*.flac
    - takes/**/*.wav
    - takes/**/*.ogg
    - takes/**/*.mp3
  features:
{features}
---

# {name}

Validation clips of a model in training, kept by earmark, format {format}.

- `takes/<step>.<writer>.<n>/` holds the clips of one validation: plain FLAC and WAV files, which
  any player opens, and `metadata.jsonl`, one line a sound: example, role, step, epoch, caption.
- `takes/ref.<example>.<role>.<hash>/` holds an input or a target that stays the same, once;
  `links.jsonl` beside a take's clips says where.
- `index/` is a cache, and may be deleted; `faults/`, if there is one, says what could not be kept,
  and `sent/` what each tracker was given.

```python
import earmark

for clip in earmark.open_run("{name}").clips(role="prediction"):
    print(clip.example, clip.epoch, clip.caption, clip.audio.samples.shape)
```

```python
from datasets import load_dataset

sounds = load_dataset("{name}", split="train")   # every stored sound once
```
"""


def create_run(root: Path, name: str = "") -> None:
    """Make the directory of a run, or recognise the one that is there.

    Args:
        root: The directory.
        name: What to call the run; as its directory, if no name is given.

    Raises:
        RunFormatError: If the run is of a later major format, or the directory holds runs itself.
        OSError: If the directory cannot be written.
    """
    if (root / RUN_FILE).exists():
        read_run_file(root)
    else:
        _refuse_folder_of_runs(root)
    for folder in (TAKES, WRITERS, INDEX):
        (root / folder).mkdir(parents=True, exist_ok=True)
    name = name or root.resolve().name
    write_new(root / RUN_FILE, json.dumps({"name": name, "format": FORMAT}).encode())
    read_run_file(root)
    write_new(root / README, _readme(name).encode())


def _refuse_folder_of_runs(root: Path) -> None:
    inner = next(root.glob(f"*/{RUN_FILE}"), None)
    if inner is not None:
        raise RunFormatError(
            f"expected the directory of one run, got {str(root)!r}, which is a folder of runs: "
            f"name one in it, such as {str(inner.parent)!r} or a new one"
        )


def _readme(name: str) -> str:
    # `datasets` reads a column's type off one take, picked at random: the types are all said here.
    features = [f"  - {{name: {field}, dtype: {kind}}}" for field, kind in STORED.items()]
    features[0] = "  - {name: audio, dtype: audio}"  # what it makes of file_name
    metric = ", ".join(f"{{name: {field}, dtype: {kind}}}" for field, kind in METRIC.items())
    metrics = list(STORED).index("metrics")
    features[metrics] = f"  - {{name: metrics, list: [{metric}]}}"
    return _README.format(name=name, format=FORMAT, features="\n".join(features))


def read_run_file(place: Place) -> dict[str, Any]:
    """Read a run's name and format.

    Raises:
        RunNotFoundError: If there is no run.
        RunFormatError: If the run is of a later major format, or its file is broken.
        OSError: If it cannot be read.
    """
    tree = open_tree(place)
    try:
        data = tree.read(RUN_FILE)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise _no_run(tree) from None
    return judge_run(data, tree.place)


def judge_run(data: bytes, place: str) -> dict[str, Any]:
    """Parse what a run's file holds: its name and format.

    Args:
        data: The file's content.
        place: The run's directory or URL, for the message of an error.

    Raises:
        RunFormatError: If the run is of a later major format, or its file is broken.
    """
    try:
        run: dict[str, Any] = json.loads(data.decode())
        major = int(str(run["format"]).split(".")[0])
        run["name"] = str(run["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunFormatError(
            f"expected '{place}/{RUN_FILE}' to hold a run's name and format, got {error!r}: "
            "delete the file and open the run for writing, which makes it anew; its takes stay as "
            "they are"
        ) from error
    if major > int(FORMAT.split(".")[0]):
        raise RunFormatError(
            f"expected a run of format {FORMAT}, got {run['format']} at {place!r}: "
            "pip install --upgrade earmark"
        )
    return run


def _no_run(tree: Tree) -> RunNotFoundError:
    folders = sorted(name for name, is_folder in tree.entries().items() if is_folder)
    runs = [name for name in folders[:_LOOKED_INTO] if RUN_FILE in tree.entries(name)]
    hint = f"name one of the runs in it: {', '.join(runs[:8])}" if runs else "check the path"
    return RunNotFoundError(f"expected a run at {tree.place!r}, got no {RUN_FILE} there: {hint}")


def read_writers(place: Place) -> list[dict[str, Any]]:
    """List everyone who has opened a run for writing, the first to open it first."""
    tree = open_tree(place)
    writers: list[dict[str, Any]] = []
    for name in writer_ids(tree):
        try:
            writer = json.loads(tree.read(f"{WRITERS}/{name}.json").decode())
            writers.append(writer | {"id": name, "started_at": float(writer["started_at"])})
        except (OSError, ValueError, TypeError, KeyError):  # damaged: its takes stand by themselves
            writers.append({"id": name, "started_at": 0.0})
    return sorted(writers, key=lambda writer: (writer["started_at"], writer["id"]))


def writer_ids(tree: Tree) -> list[str]:
    """List everyone who has left a description of themselves, however damaged."""
    names = sorted(tree.entries(WRITERS))
    return [n.removesuffix(".json") for n in names if n.endswith(".json") and n[0] != "."]
