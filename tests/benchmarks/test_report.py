from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.outcomes import Measured, Outcomes
from benchmarks.report import BEGIN, END, figures_in, render, table, taken_over

from tests.benchmarks.test_figures import outcomes as outcomes  # noqa: PLC0414 - a fixture


def test_a_table_is_markdown() -> None:
    """Its first column stands to the left, the others to the right."""
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_the_figures_are_between_markers(outcomes: Outcomes) -> None:
    """The README takes over what stands between them: a table of fifteen figures."""
    text = render(outcomes, load=0)
    lines = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip().splitlines()
    assert len(lines) == 2 + 15
    assert {line.count("|") for line in lines} == {6}
    assert lines[2].endswith("| reached |")


def test_a_peer_that_was_left_out_has_a_reason_and_no_row(outcomes: Outcomes) -> None:
    """It is named below the table."""
    peers = {**outcomes.peers, "aim": Measured(failure="No module named 'aim'")}
    text = render(replace(outcomes, peers=peers), load=0)
    assert "- Aim: left out: No module named 'aim'" in text
    assert "| Aim |" not in text


@pytest.mark.parametrize(("load", "said"), [(0.1, False), (3.2, True)])
def test_a_busy_machine_is_said_to_be_one(outcomes: Outcomes, load: float, said: bool) -> None:
    """Times taken beside other work are rough."""
    assert ("Other programs kept" in render(outcomes, load)) is said


def test_no_line_is_typed_by_hand(outcomes: Outcomes) -> None:
    """The report says when, on which machine, and by which command it was written."""
    head = render(outcomes, load=0)[:300]
    assert "Written by `make bench` on " in head
    assert " cores, " in head
    assert ", Python 3." in head


def test_a_page_takes_the_figures_over(outcomes: Outcomes) -> None:
    """What stands before and after them stays, and another time they are replaced."""
    report = render(outcomes, load=0)
    page = f"# Page\n\n{BEGIN}\nold\n{END}\n\nThe end.\n"
    taken = taken_over(page, report)
    assert taken == f"# Page\n\n{figures_in(report)}\n\nThe end.\n"
    assert taken_over(taken, report) == taken


def test_the_readme_has_the_figures_of_the_results() -> None:
    """Both are written by one run of `make bench`, and nothing is typed."""
    root = Path(__file__).parents[2]
    results = (root / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert figures_in(readme) == figures_in(results)
