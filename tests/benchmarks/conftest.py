"""What the benchmark's tests share: a case that takes no time."""

from __future__ import annotations

import pytest
from benchmarks.clips import Case


@pytest.fixture
def tiny() -> Case:
    """Two stereo clips of 0.2 s."""
    return Case("tiny", "2 stereo clips of 0.2 s at 8 kHz", 2, 0.2, 8_000, channels=2)
