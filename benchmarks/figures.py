"""The figures that the design is to reach, as ratios of one run; each is reached or it is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.clips import EPOCH, LONG, SHORT, Case
from benchmarks.outcomes import Measured, Outcomes
from benchmarks.peers import PEERS

_SPARE_MIB = 64
_TAKES_PER_REQUEST = 256
_FLAT = 1.25  # what a growing cost per clip may not exceed between the smallest and largest run


@dataclass(frozen=True)
class Figure:
    """One figure to reach."""

    what: str
    limit: float
    ratios: Sequence[float]
    """What was measured, in pairs; none if it was not."""

    detail: str
    """What the ratio is of; or why there is none."""

    judged: float | None = None
    """What is held against the limit, where that is not the median: the end of an interval."""

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)

    @property
    def verdict(self) -> str:
        """Whether it is reached."""
        if not self.ratios:
            return "not measured"
        judged = self.ratio if self.judged is None else self.judged
        return "reached" if judged <= self.limit else "not reached"


def figures(outcomes: Outcomes) -> list[Figure]:
    """Judge what was measured."""
    return [
        *(_held(outcomes, name, SHORT, 1 / 6) for name in ("earmark", "earmark_tensors")),
        *(_held(outcomes, name, LONG, 1 / 12) for name in ("earmark", "earmark_tensors")),
        _held_beside_copy(outcomes),
        _loop(outcomes),
        *(_cpu(outcomes, case) for case in (SHORT, LONG)),
        _disk(outcomes),
        *_startup(outcomes),
        _memory(outcomes),
        *_scale(outcomes),
    ]


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """The ends of a mean ratio's 95 % interval, by bootstrap; one ratio has none."""
    if len(ratios) < 2:
        return 0.0, math.inf
    logs = np.log(ratios)
    means = np.random.default_rng(0).choice(logs, (10_000, len(logs))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return math.exp(low), math.exp(high)


def best_tracker(outcomes: Outcomes, case: Case) -> str:
    """The tracker that holds the thread least; empty if none was measured."""
    held = {
        name: median(measured.held_seconds[case.name])
        for name, measured in outcomes.peers.items()
        if PEERS[name].is_tracker and not measured.failure
    }
    return min(held, key=held.__getitem__, default="")


def _held(outcomes: Outcomes, name: str, case: Case, limit: float) -> Figure:
    given = {"earmark": "arrays", "earmark_tensors": "tensors"}[name]
    what = f"training thread held, {case.title} as {given}, beside the best tracker"
    pair = name, best_tracker(outcomes, case)
    return _beside(outcomes, pair, what, limit, lambda each: each.held_seconds[case.name])


def _held_beside_copy(outcomes: Outcomes) -> Figure:
    what = f"training thread held, {LONG.title} as arrays, beside a plain copy"
    pair = "earmark", "copy"
    return _beside(outcomes, pair, what, 1.3, lambda each: each.held_seconds[LONG.name])


def _cpu(outcomes: Outcomes, case: Case) -> Figure:
    what = f"CPU until all is on disk, {case.title}, beside `soundfile.write` of the same FLAC"
    pair = "earmark", "flac"
    return _beside(outcomes, pair, what, 1.25, lambda each: each.cpu_seconds[case.name])


def _beside(
    outcomes: Outcomes,
    pair: tuple[str, str],
    what: str,
    limit: float,
    seconds: Callable[[Measured], Sequence[float]],
) -> Figure:
    missing = Measured(failure="nothing to hold it against was measured")
    ours, theirs = (outcomes.peers.get(name, missing) for name in pair)
    if ours.failure or theirs.failure:
        return Figure(what, limit, [], ours.failure or theirs.failure)
    own, their = seconds(ours), seconds(theirs)
    ratios = [mine / yours for mine, yours in zip(own, their, strict=True)]
    times = f"{milliseconds(median(own))} beside {milliseconds(median(their))}"
    return Figure(what, limit, ratios, f"{times}, {PEERS[pair[1]].title}")


def _loop(outcomes: Outcomes) -> Figure:
    what = "training loop with 16 clips every 50 steps, beside the same loop without"
    loop = outcomes.loop
    if loop is None:
        return Figure(what, 1.01, [], outcomes.missing["loop"])
    low, high = interval(loop.ratios)
    steps = f"steps of {milliseconds(loop.step_seconds)} on {loop.threads} of the cores"
    detail = f"95 % interval {low:.3f} to {high:.3f}, {len(loop.ratios)} pairs of blocks, {steps}"
    mean = math.exp(np.mean(np.log(loop.ratios)))
    return Figure(what, 1.01, [mean], detail, judged=high)


def _disk(outcomes: Outcomes) -> Figure:
    what = f"bytes on disk, {outcomes.epochs} epochs of {EPOCH.title}, beside 16-bit WAV"
    ours, theirs = (outcomes.disk_bytes.get(name) for name in ("earmark", "wav"))
    if not ours or not theirs:
        return Figure(what, 0.5, [], "earmark or soundfile was not measured")
    detail = f"{ours / 1e6:.1f} MB beside {theirs / 1e6:.1f} MB"
    return Figure(what, 0.5, [ours / theirs], detail)


def _startup(outcomes: Outcomes) -> Iterator[Figure]:
    names = {"earmark": "`import earmark`", "earmark.Run": "the same, and `earmark.Run` asked for"}
    theirs = outcomes.import_seconds["wav"]
    for name, what in names.items():
        ours = outcomes.import_seconds[name]
        ratios = [own / their for own, their in zip(ours, theirs, strict=True)]
        detail = f"{milliseconds(median(ours))} beside {milliseconds(median(theirs))}"
        yield Figure(f"{what}, beside importing numpy and soundfile", 1.2, ratios, detail)


def _memory(outcomes: Outcomes) -> Figure:
    what = f"memory in a burst of large clips, beside `max_pending_mib` + {_SPARE_MIB} MiB"
    burst = outcomes.burst
    if burst is None:
        return Figure(what, 1, [], outcomes.missing["memory"])
    bound = burst.bound_mib + _SPARE_MIB
    kept = f"{burst.kept_clips} of {burst.logged_clips} clips kept"
    detail = f"{burst.peak_mib:.0f} MiB beside {bound} MiB; of {burst.logged_mib:.0f} MiB, {kept}"
    return Figure(what, 1, [burst.peak_mib / bound], detail)


def _scale(outcomes: Outcomes) -> Iterator[Figure]:
    if not outcomes.readings:
        reason = outcomes.missing.get("synthetic") or outcomes.missing.get("scale", "")
        yield Figure("reading large runs", 1, [], reason)
        return
    first, last = outcomes.readings[0], outcomes.readings[-1]
    for reading in outcomes.readings[1:]:
        seconds = reading.first_row_seconds
        what = f"first row of {reading.clips:,} clips, beside 1 s"
        yield Figure(what, 1, [seconds], milliseconds(seconds))
    each, least = (reading.list_seconds / reading.clips for reading in (last, first))
    what = f"time a clip to list {last.clips:,}, beside that of {first.clips:,}"
    detail = f"{1e6 * each:.1f} us beside {1e6 * least:.1f} us"
    yield Figure(what, _FLAT, [each / least], detail)
    yield _requests(outcomes)


def _requests(outcomes: Outcomes) -> Figure:
    what = f"requests at S3 for {_TAKES_PER_REQUEST} more takes, beside 1"
    counted = [each.requests for each in outcomes.readings if each.requests is not None]
    if len(counted) < 2:
        return Figure(what, 1, [], outcomes.missing.get("remote", "one run alone was read"))
    (few, least), (many, most) = counted[0], counted[-1]
    detail = f"{most} for {many:,} takes, {least} for {few:,}"
    return Figure(what, 1, [_TAKES_PER_REQUEST * (most - least) / (many - few)], detail)


def milliseconds(seconds: float) -> str:
    """A duration with three digits that count."""
    value = 1000 * seconds
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:,.{digits}f} ms"
