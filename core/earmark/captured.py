"""Captured: a sound that has been copied, and the memory that it and its neighbours share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earmark import convert
from earmark.audio import Audio
from earmark.convert import Buffer, Source
from earmark.errors import EarmarkError, PendingFullError
from earmark.level import measure
from earmark.memory import MIB, Memory
from earmark.origin import ArrayOrigin, BlocksOrigin, BytesOrigin
from earmark.samples import Layout


class Loan:
    """One buffer that several sounds may share: it goes back once the last holder has let go.

    Whoever makes one is its first holder.

    Args:
        memory: Where it goes back to.
        source: What is to be copied into it.

    Raises:
        PendingFullError: If there is no room for the copy.
    """

    def __init__(self, memory: Memory, source: Source) -> None:
        size, self._allocate = source.num_bytes, source.allocate
        buffer = memory.acquire(size, self._allocate)
        if buffer is None:
            raise _no_room(size, memory)
        self._memory, self._whole = memory, buffer
        self._holders, self._lock = 1, threading.Lock()
        try:
            self.buffer = buffer[:size]
            self.wait = source.copy_into(self.buffer)
        except BaseException:
            self.let_go()
            raise

    def hold(self) -> None:
        """Keep the buffer until this holder, too, has let go."""
        with self._lock:
            self._holders += 1

    def let_go(self) -> None:
        """Hold the buffer no longer."""
        with self._lock:
            self._holders -= 1
            left = self._holders
        if not left:
            self._memory.release(self._whole, self._allocate)


class Reservation:
    """Room for a sound whose memory is there already, and which nobody writes over.

    Args:
        memory: Where it is counted.
        num_bytes: The sound's size.

    Raises:
        PendingFullError: If there is no room for it.
    """

    def __init__(self, memory: Memory, num_bytes: int) -> None:
        if not memory.reserve(num_bytes):
            raise _no_room(num_bytes, memory)
        self._memory, self._num_bytes = memory, num_bytes

    @classmethod
    def of(cls, audio: Audio, memory: Memory) -> Reservation | None:
        """Count a sound; `None` for one in a file or at a URL, which takes up no memory yet."""
        match audio.origin:
            case ArrayOrigin(samples=samples):
                return cls(memory, samples.nbytes)
            case BytesOrigin(data=data):
                return cls(memory, len(data))
            case _:
                return None

    def let_go(self) -> None:
        """Count it no longer."""
        self._memory.free(self._num_bytes)


def _no_room(num_bytes: int, memory: Memory) -> PendingFullError:
    return PendingFullError(
        f"expected room for {num_bytes / MIB:.1f} MiB more, got {memory.in_use / MIB:.1f} MiB "
        "that are still waiting to be published: log less often, or pass a larger "
        "max_pending_mib"
    )


@dataclass(eq=False)
class Captured:
    """A sound that has been copied, in its own dtype and layout.

    It holds no source: that may be one sound of a batch, which would stay alive with it.
    """

    loan: Loan
    buffer: Buffer
    sample_rate: int
    num_bytes: int
    shape: tuple[int, ...]
    dtype: str
    layout: Layout
    num_frames: Callable[[], int | None]

    @classmethod
    def of(cls, source: Source, sample_rate: int, memory: Memory) -> Captured:
        """Copy a sound; the caller is the first holder of its loan.

        Raises:
            PendingFullError: If there is no room for the copy.
        """
        loan = Loan(memory, source)
        return cls._part(source, sample_rate, loan, loan.buffer)

    @classmethod
    def all_of(
        cls, sources: Sequence[Source | EarmarkError], whole: Source, rate: int, memory: Memory
    ) -> tuple[Loan, list[Captured]] | None:
        """Copy a batch at once: one copy of all is quicker than one of each.

        Args:
            sources: The sounds of the batch.
            whole: All of them as one source.
            rate: In Hz, of each of them.
            memory: Where they are copied to.

        Returns:
            The loan, of which the caller is the first holder, and all sounds; `None` if something
            in it is no sound, is padding, or if there is no room for all at once.
        """
        found = [source for source in sources if not isinstance(source, EarmarkError)]
        size = found[0].num_bytes if found else 0
        if len(found) < max(2, len(sources)) or size * len(found) != whole.num_bytes:
            return None
        if whole.num_bytes > memory.limit:  # one by one they pass through
            return None
        if any(each.num_bytes != size or each.sample_rate not in (None, rate) for each in found):
            return None
        try:
            loan = Loan(memory, whole)
        except PendingFullError:
            return None
        parts = (loan.buffer[start : start + size] for start in range(0, whole.num_bytes, size))
        paired = zip(found, parts, strict=True)
        return loan, [cls._part(each, rate, loan, part) for each, part in paired]

    @classmethod
    def _part(cls, source: Source, rate: int, loan: Loan, buffer: Buffer) -> Captured:
        form = (source.shape, source.dtype, source.layout, source.num_frames)
        return cls(loan, buffer, rate, len(buffer), *form)

    def to_audio(self) -> Audio:
        """Make an `Audio` of it, until the loan ends: what needs the values happens here."""
        if self.loan.wait is not None:
            self.loan.wait()
        blocks = convert.decode_buffer(self.buffer, self)
        origin = BlocksOrigin(blocks, self.sample_rate)
        return Audio.from_origin(origin, self.sample_rate, None, measure(blocks))
