"""Renders what was measured, as Markdown; nothing in RESULTS.md is typed by hand."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from benchmarks import machine
from benchmarks.clips import EPOCH, LONG, SHORT
from benchmarks.figures import Figure, figures, milliseconds
from benchmarks.outcomes import Measured, Outcomes
from benchmarks.peers import PEERS

BEGIN = "<!-- figures: begin -->"
END = "<!-- figures: end -->"

_BUSY = 0.5

_METHOD = f"""\
- Each peer is open in a process of its own. They log the same arrays in turn, another one first in
  each round: {SHORT.title} (short), and
  {LONG.title} (long). A round to warm up does not count.
- *Held* is the time that the calling thread spends in the calls that log one validation. Before
  the next one the process comes to rest, as in training, where minutes lie between.
- *CPU* is that of the process and of those it started, until nothing is pending, with a share of
  what `close()` takes.
- *On disk* is what {{epochs}} epochs leave of {EPOCH.title}.
  Inputs and targets have 16 bits and stay the same, predictions are float32.
- *Memory* is the process's peak over what it held before the peer was opened; sounds and imports
  are not in it.
- Values are medians, with ranges in parentheses. Ratios are medians of the ratios of each round; of
  the training loop it is the mean of the ratios of pairs of blocks, and the upper end of its
  interval is held against the limit.
"""


def render(outcomes: Outcomes, load: float) -> str:
    """Render a report.

    Args:
        outcomes: What was measured.
        load: How many cores others kept busy when it began.
    """
    parts = [
        "# What earmark costs",
        f"Written by `make bench` on {time.strftime('%Y-%m-%d')}.  \n{machine.describe()}.",
        *([_busy(load)] if load > _BUSY else []),
        f"{BEGIN}\n{_figure_table(figures(outcomes))}\n{END}",
        "## Side by side",
        _peer_table(outcomes),
        *_notes(outcomes),
        "## Reading large runs",
        _scale_table(outcomes),
        "## How it is measured",
        _METHOD.format(epochs=outcomes.epochs).rstrip(),
    ]
    return "\n\n".join(parts) + "\n"


def taken_over(page: str, report: str) -> str:
    """Put the figures of a report into the page that has a place for them.

    Args:
        page: A page with the two markers.
        report: What `render` made.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{figures_in(report)}{after}"


def figures_in(report: str) -> str:
    """The table of figures of a report, or of a page that took it over, with its markers."""
    return report[report.index(BEGIN) : report.index(END) + len(END)]


def _busy(load: float) -> str:
    return f"**Other programs kept {load:.1f} cores busy when it began: the times are rough.**"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Render a table: the first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figure_table(judged: Sequence[Figure]) -> str:
    rows = [
        [
            each.what,
            _ratio(each),
            f"{each.limit:.3g}",
            each.detail,
            each.verdict,
        ]
        for each in judged
    ]
    return table(["what", "ratio", "at most", "measured", ""], rows)


def _ratio(figure: Figure) -> str:
    if len(figure.ratios) < 2:
        return f"{figure.ratio:.3g}" if figure.ratios else ""
    return f"{figure.ratio:.3g} ({min(figure.ratios):.3g} to {max(figure.ratios):.3g})"


def _peer_table(outcomes: Outcomes) -> str:
    head = ["", "version", "held, short", "held, long", "CPU, short", "CPU, long"]
    rows = [
        _peer_row(name, measured, outcomes)
        for name, measured in outcomes.peers.items()
        if not measured.failure
    ]
    return table([*head, "on disk", "memory", "import"], rows)


def _peer_row(name: str, measured: Measured, outcomes: Outcomes) -> list[str]:
    entry = PEERS[name]
    size = outcomes.disk_bytes.get(name, 0)
    imports = outcomes.import_seconds.get(name)
    return [
        entry.title,
        machine.installed_version(entry.package),
        *(_spread(measured.held_seconds[case.name]) for case in (SHORT, LONG)),
        *(_spread(measured.cpu_seconds[case.name]) for case in (SHORT, LONG)),
        f"{size / 1e6:.1f} MB" if size else "",
        f"{measured.peak_mib:.0f} MiB",
        _spread(imports) if imports else "",
    ]


def _spread(seconds: Sequence[float]) -> str:
    low, high = (milliseconds(end).removesuffix(" ms") for end in (min(seconds), max(seconds)))
    return f"{milliseconds(median(seconds))} ({low} to {high})"


def _notes(outcomes: Outcomes) -> Iterator[str]:
    notes = [
        f"- {PEERS[name].title}: left out: {measured.failure}"
        if measured.failure
        else f"- {PEERS[name].title}: {PEERS[name].note}."
        for name, measured in outcomes.peers.items()
        if measured.failure or PEERS[name].note
    ]
    if notes:
        yield "\n".join(notes)


def _scale_table(outcomes: Outcomes) -> str:
    rows = [
        [
            f"{each.clips:,}",
            milliseconds(each.first_row_seconds),
            milliseconds(each.list_seconds),
            milliseconds(each.filter_seconds),
            milliseconds(each.step_seconds),
            f"{1e6 * each.list_seconds / each.clips:.1f} us",
            f"{each.peak_mib:.0f} MiB",
            f"{each.peak_mib * 2**10 / each.clips:.2f} KiB",
            "" if each.requests is None else "{1} for {0:,} takes".format(*each.requests),
        ]
        for each in outcomes.readings
    ]
    head = ["clips", "first row", "list all", "one example", "one step"]
    head += ["a clip", "memory", "a clip", "requests at S3"]
    return table(head, rows)
