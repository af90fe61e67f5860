"""What all tests share: hypothesis tries the same examples on every machine, however slow it is."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests that kill processes at random moments do it more often."""
    parser.addoption("--kills", type=int, default=20, help="kills in tests/core/test_kill.py")
