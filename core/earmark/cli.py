"""The command `earmark`: what a run holds, whether it is whole, and whether it is all sent.

earmark ls [PATH]              the clips of a run, or the runs in a folder or at a URL
earmark check RUN [--repair]   every file against its record
earmark push [WHAT] [--to]     what did not get to an object store or a tracker yet
earmark prune RUN --every N    a run thinned out
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from earmark.arguments import checked_path
from earmark.audio import Audio
from earmark.clip import Clip
from earmark.errors import EarmarkError
from earmark.memory import MIB
from earmark.names import RUN_FILE
from earmark.store import RunStore, list_runs, open_run
from earmark.tree import open_tree
from earmark.upkeep.check import check_run
from earmark.upkeep.prune import prune_run
from earmark.upkeep.repair import repair_run
from earmark.upload.push import push_run, push_sink, push_spool
from earmark.upload.spool import spool_directory
from earmark.version import __version__

_CLIP_COLUMNS = (
    *("step", "epoch", "tag", "example", "role", "seconds", "peak dBFS", "RMS dBFS"),
    *("caption", "file"),
)
_RUN_COLUMNS = ("run", "takes", "clips", "first step", "last step", "last epoch")
_TEXTS = frozenset({"tag", "example", "role", "caption", "file", "run"})
_FOLDED = {"example": 24, "caption": 40}
_UNBOUNDED = 1 << 16
_ROWS_AT_ONCE = 200


class _Commands(click.Group):
    """Commands whose errors are one line, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and let click print what went wrong."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `earmark ls | head` is no error; click knows what to do
            raise
        except (EarmarkError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="earmark %(version)s")
def cli() -> None:
    """Hear your model train: look into the runs that earmark wrote."""


@cli.command()
@click.argument("path", type=click.Path(), default=".")
@click.option("--role", help="Only this role, such as prediction.")
@click.option("--example", help="Only this example.")
@click.option("--step", type=int, help="Only this step.")
@click.option("--epoch", type=int, help="Only this epoch, counted from 0.")
@click.option("--tag", help="Only this tag, such as val.")
@click.option("--all-versions", is_flag=True, help="Also clips that were logged again since.")
@click.option("--paths", is_flag=True, help="Only the path or URL of each sound, one a line.")
def ls(path: str, *, all_versions: bool, paths: bool, **filters: Any) -> None:
    """List the clips of a run, or the runs in a folder.

    PATH is a run or a folder of runs, or the URL of one; with a filter, or with --paths, the
    clips of all its runs are listed. Where the output is no terminal, it is a table of
    tab-separated values.

    For a player: earmark ls RUN --paths --role prediction --epoch 4 | xargs mpv
    """
    runs = list_runs(path) or [open_run(path)]
    filtered = any(value is not None for value in filters.values())
    if runs[0].place != open_tree(path).place and not paths and not filtered:
        _print_table(_RUN_COLUMNS, map(_run_row, runs))
        return
    clips = (clip for run in runs for clip in run.clips(all_versions=all_versions, **filters))
    if paths:
        seen: set[str] = set()
        for file in map(_file_of, clips):
            if file not in seen:  # an input is one file for many clips
                seen.add(file)
                click.echo(file)
        return
    _print_table(_CLIP_COLUMNS, map(_clip_row, clips))


@cli.command()
@click.argument("run", type=click.Path())
@click.option("--repair", is_flag=True, help="Put right what can be; no sound is ever removed.")
def check(run: str, *, repair: bool) -> None:
    """Hold every file of a RUN against its record; exit with 1 if anything is wrong.

    RUN is its directory, or its URL; one at a URL is repaired where it was written.
    """
    with Console(stderr=True).status(f"checking {run}"):
        done = repair_run(run) if repair else []
        problems = check_run(run)
    for line in (*done, *map(str, problems)):
        click.echo(line)
    if problems:
        sys.exit(1)
    click.echo(f"{run}: nothing is wrong with {_contents(open_run(run))}")


def _contents(run: RunStore) -> str:
    takes, clips, files = 0, 0, set[str]()
    for take in run.takes():
        takes, clips = takes + 1, clips + len(take.clips)
        # What a record has no length of is stored elsewhere.
        known = [clip for clip in take.clips if Audio.durations([clip.audio]) != [None]]
        files.update(map(_file_of, known))
    return f"{_count(takes, 'take')}, {_count(clips, 'clip')}, {_count(len(files), 'sound file')}"


@cli.command()
@click.argument("what", required=False)
@click.option("--to", help="A URL such as s3://bucket/run, or a sink's name such as wandb.")
@click.option("--target", default="", help="Where the sink writes to: a W&B entity/project/id, "
              "a TensorBoard log directory. Each target gets all that it has not.")  # fmt: skip
@click.option("--list", "only_list", is_flag=True, help="Only say what is in the spool.")
def push(what: str | None, to: str | None, target: str, *, only_list: bool) -> None:
    """Send what did not get where it belongs.

    Without --to: what jobs that ended left in the spool (EARMARK_SPOOL, or the user's cache), or
    only what belongs to the URL, or lies in the folder, that WHAT names. Jobs that are still at
    work are left alone.

    With --to: the run WHAT, on this machine, to a URL; or, from a directory or a URL, to a sink
    that missed some of it. What is there already is not sent again; where a sink has several
    targets, each of them is asked for.
    """
    place = None if what is None else checked_path(what)
    if to is None:
        _push_spool(place, only_list=only_list)
    elif place is None or only_list:
        raise click.UsageError("expected a run to push with --to, got none, or --list beside it")
    elif "://" not in to:
        click.echo(push_sink(place, to, target))
    elif isinstance(place, Path):
        click.echo(push_run(place, str(checked_path(to))))
    else:
        raise click.UsageError(
            f"expected a run on this machine to push to a URL, got {place!r}: copy it with the "
            "tools of its object store"
        )


@cli.command()
@click.argument("run", type=click.Path())
@click.option(
    "--every", type=int, required=True, metavar="N", help="Of the logged steps, keep each N-th."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def prune(run: str, *, every: int, dry_run: bool) -> None:
    """Keep the first, the last and every N-th step of each tag of a RUN.

    The other takes are removed, and inputs and targets that only they had. A run that is still
    being written is left alone.
    """
    pruned = prune_run(run, every, dry_run=dry_run)
    what = f"{_count(len(pruned.takes), 'take')}, {_count(len(pruned.references), 'reference')}"
    done = "would remove" if dry_run else "removed"
    click.echo(f"{run}: {done} {what}, {pruned.num_bytes / MIB:.1f} MiB")


def _push_spool(place: Path | str | None, *, only_list: bool) -> None:
    spool = place if isinstance(place, Path) else spool_directory()
    url = place if isinstance(place, str) else ""
    if (spool / RUN_FILE).is_file():
        raise click.UsageError(f"expected --to beside the run {str(spool)!r}, got no place to push")
    failed = []
    for pushed in push_spool(spool, url, only_list=only_list):
        click.echo(pushed.line)
        failed.append(pushed.failed)
    if not failed:
        click.echo(f"nothing is left in {spool}")
    if any(failed):
        sys.exit(1)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _clip_row(clip: Clip) -> tuple[str, ...]:
    place = (str(clip.step), _text(clip.epoch), clip.tag, clip.example, clip.role)
    (duration,) = Audio.durations([clip.audio])
    if duration is None:  # elsewhere: to measure it would be to fetch it
        return (*place, "", "", "", clip.caption, _file_of(clip))
    level = f"{clip.level.peak_dbfs:.1f}", f"{clip.level.rms_dbfs:.1f}"
    return (*place, f"{duration:.3f}", *level, clip.caption, _file_of(clip))


def _run_row(run: RunStore) -> tuple[str, ...]:
    takes, clips = 0, 0
    first, last, epoch = None, None, -1
    for step, group in groupby(run.takes(), key=lambda take: take.step):
        first, last = step if first is None else first, step
        keys: set[Any] = set()  # of a clip that was logged again, one is shown
        for take in group:
            takes += 1
            keys.update(clip.key for clip in take.clips)
            epoch = max(epoch, -1 if take.epoch is None else take.epoch)
        clips += len(keys)
    return (
        run.place,
        str(takes),
        str(clips),
        _text(first),
        _text(last),
        _text(None if epoch < 0 else epoch),
    )


def _file_of(clip: Clip) -> str:
    return str(clip.audio.path or clip.audio.resolve_ref())


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def _print_table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    printed = (tuple(map(_printable, row)) for row in rows)
    if sys.stdout.isatty():
        _print_layout(columns, printed)
        return
    click.echo("\t".join(columns))
    for row in printed:
        click.echo("\t".join(row))


def _print_layout(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> None:
    """Lay out a table a part at a time: the first rows of a long one are there at once."""
    widths = [max(map(len, name.split())) for name in columns]
    part = list(islice(rows, _ROWS_AT_ONCE))
    click.echo(_layout(columns, part, widths, header=True))
    while part := list(islice(rows, _ROWS_AT_ONCE)):
        click.echo(_layout(columns, part, widths, header=False))


def _layout(
    columns: tuple[str, ...], rows: list[tuple[str, ...]], widths: list[int], *, header: bool
) -> str:
    """Lay out a part of a table in which every path is in one piece, to be copied.

    Where a line is wider than the terminal, the terminal wraps it.

    Args:
        columns: Their names.
        rows: The rows of this part.
        widths: The least width of each column; made wider where this part is.
        header: Whether to name the columns.
    """
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="none", show_header=header
    )
    for number, name in enumerate(columns):
        cells = (cell_len(row[number]) for row in rows)
        widths[number] = min(max(widths[number], *cells, 0), _FOLDED.get(name, _UNBOUNDED))
        table.add_column(
            name.replace(" ", "\n"),
            justify="left" if name in _TEXTS else "right",
            width=widths[number],
            overflow="fold",
        )
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(width=_UNBOUNDED)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _printable(text: str) -> str:
    """Put a space for what would break a line, or command a terminal."""
    return "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
