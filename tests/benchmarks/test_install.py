from __future__ import annotations

import re

from benchmarks.install import requirements
from benchmarks.peers import PEERS


def test_every_tracker_is_pinned() -> None:
    """Each peer that is a tracker comes at one version, from requirements.txt."""
    pinned = dict(line.split("==") for line in requirements())
    assert all(re.fullmatch(r"[0-9.]+", version) for version in pinned.values())
    trackers = {entry.package for entry in PEERS.values() if entry.is_tracker}
    assert trackers <= pinned.keys()
