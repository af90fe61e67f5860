"""What is measured, before anybody judges it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Measured:
    """What it costs to log with one peer."""

    held_seconds: dict[str, list[float]] = field(default_factory=dict)
    """By case, how long each validation held the thread that logged it."""

    cpu_seconds: dict[str, list[float]] = field(default_factory=dict)
    """By case, the CPU time that each validation took until all was on disk."""

    peak_mib: float = 0
    """The most memory that it held, its imports left out."""

    disk_bytes: int = 0
    """What it left on disk."""

    failure: str = ""
    """Why it was left out; empty if it was not."""


@dataclass(frozen=True)
class Loop:
    """What a training loop pays."""

    ratios: list[float]
    """Of each pair of blocks, the time of the one with earmark over that of the one without."""

    step_seconds: float
    threads: int
    """How many cores the steps keep busy."""


@dataclass(frozen=True)
class Burst:
    """What a burst of large clips takes."""

    peak_mib: float
    """The most memory held, over what was held before."""

    bound_mib: int
    """The run's `max_pending_mib`."""

    logged_mib: float
    logged_clips: int
    kept_clips: int


@dataclass(frozen=True)
class Reading:
    """What a run takes to read, on a local disk whose files are in memory already."""

    clips: int
    first_row_seconds: float
    list_seconds: float
    filter_seconds: float
    """Of one role of one example."""

    step_seconds: float
    """Of one step."""

    peak_mib: float
    """The most memory held while all clips were listed, over what was held before."""

    requests: tuple[int, int] | None = None
    """How many takes the same run has at an S3 server, and how many requests list them."""


@dataclass(frozen=True)
class Outcomes:
    """What one run of the benchmark has measured."""

    peers: Mapping[str, Measured]
    disk_bytes: Mapping[str, int]
    """By peer, what some epochs of input, prediction and target left on disk."""

    epochs: int
    import_seconds: Mapping[str, Sequence[float]]
    loop: Loop | None
    burst: Burst | None
    readings: Sequence[Reading]
    missing: Mapping[str, str]
    """Why there is none of a part."""
