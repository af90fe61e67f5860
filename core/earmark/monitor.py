"""Monitor: what every framework's `AudioMonitor` does. The hooks translate, the policy is here.

begin   is it due? ........................... once a validation loop
add     which examples, which sounds, captions  each batch, until all examples are there
end     publish the take ...................... once a validation loop
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from earmark.audio import Audio
from earmark.captions import Captions, Fields, item_fields
from earmark.convert import unpair
from earmark.draft import Draft
from earmark.errors import ArgumentError, ArgumentTypeError, ShapeError, shown
from earmark.lengths import checked_hop
from earmark.notices import Notices
from earmark.ranks import Drawn, Policy, Ranks, checked_policy
from earmark.rate import checked_rate
from earmark.run import Run
from earmark.schedule import Position, Schedule
from earmark.selection import Selection, batch_ids, ids_on_device

Selector: TypeAlias = str | Callable[[Any, Any], Any]
"""Where a value is: a key of the outputs or of the batch, or a function of `(outputs, batch)`."""

_HAND_OVER_SECONDS = 2.0
"""How long a validation waits, so that a tracker has its clips on the row of its scalars."""

ROLES = ("input", "prediction", "target")
"""The roles that are looked for, each under its own name unless it is told another."""


@dataclass
class Monitor:
    """Logs the same few examples of each validation loop that is due.

    Args:
        schedule: When a loop of training is due; each one, if there is none.
        max_examples: How many examples of each tag.
        roles: Where the sound of a role is, if not under the role's name.
        lengths: Where the lengths of padded sounds are: a selector, or `(selector, hop_length)`.
        captions: A template, a function of the fields, or `None` for the batch's text.
        notices: Who is told of what could not be logged.
        sample_rate: In Hz, or by role.
        run: The run to log to; none on ranks that do not log.
        ranks: Which ranks log which examples: `"zero"`, `"shard"` or `"all"`.

    Raises:
        ArgumentError: If an argument has an impossible value.
        ArgumentTypeError: If an argument is of the wrong type.
        SampleRateError: If a sample rate is no positive integer.
    """

    schedule: Schedule | None = None
    max_examples: int = 8
    roles: Mapping[str, Selector] = field(default_factory=dict)
    lengths: Selector | tuple[Selector, int] | None = None
    captions: str | Callable[[Fields], str] | None = None
    notices: Notices = field(default_factory=Notices)
    sample_rate: int | Mapping[str, int] | None = None
    run: Run | None = None
    ranks: Policy = "zero"

    def __post_init__(self) -> None:
        _check_count(self.max_examples)
        self._ranks = Ranks(checked_policy(self.ranks))
        self.sample_rate = checked_rates(self.sample_rate)
        for role, selector in self.roles.items():
            _check_selector(role, selector)
        self._where_lengths, self._hop = _with_hop(self.lengths)
        self._captions = Captions(self.captions)
        self._drafts: dict[str, Draft] | None = None
        self._selections: dict[str, Selection] = {}
        self._last: Position | None = None
        self._now = Position(None, 0)
        self._forced = False

    @property
    def active(self) -> bool:
        """Whether a loop is being logged."""
        return self._drafts is not None

    def join(self, *, rank: int, world_size: int) -> None:
        """Take a place among the processes that train together.

        Args:
            rank: Counted from 0.
            world_size: How many there are.
        """
        self._ranks = Ranks(self._ranks.policy, rank, world_size)

    @property
    def writes(self) -> bool:
        """Whether this rank logs anything, and needs a run to log to."""
        return self._ranks.quota(self.max_examples) > 0

    def tell_of_sinks(self) -> None:
        """Say that the sinks of rank zero do not get what other ranks log, if these do."""
        if self._ranks.is_spread:
            self.notices.tell(
                "sinks",
                "trackers get the clips of rank zero, where their loggers are: those of the other "
                "ranks are in the run beside them, and earmark push sends them",
            )

    def restart(self) -> None:
        """Begin a training anew: its first loop is due, and the chosen examples stay."""
        self._last = None

    def begin(self, *, epoch: int, step: int, final: bool = False, forced: bool = False) -> None:
        """Begin a loop over the data, and decide whether it is logged.

        Args:
            epoch: Counted from 0.
            step: Where the scalars logged beside it land.
            final: Whether this is known to be the last loop of the training.
            forced: Whether to log it whatever the schedule says, and leave the schedule as it is.
        """
        self.cancel()
        self._now = Position(epoch, step)
        self._forced = forced
        self._drafts = {} if forced or self._is_due(final=final) else None
        for selection in self._selections.values():
            selection.restart()

    def _is_due(self, *, final: bool) -> bool:
        if self.schedule is None:
            return True
        with self.notices.guard("schedule", f"the loop at step {self._now.step}"):
            return self.schedule.due(self._now, self._last, final=final)
        return False

    def wants(self, tag: str, batch: Any = None) -> bool:
        """Whether a loop is being logged and examples of this tag are still to come.

        Args:
            tag: What the loop goes over.
            batch: A batch, to ask whether one of them may be in it.
        """
        if not self.active:
            return False
        return self._selection(tag).wants(batch_ids(batch))

    def predicts(self, tag: str, batch: Any, *, num_before: int, is_shared: bool) -> bool:
        """Whether a prediction of its own is to be made of a batch.

        A model may hold collectives, so every rank has to predict equally often. None knows what
        the others have chosen: only one that is alone may look for its examples.

        Args:
            tag: What the loop goes over.
            batch: The batch, as the model is given it.
            num_before: How many items came before it, by what every rank knows alike: how many
                batches did, and how large the loader says that they are.
            is_shared: Whether the ranks share the loader's items.
        """
        if not self.active:
            return False
        if self._ranks.world_size == 1:
            if not self.wants(tag, batch):
                return False
            if batch_ids(batch) is not None:
                return True
        return num_before < self._ranks.reach(self.max_examples, is_shared=is_shared)

    def add(self, tag: str, outputs: Any, batch: Any, drawn: Callable[[int], Drawn]) -> None:
        """Log those examples of a batch that are wanted.

        Args:
            tag: What the loop goes over, for example `"val"`.
            outputs: What the model returned.
            batch: What it was given.
            drawn: Says which items of the data set so many examples are.
        """
        if self.run is None or self._drafts is None:
            return
        with self.notices.guard((tag, "batch"), f"a batch at step {self._now.step}"):
            self._add(self.run, tag, outputs, batch, drawn)

    def _add(
        self, run: Run, tag: str, outputs: Any, batch: Any, drawn: Callable[[int], Drawn]
    ) -> None:
        sounds = self._sounds(outputs, batch)
        count = max(len(unpair(sound)[0]) for sound in sounds.values())
        items = drawn(count)
        names = self._names(tag, batch, items)
        known = [
            None if place is None else name
            for name, place in zip(names, items.places, strict=False)
        ]
        may_choose = self._ranks.may_choose(items, self.max_examples)
        picked = self._selection(tag).pick(known, may_choose)
        if picked and self._drafts is not None:
            captions = [""] * count
            for position in picked:
                captions[position] = self._caption(tag, batch, position, names)
            draft = self._drafts.setdefault(tag, run.draft(**self._place, tag=tag))
            draft.add_batch(
                sounds,
                sample_rate=self.sample_rate,
                lengths=self._lengths_of(outputs, batch),
                hop_length=self._hop,
                captions=captions,
                examples=names,
                picked=picked,
            )

    def _names(self, tag: str, batch: Any, drawn: Drawn) -> list[str]:
        ids = batch_ids(batch)
        key = ids_on_device(batch)
        if ids is None and key is not None:
            self.notices.tell(
                ("device", tag),
                f"the {key!r} of the {tag} batches is not read from its device, since that would "
                "hold the training: give each item its identity as text",
            )
        doubt = self._ranks.doubt(drawn, self.max_examples, named=ids is not None)
        if doubt is not None:
            self.notices.tell((doubt, tag), f"the {tag} loader {doubt}")
        return self._ranks.names(drawn) if ids is None else ids

    def end(self) -> None:
        """Publish what was logged in this loop, one take for each tag."""
        drafts, self._drafts = self._drafts, None
        if drafts is None:
            return
        if not self._forced:
            self._last = self._now
        if self.run is not None:
            for draft in drafts.values():
                self.run.submit(draft)
            self.run.hand_over(_HAND_OVER_SECONDS)

    def cancel(self) -> None:
        """Forget what was logged in this loop."""
        drafts, self._drafts = self._drafts, None
        for draft in (drafts or {}).values():
            draft.release()

    def state(self) -> dict[str, Any]:
        """What to keep in a checkpoint, in plain built-in types."""
        chosen = {tag: list(selection.chosen) for tag, selection in self._selections.items()}
        return {
            "examples": chosen,
            "last": None if self._last is None else list(self._last),
            "world_size": self._ranks.world_size,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint of rank zero kept."""
        self._selections = {
            tag: self._ranks.restored(self.max_examples, chosen, state.get("world_size"))
            for tag, chosen in state.get("examples", {}).items()
        }
        last = state.get("last")
        self._last = None if last is None else Position(*last)

    @property
    def _place(self) -> dict[str, Any]:
        return {"epoch": self._now.epoch, "step": self._now.step}

    def _selection(self, tag: str) -> Selection:
        quota = self._ranks.quota(self.max_examples)
        return self._selections.setdefault(tag, Selection(quota))

    def _sounds(self, outputs: Any, batch: Any) -> dict[str, Any]:
        if _ndim(unpair(outputs)[0]) > 0:
            outputs = {"prediction": outputs}
        sounds = {}
        for role in dict.fromkeys((*ROLES, *self.roles)):
            found = select(self.roles.get(role, role), outputs, batch)
            if found is not None:
                sounds[role] = _as_batch(role, found)
            elif role in self.roles or role == "prediction":
                raise ArgumentError(_not_found(role, self.roles.get(role, role), outputs, batch))
        return sounds

    def _lengths_of(self, outputs: Any, batch: Any) -> Any:
        if self._where_lengths is None:
            return None
        found = select(self._where_lengths, outputs, batch)
        if found is None:
            raise ArgumentError(_not_found("lengths", self._where_lengths, outputs, batch))
        return found

    def _caption(self, tag: str, batch: Any, position: int, names: Sequence[str]) -> str:
        with self.notices.guard((tag, "caption"), f"the caption of {names[position]!r}"):
            known = {"tag": tag, "example": names[position], **self._place}
            return self._captions(item_fields(batch, position, len(names)) | known)
        return ""


def select(selector: Selector, outputs: Any, batch: Any) -> Any:
    """Find a value in what a model returned, or else in what it was given; `None` if it is not."""
    if callable(selector):
        return selector(outputs, batch)
    for values in (outputs, batch):
        if isinstance(values, Mapping):
            if values.get(selector) is not None:
                return values[selector]
        elif not isinstance(values, list | tuple) or hasattr(values, "_fields"):
            found = None if _ndim(values) >= 0 else getattr(values, selector, None)
            if found is not None and not callable(found):
                return found
    return None


def _check_count(max_examples: object) -> None:
    if isinstance(max_examples, bool) or not isinstance(max_examples, int):
        raise ArgumentTypeError(f"expected max_examples as an integer, got {shown(max_examples)}")
    if max_examples < 1:
        raise ArgumentError(
            f"expected max_examples of 1 or more, got {max_examples}: to switch logging off pass "
            "enabled=False"
        )


def checked_rates(sample_rate: Any) -> int | dict[str, int] | None:
    """Make plain integers of a sample rate, or of one for each role.

    Raises:
        SampleRateError: If one is no positive integer.
    """
    if sample_rate is None:
        return None
    if isinstance(sample_rate, Mapping):
        return {str(role): checked_rate(rate) for role, rate in sample_rate.items()}
    return checked_rate(sample_rate)


def _with_hop(lengths: Any) -> tuple[Selector | None, int | None]:
    if lengths is None:
        return None, None
    where, hop_length = lengths if _is_pair(lengths) else (lengths, None)
    _check_selector("lengths", where, "; with frames of a hop, (key, hop_length)")
    return where, checked_hop(hop_length)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def _check_selector(name: str, selector: Any, more: str = "") -> None:
    if not (isinstance(selector, str) and selector) and not callable(selector):
        raise ArgumentTypeError(
            f"expected {name} as a key of the outputs or the batch, or a function of (outputs, "
            f"batch){more}, got {selector!r}"
        )


def _as_batch(role: str, found: Any) -> Any:
    """Take one sound for a batch of one."""
    if isinstance(found, Audio | str | bytes | os.PathLike):
        return [found]
    waveforms, _ = unpair(found)
    if _ndim(waveforms) == 1:
        return [found]
    if _ndim(waveforms) == 0 or not hasattr(waveforms, "__len__"):
        raise ShapeError(
            f"expected {role!r} as a batch of sounds, (B, T), (B, C, T) or a list, got "
            f"{describe(found)}: AudioMonitor({role}='key') says where else it is"
        )
    return found


def _not_found(name: str, selector: Any, outputs: Any, batch: Any) -> str:
    return (
        f"expected {name!r} under {selector!r}, got outputs {describe(outputs)} and a batch "
        f"{describe(batch)}: return a dict with {name!r} in it, or say where it is, "
        f"AudioMonitor({name}='key'), or pass predict="
    )


def describe(values: Any) -> str:
    """Say what keys and shapes there are in outputs or a batch."""
    if isinstance(values, Mapping):
        inner = ", ".join(f"{key}: {describe(value)}" for key, value in values.items())
        return f"{{{inner}}}"
    if isinstance(values, tuple):
        return f"({', '.join(describe(value) for value in values)})"
    if values is None or isinstance(values, bool | int | float):
        return repr(values)
    shape = getattr(values, "shape", None)
    return type(values).__name__ if shape is None else f"{type(values).__name__} {tuple(shape)}"


def _ndim(value: Any) -> int:
    return len(getattr(value, "shape", ())) if hasattr(value, "shape") else -1
