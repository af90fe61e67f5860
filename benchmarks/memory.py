"""What a burst takes: many large clips, logged faster than any disk can take them."""

from __future__ import annotations

from pathlib import Path

import earmark
from benchmarks import clips
from benchmarks.clips import LONG, SHORT
from benchmarks.meter import PeakMemory
from benchmarks.outcomes import Burst


def measure(folder: Path, bound_mib: int, repeats: int) -> Burst:
    """Log takes of many sizes without a pause.

    Args:
        folder: Where the run goes.
        bound_mib: The run's `max_pending_mib`.
        repeats: How often to log all of them.
    """
    long, short = clips.make(LONG)["prediction"], clips.make(SHORT)["prediction"]
    takes = [(long, LONG), (short, SHORT), (long[:3], LONG), (long[:6], LONG), (short, SHORT)]
    num_bytes, num_clips = 0, 0
    memory = PeakMemory()
    with earmark.Run(folder / "run", max_pending_mib=bound_mib) as run:
        for step in range(repeats * len(takes)):
            batch, case = takes[step % len(takes)]
            run.log_batch({"prediction": batch}, step=step, sample_rate=case.sample_rate)
            num_bytes, num_clips = num_bytes + batch.nbytes, num_clips + len(batch)
    peak_mib = memory.mib
    kept = sum(1 for _ in earmark.open_run(folder / "run").clips())
    return Burst(peak_mib, bound_mib, num_bytes / 2**20, num_clips, kept)
