from __future__ import annotations

import re
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


def test_an_account_of_a_target_belongs_to_that_alone() -> None:
    """Its file says in plain letters which it is, and no other target has it."""
    file = cursor_name("bcd", "tensorboard", "logs/Vocoder")
    assert re.fullmatch(r"bcd\.tensorboard\.logs-vocoder-[0-9a-f]{12}\.jsonl", file)
    assert is_cursor_of(file, "tensorboard", "logs/Vocoder")
    assert not is_cursor_of(file, "tensorboard")
    for other in ("logs/vocoder", "logs-Vocoder", "logs"):
        assert not is_cursor_of(file, "tensorboard", other)


@pytest.mark.parametrize(
    ("place", "target", "num_given"),
    [
        ("/home/me/logs/a", "logs/a", 1),
        ("/home/me/logs/a", "./logs/a/", 1),
        ("/home/me/logs/a", "/home/me/logs/a", 1),
        ("/home/me/logs/a", "/home/you/logs/a", 0),
        ("/home/me/logs/a", "logs/b", 0),
        ("/home/me/logs/a", "ogs/a", 0),
        ("us/project/id", "project/id", 1),
        ("project/id", "us/project/id", 1),
        ("us/project/id", "us/project/other", 0),
        ("", "anywhere", 1),
    ],
)
def test_what_a_run_s_own_sink_was_given_counts_where_it_wrote(
    tmp_path: Path, place: str, target: str, num_given: int
) -> None:
    """A target is named by its last parts, too; of a sink that does not say, nobody knows."""
    sink = MemorySink()
    if place:
        sink.target = place  # type: ignore[attr-defined]  # which any sink may have
    Passage(sink, "own").write(varied_takes(tmp_path)[0])
    assert len(sent_to(tmp_path, "own", target)) == num_given
    assert len(sent_to(tmp_path, "own")) == 1


def test_an_account_of_an_older_version_counts_for_every_target(tmp_path: Path) -> None:
    """It has no word of where a sink wrote to."""
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent/bcd.wandb.jsonl").write_text('{"take": "00000001.bcd.0"}\n')
    assert sent_to(tmp_path, "wandb", "us/project/id") == {"00000001.bcd.0"}


def test_sinks_that_come_with_earmark_have_the_names_they_are_asked_for_by() -> None:
    """An opened one is called as the one that is opened by its name."""

    class Opened(MemorySink):
        pass

    Opened.__module__ = "earmark_integrations.sinks.wandb"
    assert name_of("wandb") == name_of(Opened()) == "wandb"
    assert name_of(MemorySink()) == "memorysink"
