"""Fixtures for the examples: their modules, and a folder of recordings."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from tests.examples.scripts import EXAMPLES

RATE = 8_000


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Returns what imports a module from the examples' folder, as the scripts there do."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return import_module


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four tones of 0.6 to 0.9 s with transcripts: two in a table, two in text files.

    Every other one, `1-one` and `3-three`, is held out to validate with.
    """
    folder = tmp_path_factory.mktemp("recordings")
    for index, name in enumerate(["1-one", "2-two", "3-three", "4-four"]):
        time = np.arange(round((0.6 + 0.1 * index) * RATE)) / RATE
        tone = 0.25 * np.sin(2 * np.pi * (300 + 50 * index) * time)
        soundfile.write(folder / f"{name}.wav", tone, RATE, subtype="PCM_16")
    rows = [{"file_name": f"{name}.wav", "text": f"Say {name}."} for name in ("1-one", "2-two")]
    table = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(table, encoding="utf-8")
    for name in ("3-three", "4-four"):
        (folder / f"{name}.txt").write_text(f"Hear {name}.\n", encoding="utf-8")
    return folder
