"""`python -m earmark`, and what the command `earmark` starts."""

from __future__ import annotations

import sys

_LISTEN = frozenset({"click", "rich"})


def main() -> None:
    """Run the command, or say which package it lacks."""
    try:
        from earmark.cli import cli  # noqa: PLC0415 - the door behind which click is needed
    except ModuleNotFoundError as error:
        if error.name not in _LISTEN:
            raise
        sys.exit(f"the earmark command needs {error.name}: pip install 'earmark[listen]'")
    cli(prog_name="earmark")


if __name__ == "__main__":
    main()
