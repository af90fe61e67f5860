"""Draft: a take that is being put together. It copies each sound as it comes, and reads none.

This is all that happens on the training thread: find out what a value is by its type, shape and
dtype; give it its place; copy its samples.
"""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

from earmark import convert
from earmark.audio import Audio
from earmark.captured import Captured, Loan, Reservation
from earmark.convert import Source
from earmark.errors import (
    ArgumentError,
    ArgumentTypeError,
    AudioTypeError,
    EarmarkError,
    PendingFullError,
    SampleRateError,
    ShapeError,
    shown,
)
from earmark.memory import Memory
from earmark.notices import Notices
from earmark.rate import agreed_rate, missing_rate
from earmark.samples import Layout

PerRole: TypeAlias = Any
"""One value for all roles, or a mapping from role to value."""

_Taken = TypeVar("_Taken")


@dataclass(eq=False)
class Entry:
    """A clip to be: a sound that nobody has looked into yet, in its place."""

    sound: Captured | Audio
    example: str
    role: str
    caption: str
    metrics: Mapping[str, Any]
    room: Loan | Reservation | None
    """What it takes up until it is published."""


@dataclass
class _Column:
    """One role of a batch."""

    batch: Any
    rate: int | None
    sounds: Sequence[Any]
    unrated: Callable[[], SampleRateError]
    """What to raise if a sound turns out to have no rate."""

    def copy(self, memory: Memory) -> list[Loan]:
        """Copy all sounds at once, if that is possible, and say what then has to be let go."""
        if self.rate is None or isinstance(self.batch, list | tuple):
            return []
        whole = convert.whole(self.batch)
        copied = None if whole is None else Captured.all_of(self.sounds, whole, self.rate, memory)
        if copied is None:
            return []
        loan, self.sounds = copied
        return [loan]


@dataclass
class Draft:
    """The entries of one take to be.

    Args:
        step: The step of all of them.
        epoch: Their epoch, if any.
        tag: What logs them.
        notices: Who is told of a sound that cannot be logged.
        memory: Where sounds are copied to.
        prefix: What stands before the number of an example that has no identity of its own.
        numbers: Such numbers.
        publish: Takes a part of the draft when there is no room for more of it.
        void: Whether to take nothing in, since nothing would come of it.
    """

    step: int
    epoch: int | None
    tag: str
    notices: Notices
    memory: Memory
    prefix: str = ""
    numbers: Iterator[int] = field(default_factory=itertools.count)
    publish: Callable[[Draft], None] | None = None
    void: bool = False
    entries: list[Entry] = field(default_factory=list)

    def add(
        self,
        sounds: Mapping[str, Any],
        *,
        sample_rate: PerRole = None,
        caption: str | None = None,
        example: Any = None,
        metrics: Mapping[str, Any] | None = None,
        layout: PerRole = None,
    ) -> None:
        """Add the sounds of one example, by role; what cannot be added is told and left out."""
        if self.void:
            return
        with self._guard("call", f"a call at step {self.step}"):
            name, numbers = self._name(example), _checked_metrics(metrics)
            for role, sound in _checked_sounds(sounds).items():
                with self._guard(role, self._lost(name, role)):
                    rate, axes = _of_role(sample_rate, role), _of_role(layout, role)
                    unrated = partial(missing_rate, role, sample_rate)
                    take_in = partial(_captured, sound, rate, self.memory, unrated, axes)
                    self._add(take_in, name, role, caption, numbers)

    def add_batch(
        self,
        sounds: Mapping[str, Any],
        *,
        sample_rate: PerRole = None,
        lengths: PerRole = None,
        hop_length: int | None = None,
        captions: Iterable[str | None] | None = None,
        examples: Iterable[Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        picked: Sequence[int] | None = None,
    ) -> None:
        """Add a batch of examples: for each role a tensor, an array, or a list of sounds.

        What cannot be added is told and left out. `picked` are the positions in the batch to add;
        all of them, if not given.
        """
        if self.void:
            return
        with self._guard("call", f"a call at step {self.step}"):
            columns = self._columns(_checked_sounds(sounds), sample_rate, lengths, hop_length)
            texts, names = _of_each("captions", captions), _of_each("examples", examples)
            numbers = {
                key: values if _is_single(values) else _of_each(f"metrics[{key!r}]", values)
                for key, values in _checked_metrics(metrics).items()
            }
            count = _common_length(
                {role: column.sounds for role, column in columns.items()}
                | {"captions": texts, "examples": names}
                | {f"metrics[{key!r}]": values for key, values in numbers.items()}
            )
            with self._copied(columns if picked is None else {}):
                for position in range(count) if picked is None else picked:
                    lost = f"example {position} of a batch at step {self.step}"
                    with self._guard("example", lost):
                        name, caption = self._name(_at(names, position)), _at(texts, position)
                        row = {key: _at(values, position) for key, values in numbers.items()}
                        self._add_row(columns, position, name, caption, row)

    def _columns(
        self, sounds: Mapping[str, Any], sample_rate: PerRole, lengths: PerRole, hop: int | None
    ) -> dict[str, _Column]:
        columns: dict[str, _Column] = {}
        for role, batch in sounds.items():
            with self._guard(role, f"the {role} of a batch at step {self.step}"):
                waveforms, own_rate = convert.unpair(batch)
                rate = agreed_rate(own_rate, _of_role(sample_rate, role))
                found = _found(waveforms, _of_role(lengths, role), hop)
                unrated = partial(missing_rate, role, sample_rate)
                columns[role] = _Column(waveforms, rate, found, unrated)
        return columns

    @contextmanager
    def _copied(self, columns: Mapping[str, _Column]) -> Generator[None]:
        """Copy the columns that one copy takes; what is not added of them is not kept."""
        loans: list[Loan] = []
        try:
            for role, column in columns.items():
                with self._guard(role, f"the {role} of a batch at step {self.step}"):
                    loans += column.copy(self.memory)
            yield
        finally:
            for loan in loans:
                loan.let_go()

    def _add_row(
        self,
        columns: Mapping[str, _Column],
        position: int,
        name: str,
        caption: str | None,
        metrics: Mapping[str, Any],
    ) -> None:
        for role, column in columns.items():
            with self._guard(role, self._lost(name, role)):
                sound, unrated = column.sounds[position], column.unrated
                take_in = partial(_captured, sound, column.rate, self.memory, unrated)
                self._add(take_in, name, role, caption, metrics)

    def _add(
        self,
        take_in: Callable[[], Captured | Audio],
        example: str,
        role: str,
        caption: str | None,
        metrics: Mapping[str, Any],
    ) -> None:
        role, text = _checked_role(role), _checked_text(caption)
        # Last, since a sound that is then refused would keep its memory.
        sound = self._with_room(take_in)
        if isinstance(sound, Captured):
            room: Loan | Reservation | None = sound.loan
        else:
            room = self._with_room(partial(Reservation.of, sound, self.memory))
            text = sound.caption or "" if caption is None else text
        self.entries.append(Entry(sound, example, role, text, metrics, room))

    def _with_room(self, take: Callable[[], _Taken]) -> _Taken:
        try:
            return take()
        except PendingFullError:
            if not self._publish_part():
                raise
            return take()

    def _publish_part(self) -> bool:
        """Have what is here published as a take of its own, and say whether that makes room."""
        # A take that is larger than all room would wait for itself.
        if self.publish is None or not any(entry.room for entry in self.entries):
            return False
        part, self.entries = replace(self), []
        self.publish(part)
        return True

    def release(self) -> None:
        """Give the memory of all sounds back."""
        while self.entries:
            self.give_back(self.entries.pop())

    def give_back(self, entry: Entry) -> None:
        """Give the memory of one sound back."""
        if entry.room is not None:
            entry.room.let_go()

    def _lost(self, example: str, role: str) -> str:
        return f"the {role} of example {example!r} at step {self.step}"

    def _guard(self, cause: str, lost: str) -> AbstractContextManager[None]:
        return self.notices.guard((self.tag, cause), lost)

    def _name(self, example: Any) -> str:
        if example is None:
            example = f"{self.prefix}{next(self.numbers)}"
        return example if isinstance(example, str) else str(_plain_identity(example))


def _captured(
    sound: Any,
    sample_rate: Any,
    memory: Memory,
    unrated: Callable[[], SampleRateError],
    layout: Layout | None = None,
) -> Captured | Audio:
    source: Source
    if isinstance(sound, Captured):
        sound.loan.hold()
        return sound
    if hasattr(sound, "copy_into"):
        source, known = sound, sound.sample_rate
    else:
        if isinstance(sound, EarmarkError):  # a new one: with its frames it would hold itself
            raise type(sound)(*sound.args)
        encoded = isinstance(sound, str | os.PathLike | bytes | bytearray | memoryview)
        if encoded or isinstance(sound, Audio) or hasattr(sound, "read"):
            return Audio(sound, sample_rate)
        waveform, own_rate = convert.unpair(sound)
        given = hasattr(waveform, "copy_into")
        source = waveform if given else convert.source(waveform, layout=layout)
        known = own_rate or source.sample_rate
    rate = agreed_rate(known, sample_rate)
    if rate is None:
        raise unrated()
    return Captured.of(source, rate, memory)


def _found(batch: Any, lengths: Any, hop_length: int | None) -> Sequence[Any]:
    if not isinstance(batch, list | tuple):
        return convert.sources(batch, lengths=lengths, hop_length=hop_length)
    if lengths is not None:
        raise ArgumentError(
            "expected lengths with a padded tensor or array, got them with a list of sounds: cut "
            "the sounds to their lengths"
        )
    return batch


def _of_each(name: str, values: Any) -> list[Any] | None:
    """Make a list, without reading a tensor's values."""
    if values is None:
        return None
    if isinstance(values, str | bytes | Mapping) or _is_single(values):
        raise ArgumentTypeError(
            f"expected {name} as a list, one for each example, got {shown(values)}: "
            "pass a list, or a tensor of one axis"
        )
    return list(values)


def _common_length(given: Mapping[str, Any]) -> int:
    counts = {name: len(values) for name, values in given.items() if not _is_single(values)}
    if len(set(counts.values())) > 1:
        raise ShapeError(
            f"expected as many of each in one batch, got {counts}: pass one for each example"
        )
    return next(iter(counts.values()), 0)


def _of_role(value: PerRole, role: str) -> Any:
    return value.get(role) if isinstance(value, Mapping) else value


def _at(values: Any, position: int) -> Any:
    return values[position] if isinstance(values, list) else values


def _is_single(value: Any) -> bool:
    return getattr(value, "shape", None) == () or callable(value) or not isinstance(value, Iterable)


def _plain_identity(example: Any) -> Any:
    try:
        return example.item() if hasattr(example, "item") else example
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentTypeError(
            f"expected an example's identity as text or a number, got {shown(example)}: "
            "pass one for each example, examples=[...] to log_batch"
        ) from error


def _checked_sounds(sounds: object) -> Mapping[str, Any]:
    if isinstance(sounds, Mapping):
        return sounds
    raise ArgumentTypeError(
        f"expected sounds by role, got {type(sounds).__name__}: pass {{'prediction': sound}}"
    )


def _checked_metrics(metrics: object) -> Mapping[str, Any]:
    if metrics is None:
        return {}
    if isinstance(metrics, Mapping):
        # Whose owner may well go on filling it, and counting in its tensors.
        return {name: _owned(value) for name, value in metrics.items()}
    raise ArgumentTypeError(
        f"expected metrics by name, got {type(metrics).__name__}: pass {{'si_sdr': 12.5}}"
    )


def _owned(metric: Any) -> Any:
    """Copy numbers that may change in place, in the order of their device, without reading one."""
    if isinstance(metric, list | tuple):
        return [_owned(value) for value in metric]
    if callable(metric) or not hasattr(metric, "shape"):
        return metric
    number = metric.detach() if hasattr(metric, "detach") else metric  # no graph is kept alive
    return number.clone() if hasattr(number, "clone") else copy.copy(number)


def _checked_text(caption: object) -> str:
    if caption is None or isinstance(caption, str):
        return caption or ""
    raise ArgumentTypeError(
        f"expected the caption as text, got {shown(caption)}: pass str(caption), "
        "or decode bytes and token ids first"
    )


def _checked_role(role: object) -> str:
    if isinstance(role, str) and role:
        return role
    raise AudioTypeError(
        f"expected a role's name, such as 'prediction', got {role!r}: pass {{'prediction': sound}}"
    )
