from __future__ import annotations

from pathlib import Path

from benchmarks import startup


def test_each_import_is_timed_as_often_as_asked(tmp_path: Path) -> None:
    """Another number of rounds for each."""
    seconds = startup.measure(
        {"json": 3, "csv": 1}, {"json": ("json",), "csv": ("csv", "json")}, tmp_path
    )
    assert {name: len(values) for name, values in seconds.items()} == {"json": 3, "csv": 1}
    assert min(seconds["json"] + seconds["csv"]) > 0


def test_what_cannot_be_imported_has_no_times(tmp_path: Path) -> None:
    """It is left out, and hinders no other."""
    seconds = startup.measure(
        {"json": 2, "ghost": 2}, {"json": ("json",), "ghost": ("no_such_package",)}, tmp_path
    )
    assert seconds["ghost"] == []
    assert len(seconds["json"]) == 2
