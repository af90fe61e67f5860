"""Monitor: what every framework's `AudioMonitor` does. The hooks translate, the policy is here.

begin   is it due? ........................... once a validation loop
add     which examples, which sounds, captions  each batch, until all examples are there
end     publish the take ...................... once a validation loop
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from earmark.captions import Captions, Fields, item_fields
from earmark.choice import Choice
from earmark.draft import Draft
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
        ranks = Ranks(checked_policy(self.ranks))
        self._choice = Choice(self.max_examples, self.examples, ranks, self.notices)
        self.sample_rate = checked_rates(self.sample_rate)
        self._captions = Captions(self.captions, self.metrics)
        self._drafts: dict[str, Draft] | None = None
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
        self._choice.ranks = Ranks(self._choice.ranks.policy, rank, world_size)

    @property
    def writes(self) -> bool:
        """Whether this rank logs anything, and needs a run to log to."""
        return self._choice.quota > 0

    def tell_of_sinks(self, count: int) -> None:
        """Say that the sinks of rank zero do not get what other ranks log, if these do.

        Args:
            count: How many sinks there are.
        """
        if count and self._choice.ranks.is_spread:
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
        self._choice.restart()

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
        return self._choice.wants(tag, batch)

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
        if self._choice.ranks.world_size == 1:
            if not self.wants(tag, batch):
                return False
            if self._choice.ids(batch) is not None:
                return True
        return num_before < self.reach(is_shared=is_shared)

    def goes_on(self, tag: str, num_before: int, *, is_shared: bool) -> bool:
        """Whether a loop that is made for listening has to go on, which all ranks say alike.

        Args:
            tag: What the loop goes over.
            num_before: How many items came before the next batch.
            is_shared: Whether the ranks share the loader's items.
        """
        done = self._choice.ranks.world_size == 1 and not self.wants(tag)
        return not done and num_before < self.reach(is_shared=is_shared)

    def reach(self, *, is_shared: bool) -> float:
        """How many of the first items that a rank draws may be among those that are logged.

        It is the same on every rank, for what all of them have to do equally often.

        Args:
            is_shared: Whether the ranks share the loader's items.
        """
        return self._choice.reach(is_shared=is_shared)

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
            names = self._choice.names(tag, batch, items)
            picked = self._choice.pick(tag, names, items)
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

    def end(self) -> None:
        """Publish what was logged in this loop, one take for each tag."""
        drafts, self._drafts = self._drafts, None
        if drafts is None:
            return
        if not self._forced:
            self._last = self._now
            self._choice.tell_of_missing(self._now.step)
        self._choice.forget_lost(self._now.step)
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

    def cancel(self) -> None:
        """Forget what was logged in this loop."""
        drafts, self._drafts = self._drafts, None
        for draft in (drafts or {}).values():
            draft.release()

    def state(self) -> dict[str, Any]:
        """What to keep in a checkpoint, in plain built-in types."""
        return self._choice.state() | {"last": None if self._last is None else list(self._last)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint of rank zero kept."""
        self._choice.restore(state)
        last = state.get("last")
        self._last = None if last is None else Position(*last)

    @property
    def _place(self) -> dict[str, Any]:
        return {"epoch": self._now.epoch, "step": self._now.step}

    def _caption(self, tag: str, batch: Any, position: int, names: Sequence[str]) -> str:
        with self.notices.guard((tag, "caption"), f"the caption of {names[position]!r}"):
            known = {"tag": tag, "example": names[position], **self._place}
            return self._captions(item_fields(batch, position, len(names)) | known)
        return ""


def _lengths(sounds: Mapping[str, Sounds]) -> dict[str, Any]:
    return {role: of.lengths for role, of in sounds.items() if of.lengths is not None}
