from __future__ import annotations

from pathlib import Path

import pytest

from earmark import Run
from earmark.cursor import Passage, cursor_name, is_cursor_of, sent_to
from earmark.sink import name_of
from earmark.testing import MemorySink, varied_takes
from tests.core.behind import GatedSink, wait_until
from tests.core.faults import told
from tests.core.test_sink import BrokenSink, log_steps


def names(run: Path) -> list[str]:
    """The takes of a run."""
    return sorted(path.name for path in (run / "takes").glob("[0-9]*"))


def test_a_run_says_what_each_sink_was_given(tmp_path: Path) -> None:
    """Of two sinks, one of which fails half of the time, by their names."""
    broken, other = BrokenSink(), MemorySink()
    with told(), Run(tmp_path, sinks=[broken, other]) as run:
        log_steps(run, 2)
        run.flush()
        broken.broken = False
        log_steps(run, 1)
        run.flush()
        broken.broken = True
    assert sent_to(tmp_path, "memorysink") == set(names(tmp_path))
    assert len(sent_to(tmp_path, "brokensink")) == 1
    assert sent_to(tmp_path, "nobody") == set()


def test_a_take_without_anything_new_counts_as_given(tmp_path: Path) -> None:
    """Nothing of it is left to be sent."""
    sink = MemorySink()
    takes = varied_takes(tmp_path)
    passage = Passage(sink, "late", "me")
    for take in (takes[0], takes[0]):
        passage.write(take)
    assert sent_to(tmp_path, "late") == {str(takes[0].name)}
    assert (tmp_path / "sent/me.late.jsonl").read_text().count("\n") == 2


def test_what_hangs_is_told_at_the_end(tmp_path: Path) -> None:
    """A sink that has not taken everything is named, with the way out."""
    sink = GatedSink()
    run = Run(tmp_path, sinks=[sink])
    log_steps(run, 2)
    sink.gate.wait_until_reached()
    with pytest.warns(UserWarning, match="a tracker missed, `earmark push RUN --to NAME` sends"):
        run.close(timeout=0.1)
    sink.gate.open()
    wait_until(lambda: sink.closed)


def test_a_file_belongs_to_one_sink(tmp_path: Path) -> None:
    """A name with dots, or one that another begins with, is not taken for another's."""
    assert is_cursor_of(cursor_name("bcd", "wandb"), "wandb")
    assert not is_cursor_of(cursor_name("bcd", "wandb"), "and")
    assert not is_cursor_of(cursor_name("bcd", "my.wandb"), "wandb")
    assert is_cursor_of(cursor_name("bcd", "my.wandb"), "my.wandb")


def test_sinks_that_come_with_earmark_have_the_names_they_are_asked_for_by() -> None:
    """An opened one is called as the one that is opened by its name."""

    class Opened(MemorySink):
        pass

    Opened.__module__ = "earmark_integrations.sinks.wandb"
    assert name_of("wandb") == name_of(Opened()) == "wandb"
    assert name_of(MemorySink()) == "memorysink"
