"""Monitor: what every framework's `AudioMonitor` does. The hooks translate, the policy is here.

begin   is it due? ........................... once a validation loop
add     which examples, which sounds, captions  each batch, until all examples are there
end     publish the take ...................... once a validation loop
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from earmark.captions import Captions, Fields, item_fields
from earmark.draft import Draft
from earmark.errors import ArgumentError, ArgumentTypeError, shown
from earmark.metrics import Metric
from earmark.notices import Notices
from earmark.outputs.find import Found
from earmark.outputs.finder import Finder
from earmark.outputs.rows import rows
from earmark.outputs.sounds import Sounds
from earmark.ranks import Drawn, Policy, Ranks, checked_policy
from earmark.role_rates import RoleRates, checked_rates
from earmark.run import Run
from earmark.schedule import Position, Schedule
from earmark.selection import Selection, batch_ids, checked_examples, ids_on_device

_HAND_OVER_SECONDS = 2.0
"""How long a validation waits, so that a tracker has its clips on the row of its scalars."""


@dataclass
class Monitor:
    """Logs the same few examples of each validation loop that is due.

    Args:
        schedule: When a loop of training is due; each one, if there is none.
        max_examples: How many examples of each tag.
        examples: Which ones, instead: their identities, or their indices in the data set.
        finder: Finds the sounds in outputs and batches.
        captions: A template, a function of the fields, or `None` for the batch's text.
        metrics: Functions of a prediction and its target, by name.
        notices: Who is told of what could not be logged.
        sample_rate: In Hz, or by role; roles that are not named have the one found.
        ranks: Which ranks log which examples: `"zero"`, `"shard"` or `"all"`.
        found_rate: What is meant if neither `sample_rate` nor the sound itself says, in Hz.
        run: The run to log to; none on ranks that do not log.

    Raises:
        ArgumentError: If an argument has an impossible value.
        ArgumentTypeError: If an argument is of the wrong type.
        SampleRateError: If a sample rate is no positive integer.
    """

    schedule: Schedule | None = None
    max_examples: int = 8
    examples: Sequence[str | int] | None = None
    finder: Finder = field(default_factory=Finder)
    captions: str | Callable[[Fields], str] | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    notices: Notices = field(default_factory=Notices)
    sample_rate: int | Mapping[str, int] | None = None
    ranks: Policy = "zero"
    found_rate: int | None = None
    run: Run | None = None

    def __post_init__(self) -> None:
        _check_count(self.max_examples)
        self._chosen = checked_examples(self.examples)
        self._by_index = all(isinstance(name, int) for name in self.examples or [""])
        self._ranks = Ranks(checked_policy(self.ranks))
        self.sample_rate = checked_rates(self.sample_rate)
        self._captions = Captions(self.captions, self.metrics)
        self._drafts: dict[str, Draft] | None = None
        self._selections: dict[str, Selection] = {}
        self._last: Position | None = None
        self._now = Position(None, 0)
        self._forced = False
        self._came, self._told = False, 0

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

    def tell_of_sinks(self, count: int) -> None:
        """Say that the sinks of rank zero do not get what other ranks log, if these do.

        Args:
            count: How many sinks there are.
        """
        if count and self._ranks.is_spread:
            self.notices.tell(
                "sinks",
                "trackers get the clips of rank zero, where their loggers are: those of the other "
                "ranks are in the run beside them, and earmark push sends them",
            )

    def restart(self) -> None:
        """Begin a training anew: its first loop is due, and the chosen examples stay."""
        self._last = None

    def begin(
        self, *, epoch: int | None, step: int, final: bool = False, forced: bool = False
    ) -> None:
        """Begin a loop over the data, and decide whether it is logged.

        Args:
            epoch: Counted from 0; `None` in a loop that counts none.
            step: Where the scalars logged beside it land.
            final: Whether this is known to be the last loop of the training.
            forced: Whether to log it whatever the schedule says, and leave the schedule as it is.
        """
        self.cancel()
        self._now = Position(epoch, step)
        self._forced = forced
        self._came, self._told = False, self.notices.total
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
        self._came = True
        return self._selection(tag).wants(self._ids(batch))

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
            if self._ids(batch) is not None:
                return True
        return num_before < self.reach(is_shared=is_shared)

    def goes_on(self, tag: str, num_before: int, *, is_shared: bool) -> bool:
        """Whether a loop that is made for listening has to go on, which all ranks say alike.

        Args:
            tag: What the loop goes over.
            num_before: How many items came before the next batch.
            is_shared: Whether the ranks share the loader's items.
        """
        done = self._ranks.world_size == 1 and not self.wants(tag)
        return not done and num_before < self.reach(is_shared=is_shared)

    def reach(self, *, is_shared: bool) -> float:
        """How many of the first items that a rank draws may be among those that are logged.

        It is the same on every rank, for what all of them have to do equally often.

        Args:
            is_shared: Whether the ranks share the loader's items.
        """
        if self._chosen is None:
            return self._ranks.reach(self.max_examples, is_shared=is_shared)
        if not all(map(str.isdecimal, self._chosen)):
            return math.inf  # where in the data an identity is, nobody knows
        return math.ceil((max(map(int, self._chosen)) + 1) / self._ranks.shares(is_shared))

    def add(
        self,
        tag: str,
        outputs: Any,
        batch: Any,
        drawn: Callable[[int], Drawn],
        context: AbstractContextManager[Any] | None = None,
    ) -> None:
        """Log those examples of a batch that are wanted.

        Args:
            tag: What the loop goes over, for example `"val"`.
            outputs: What the model returned, or `Variants` of that.
            batch: What it was given.
            drawn: Says which items of the data set so many examples are.
            context: What to decode and transform sounds in.
        """
        if self.run is None or self._drafts is None:
            return
        self._came = True
        with self.notices.guard((tag, "batch"), f"a batch at step {self._now.step}"):
            found = self.finder.find(outputs, batch)
            for role, fault in found.faults.items():
                self.notices.fault((tag, role, type(fault)), self._lost(role), fault)
            items = drawn(found.count)
            names = self._names(tag, batch, items)
            picked = self._pick(tag, names, items)
            if picked:
                with context or nullcontext():
                    sounds = self._heard(tag, found, picked)
                draft = self._drafts.setdefault(tag, self.run.draft(**self._place, tag=tag))
                cut = {role: rows(value, picked) for role, value in found.lengths.items()}
                draft.add_batch(
                    {role: of.value for role, of in sounds.items()},
                    sample_rate=self._role_rates.given_to(sounds),
                    lengths=_lengths(sounds) | cut,
                    captions=[self._caption(tag, batch, position, names) for position in picked],
                    examples=[names[position] for position in picked],
                    metrics=self.metrics,
                )

    def _heard(self, tag: str, found: Found, picked: Sequence[int]) -> dict[str, Sounds]:
        heard: dict[str, Sounds] = {}
        for role, sounds in found.sounds.items():
            with self.notices.guard((tag, role), self._lost(role)):
                one = self.finder.heard(role, sounds, picked)
                came = found.sample_rates.get(role) if one.sample_rate is None else one.sample_rate
                paired = self._role_rates.paired(role, one.value, came)
                heard[role] = replace(one, value=paired)
        return heard

    @property
    def _role_rates(self) -> RoleRates:
        return RoleRates(self.sample_rate, self.found_rate)

    def _lost(self, role: str) -> str:
        return f"the {role} of a batch at step {self._now.step}"

    def _pick(self, tag: str, names: Sequence[str], items: Drawn) -> list[int]:
        known = [
            None if place is None else name
            for name, place in zip(names, items.places, strict=False)
        ]
        may_choose = self._ranks.may_choose(items, self.max_examples)
        return self._selection(tag).pick(known, may_choose)

    def _names(self, tag: str, batch: Any, drawn: Drawn) -> list[str]:
        ids = self._ids(batch)
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

    def _ids(self, batch: Any) -> list[str] | None:
        ids = batch_ids(batch)
        if not self._by_index or ids is None or all(map(str.isdecimal, ids)):
            return ids
        return None  # whoever asks for numbers, and has names, means indices

    def end(self) -> None:
        """Publish what was logged in this loop, one take for each tag."""
        drafts, self._drafts = self._drafts, None
        if drafts is None:
            return
        if not self._forced:
            self._last = self._now
            self._tell_of_missing()
        self._forget_lost()
        if self.run is not None:
            self._tell_of_nothing()
            for draft in drafts.values():
                self.run.submit(draft)
            self.run.hand_over(_HAND_OVER_SECONDS)

    def _tell_of_nothing(self) -> None:
        if self._came or self.notices.total > self._told:
            return
        self.notices.tell(
            "nothing",
            f"expected a batch or more in the loop at step {self._now.step}, got none, and nothing "
            "was logged: look whether its loader is empty; a plain loop hands each batch over, "
            "monitor.batch(outputs, batch)",
        )

    def _tell_of_missing(self) -> None:
        if self._chosen is None or self._ranks.world_size > 1:  # others may well have them
            return
        met = {name for selection in self._selections.values() for name in selection.seen}
        missing = [name for name in self._chosen if name not in met]
        if missing:
            self.notices.tell(
                "examples",
                f"expected the examples {', '.join(map(repr, missing))}, got none of them up to "
                f"step {self._now.step}: pass identities as the batches hold them, or indices in "
                "the data set as integers",
            )

    def _forget_lost(self) -> None:
        """Choose anew where the data are no longer those that examples were chosen from."""
        if self._chosen is not None:
            return
        for tag, selection in self._selections.items():
            if selection.chosen and selection.is_lost:
                self.notices.tell(
                    ("lost", tag),
                    f"none of the {tag} examples that were chosen before, such as "
                    f"{selection.chosen[0]!r}, came up at step {self._now.step}, so nothing was "
                    "logged: others are chosen in the next loop; give other data a monitor of "
                    "its own",
                )
                selection.forget()

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
        kept = {} if self._chosen is not None else state.get("examples", {})
        self._selections = {
            tag: self._ranks.restored(self.max_examples, chosen, state.get("world_size"))
            for tag, chosen in kept.items()
        }
        last = state.get("last")
        self._last = None if last is None else Position(*last)

    @property
    def _place(self) -> dict[str, Any]:
        return {"epoch": self._now.epoch, "step": self._now.step}

    def _selection(self, tag: str) -> Selection:
        if tag not in self._selections:
            chosen = self._chosen or ()
            quota = self._ranks.quota(self.max_examples) if self._chosen is None else len(chosen)
            self._selections[tag] = Selection(quota, chosen)
        return self._selections[tag]

    def _caption(self, tag: str, batch: Any, position: int, names: Sequence[str]) -> str:
        with self.notices.guard((tag, "caption"), f"the caption of {names[position]!r}"):
            known = {"tag": tag, "example": names[position], **self._place}
            return self._captions(item_fields(batch, position, len(names)) | known)
        return ""


def _check_count(max_examples: object) -> None:
    if isinstance(max_examples, bool) or not isinstance(max_examples, int):
        raise ArgumentTypeError(f"expected max_examples as an integer, got {shown(max_examples)}")
    if max_examples < 1:
        raise ArgumentError(
            f"expected max_examples of 1 or more, got {max_examples}: to switch logging off pass "
            "enabled=False"
        )


def _lengths(sounds: Mapping[str, Sounds]) -> dict[str, Any]:
    return {role: of.lengths for role, of in sounds.items() if of.lengths is not None}
