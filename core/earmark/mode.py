"""The one switch outside the code: `EARMARK_MODE=disabled` switches everything off."""

from __future__ import annotations

import os

from earmark.errors import ArgumentError

_MODES = ("enabled", "disabled")


def is_enabled() -> bool:
    """Say whether earmark does anything at all.

    Raises:
        ArgumentError: If `EARMARK_MODE` is none of the values it may have.
    """
    mode = os.environ.get("EARMARK_MODE") or "enabled"
    if mode not in _MODES:
        raise ArgumentError(
            f"expected EARMARK_MODE to be one of {', '.join(_MODES)}, got {mode!r}: unset it"
        )
    return mode == "enabled"
