"""Run: the door for plain training loops, and the room behind every framework's monitor."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from earmark.arguments import (
    checked_path,
    checked_place,
    checked_positive,
    checked_schedule,
    checked_sinks,
    checked_tag,
    checked_whole,
)
from earmark.draft import Draft, PerRole
from earmark.ending import Ending
from earmark.errors import ArgumentTypeError, EarmarkError
from earmark.job import this_job
from earmark.memory import MIB, Memory
from earmark.mode import is_enabled
from earmark.notices import Notices
from earmark.opening import open_recorder
from earmark.ranks import rank_prefix
from earmark.recorder import Recorder
from earmark.schedule import Position, Schedule
from earmark.sink import Sink
from earmark.strangers import tell_of_strangers


class Run:
    """A run that is being written: a directory of takes, on this machine or at a URL.

    Two lines in a plain PyTorch loop; see the example. What cannot be logged costs one clip and
    one warning that says why, and training goes on.

    Of several processes that train together, each may open the same run, or rank zero alone: each
    writes takes of its own, and readers merge them. Examples without an identity are then named
    `"rank1-0"` on the ranks above zero; one that two ranks log under the same name at one step is
    shown once. Trackers are best given to rank zero: `sinks=["wandb"] if rank == 0 else ()`.

    Args:
        path: The run's directory, or a URL such as `"s3://bucket/run"`; made if there is none,
            gone on with if there is one.
        schedule: When `due` says yes; always, if there is none.
        sinks: Names of trackers, such as `"wandb"`, or sinks, that every take is passed on to.
        config: What to remember of the training job; anything JSON holds.
        bit_depth: 16 or 24 to store FLAC at that depth; the smallest that holds each sound, if
            none is given.
        enabled: Whether to do anything at all; `EARMARK_MODE=disabled` switches everything off.
        strict: Raise errors instead of warning of them.
        dry_run: Convert everything, write nothing.
        max_pending_mib: How much may wait to be published, in MiB of samples as they were logged;
            a sound that is larger is taken alone, a take that is larger is published in parts.
            When that is full, logging waits, and then drops what there is no room for.
        max_wait_seconds: How long logging waits for room in total, until nothing waits any more.
        max_run_mib: How large the run is meant to become, in MiB: of one that is larger is told,
            and nothing is dropped.
        spectrogram: Whether trackers show a picture of each sound beside it, in absolute grey
            levels.
        spool: The directory in which a run at a URL is written before it is sent; that of the
            environment's `EARMARK_SPOOL`, or one in the user's cache, if none is given.

    Raises:
        RunFormatError: If the directory is a run of a later major format, or a folder of runs.
        StorageError: If the directory, or what is at the URL, cannot be written.
        UnknownSinkError: If no sink has a name that was given.
        MissingDependencyError: If a sink's package is not installed, or what the URL needs.
        ArgumentError: If an argument, or `EARMARK_MODE`, is none of the values it may have.

    Example:
        >>> import numpy as np, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> noise = np.random.default_rng(0).uniform(-0.1, 0.1, 16_000)
        >>> with Run(f"{folder.name}/vocoder") as run:
        ...     for epoch in range(2):
        ...         if run.due(epoch=epoch):
        ...             run.log({"prediction": noise}, epoch=epoch, sample_rate=16_000)
        >>> from earmark import open_run
        >>> for clip in open_run(f"{folder.name}/vocoder").clips(role="prediction"):
        ...     print(clip.epoch, clip.example, clip.audio.duration_seconds)
        0 0 1.0
        1 0 1.0
        >>> folder.cleanup()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        schedule: Schedule | None = None,
        sinks: Sequence[str | Sink] = (),
        config: Mapping[str, Any] | None = None,
        bit_depth: int | None = None,
        enabled: bool = True,
        strict: bool = False,
        dry_run: bool = False,
        max_pending_mib: float = 512,
        max_wait_seconds: float = 10,
        max_run_mib: float | None = None,
        spectrogram: bool = False,
        spool: str | os.PathLike[str] | None = None,
    ) -> None:
        self.path: Path | str = checked_path(path)
        self.enabled = enabled and is_enabled()
        self._schedule = checked_schedule(schedule)
        self._notices = Notices(strict=strict)
        self._granted: Position | None = None  # where `due` last said yes
        self._last: Position | None = None  # where it had, when a take was last logged
        self._numbers: dict[tuple[str, int], Iterator[int]] = {}
        self._memory = Memory(
            int(checked_positive("max_pending_mib", max_pending_mib) * MIB),
            checked_positive("max_wait_seconds", max_wait_seconds),
        )
        self._job = this_job()
        self._recorder: Recorder | None = None
        max_mib = None if max_run_mib is None else checked_positive("max_run_mib", max_run_mib)
        if self.enabled:
            self._recorder = self._open(
                checked_sinks(sinks),
                dry_run=dry_run,
                spool=spool,
                spectrogram=spectrogram,
                max_mib=max_mib,
                config=config,
                bit_depth=bit_depth,
            )
            self._ending = Ending(self, self._recorder)

    def _open(self, sinks: Sequence[str | Sink], *, dry_run: bool, **opening: Any) -> Recorder:
        if dry_run:
            return Recorder(None, (), self._notices)
        # Training may change its directory, and what it logged until then is still to be written.
        place = self.path.absolute() if isinstance(self.path, Path) else self.path
        recorder = open_recorder(place, sinks, self._notices, **opening)
        if self._job.rank == 0:
            self._say_hello()
        return recorder

    def _say_hello(self) -> None:
        hello = f"earmark: clips go to {self.path} (list them: earmark ls {self.path})\n"
        with suppress(AttributeError, OSError, ValueError):  # there is none, or nobody behind it
            sys.stderr.write(hello)
        if isinstance(self.path, Path):  # of a run at a URL was told as it was opened
            with suppress(OSError):  # then there is nobody to ask
                tell_of_strangers(self._notices, self.path, self.path, self._job)

    def due(
        self, *, epoch: int | None = None, step: int | None = None, final: bool = False
    ) -> bool:
        """Say whether to log now; the answer stays the same until the loop moves on.

        Args:
            epoch: Counted from 0.
            step: Batches that stepped.
            final: Whether this is known to be the last validation, which a schedule of every so
                many epochs or steps logs in any case.

        Raises:
            ArgumentError: If the schedule needs the one of them that is missing, or one is no
                whole number.
        """
        if self._recorder is None:
            return False
        self._come_by(self._recorder)
        now = Position(checked_whole("epoch", epoch), checked_whole("step", step))
        if self._schedule is None:
            return True
        try:
            if self._schedule.due(now, self._last, final=final):
                self._granted = now
        except EarmarkError:
            raise
        except Exception as error:  # noqa: BLE001 - a schedule of one's own may raise anything
            self._notices.fault("schedule", f"the validation at {now}", error)
        return now == self._granted

    def log(
        self,
        sounds: Mapping[str, Any],
        *,
        step: int | None = None,
        epoch: int | None = None,
        tag: str = "",
        sample_rate: PerRole = None,
        caption: str | None = None,
        example: Any = None,
        metrics: Mapping[str, Any] | None = None,
        layout: PerRole = None,
    ) -> None:
        """Log the sounds of one example, as one take.

        Args:
            sounds: Sounds by role, `{"input": ..., "prediction": ..., "target": ...}` or any
                names: tensors `(T,)` or `(C, T)`, arrays `(frames,)` or `(frames, channels)`,
                paths, URLs, `(waveform, sample_rate)` pairs, `Audio`.
            step: The training step; the epoch, if none is given.
            epoch: Counted from 0.
            tag: What logs it, for example `"val"`.
            sample_rate: In Hz; or by role, `{"prediction": 48_000, "input": 16_000}`.
            caption: What to show beside the sounds.
            example: The example's identity, its own and the same in every epoch; numbered over all
                calls of one step and tag, if there is none.
            metrics: Numbers by name, shown beside the sounds; or functions of prediction and
                target, two `Audio` of one rate and length, computed behind the training thread.
            layout: `"channels_first"` or `"channels_last"`, where shapes alone do not say.
        """
        with self.take(step=step, epoch=epoch, tag=tag) as draft:
            draft.add(
                sounds,
                sample_rate=sample_rate,
                caption=caption,
                example=example,
                metrics=metrics,
                layout=layout,
            )

    def log_batch(
        self,
        sounds: Mapping[str, Any],
        *,
        step: int | None = None,
        epoch: int | None = None,
        tag: str = "",
        sample_rate: PerRole = None,
        lengths: PerRole = None,
        hop_length: int | None = None,
        captions: Iterable[str | None] | None = None,
        examples: Iterable[Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """Log a batch of examples, as one take.

        Args:
            sounds: Batches by role: tensors `(B, T)` or `(B, C, T)`, arrays `(batch, frames)` or
                `(batch, frames, channels)`, or lists of sounds as `log` takes them.
            step: The training step; the epoch, if none is given.
            epoch: Counted from 0.
            tag: What logs it, for example `"val"`.
            sample_rate: In Hz; or by role.
            lengths: How much of each padded sound is sound, or that by role: integers count
                samples (frames of `hop_length` samples, where it is given), floats in (0, 1] are
                relative.
            hop_length: In samples.
            captions: What to show beside each example.
            examples: The identity of each example, no two of them alike; numbered over all calls
                of one step and tag, if there are none.
            metrics: By name one number, one for each example, or a function as `log` takes it.
        """
        with self.take(step=step, epoch=epoch, tag=tag) as draft:
            draft.add_batch(
                sounds,
                sample_rate=sample_rate,
                lengths=lengths,
                hop_length=hop_length,
                captions=captions,
                examples=examples,
                metrics=metrics,
            )

    @contextmanager
    def take(
        self, *, step: int | None = None, epoch: int | None = None, tag: str = ""
    ) -> Generator[Draft]:
        """Put a take together from several batches: `with run.take(step=step) as take: ...`.

        It offers `add` and `add_batch`, which take what `log` and `log_batch` take, and is
        published when the block ends, however it ends.

        Args:
            step: The training step; the epoch, if none is given.
            epoch: Counted from 0.
            tag: What logs it, for example `"val"`.
        """
        draft = self.draft(step=step, epoch=epoch, tag=tag)
        try:
            yield draft
        finally:
            self.submit(draft)

    def draft(self, *, step: int | None = None, epoch: int | None = None, tag: str = "") -> Draft:
        """Begin a take that `submit` publishes later; nothing is written until then."""
        if self._recorder is not None:
            self._come_by(self._recorder)
            with self._notices.guard("place", "a call"):
                return self._placed(step, epoch, tag)
        return Draft(0, None, "", self._notices, self._memory, void=True)

    def _placed(self, step: Any, epoch: Any, tag: Any) -> Draft:
        place, passed = checked_place(step, epoch)
        numbers = self._numbers_of(checked_tag(tag), place)
        # Ranks that number their examples must not give two of them one name.
        prefix = rank_prefix(self._job.rank)
        common = (self._notices, self._memory)
        return Draft(place, passed, tag, *common, prefix, numbers, self.submit)

    def _numbers_of(self, tag: str, step: int) -> Iterator[int]:
        """The numbers that all drafts of one step and tag share, from whichever thread."""
        numbers = self._numbers.setdefault((tag, step), itertools.count())
        for other in list(self._numbers):
            if other[0] == tag and other[1] != step:  # a step that is logged again starts anew
                self._numbers.pop(other, None)
        return numbers

    def submit(self, draft: Draft) -> None:
        """Publish a draft, unless nothing was added to it."""
        if self._recorder is None or draft.void:
            draft.release()
            return
        if draft.entries:
            self._ending.in_this_process()
            self._last = self._granted
            self._recorder.submit(draft)

    def _come_by(self, recorder: Recorder) -> None:
        recorder.come_by()
        self._notices.speak()

    def note_fault(self, lost: str, why: str) -> None:
        """Note in the run's `faults/` what was lost before it came here, and why."""
        if self._recorder is not None and self._notices.record is not None:
            self._notices.record(lost, why)

    def hand_over(self, timeout: float) -> None:
        """Let sinks that write on this thread write what was just logged.

        Args:
            timeout: How many seconds to wait for it to be published; what takes longer is written
                when this run is next called. Nothing is waited for if there are no such sinks.
        """
        if self._recorder is not None and self._recorder.has_sinks_here:
            self._recorder.hand_over(timeout)
            self._notices.speak()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything logged is published and passed on.

        Args:
            timeout: How many seconds to wait at most; for ever, if not given.

        Returns:
            Whether it is.
        """
        flushed = self._recorder is None or self._recorder.flush(timeout)
        self._notices.speak()
        return flushed

    def close(self, timeout: float | None = 60) -> None:
        """Publish what is pending and close the sinks; logging afterwards does nothing.

        Args:
            timeout: How many seconds to wait at most; for ever, if `None`.
        """
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        self._ending.is_closed()
        closed = recorder.close(timeout)
        self._memory.close()
        if not closed:
            self._notices.tell(
                "close",
                f"{self._memory.in_use / MIB:.1f} MiB of clips were still waiting to be published "
                f"to {str(self.path)!r}, or a sink for its tracker, after {timeout} s: they go on "
                "until this process ends; what is not published then is lost, and what a tracker "
                "missed, `earmark push RUN --to NAME` sends",
            )
        self._notices.speak()

    def __enter__(self) -> Run:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> NoReturn:
        raise ArgumentTypeError(
            f"expected a run to stay in the process that opened it, got {self} to be copied or "
            f"pickled: open it where it is needed, earmark.Run({str(self.path)!r})"
        )

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"
