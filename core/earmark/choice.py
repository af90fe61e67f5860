"""Choice: which examples of each tag are logged, and what is said of those that do not come."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from earmark.errors import ArgumentError, ArgumentTypeError, shown
from earmark.notices import Notices
from earmark.ranks import Drawn, Ranks
from earmark.selection import Selection, batch_ids, checked_examples, ids_on_device


@dataclass
class Choice:
    """The same few examples of each tag, in every loop over the data.

    Args:
        max_examples: How many of each tag.
        examples: Which ones, instead: their identities, or their indices in the data set.
        ranks: What this process has to log.
        notices: Who is told of examples that do not come.

    Raises:
        ArgumentError: If `max_examples` or `examples` has an impossible value.
        ArgumentTypeError: If one of them is of the wrong type.
    """

    max_examples: int = 8
    examples: Sequence[str | int] | None = None
    ranks: Ranks = field(default_factory=Ranks)
    notices: Notices = field(default_factory=Notices)

    def __post_init__(self) -> None:
        _check_count(self.max_examples)
        self._chosen = checked_examples(self.examples)
        self._by_index = all(isinstance(name, int) for name in self.examples or [""])
        self._selections: dict[str, Selection] = {}

    @property
    def quota(self) -> int:
        """How many of the first examples this rank logs."""
        return self.ranks.quota(self.max_examples)

    def restart(self) -> None:
        """Begin another loop over the data."""
        for selection in self._selections.values():
            selection.restart()

    def wants(self, tag: str, batch: Any) -> bool:
        """Whether examples of this tag are still to come, and maybe in this batch."""
        return self._selection(tag).wants(self.ids(batch))

    def reach(self, *, is_shared: bool) -> float:
        """How many of the first items that a rank draws may be among those that are logged.

        It is the same on every rank, for what all of them have to do equally often.

        Args:
            is_shared: Whether the ranks share the loader's items.
        """
        if self._chosen is None:
            return self.ranks.reach(self.max_examples, is_shared=is_shared)
        if not all(map(str.isdecimal, self._chosen)):
            return math.inf  # where in the data an identity is, nobody knows
        return math.ceil((max(map(int, self._chosen)) + 1) / self.ranks.shares(is_shared))

    def ids(self, batch: Any) -> list[str] | None:
        """The identities that a batch gives its examples, if they are what was asked for."""
        ids = batch_ids(batch)
        if not self._by_index or ids is None or all(map(str.isdecimal, ids)):
            return ids
        return None  # whoever asks for numbers, and has names, means indices

    def names(self, tag: str, batch: Any, drawn: Drawn) -> list[str]:
        """Name the examples of a batch, and tell of names that may not last.

        Args:
            tag: What the loop goes over.
            batch: What may hold their identities.
            drawn: Which items of the data set they are.
        """
        ids = self.ids(batch)
        key = ids_on_device(batch)
        if ids is None and key is not None:
            self.notices.tell(
                ("device", tag),
                f"the {key!r} of the {tag} batches is not read from its device, since that would "
                "hold the training: give each item its identity as text",
            )
        doubt = self.ranks.doubt(drawn, self.max_examples, named=ids is not None)
        if doubt is not None:
            self.notices.tell((doubt, tag), f"the {tag} loader {doubt}")
        return self.ranks.names(drawn) if ids is None else ids

    def pick(self, tag: str, names: Sequence[str], drawn: Drawn) -> list[int]:
        """Say which positions of a batch to log.

        Args:
            tag: What the loop goes over.
            names: Those of its examples.
            drawn: Which items of the data set they are.
        """
        known = [
            None if place is None else name
            for name, place in zip(names, drawn.places, strict=False)
        ]
        may_choose = self.ranks.may_choose(drawn, self.max_examples)
        return self._selection(tag).pick(known, may_choose)

    def tell_of_missing(self, step: int | None) -> None:
        """Tell of examples that were asked for and did not come up to this step."""
        if self._chosen is None or self.ranks.world_size > 1:  # others may well have them
            return
        met = {name for selection in self._selections.values() for name in selection.seen}
        missing = [name for name in self._chosen if name not in met]
        if missing:
            self.notices.tell(
                "examples",
                f"expected the examples {', '.join(map(repr, missing))}, got none of them up to "
                f"step {step}: pass identities as the batches hold them, or indices in "
                "the data set as integers",
            )

    def forget_lost(self, step: int | None) -> None:
        """Choose anew where the data are no longer those that examples were chosen from."""
        if self._chosen is not None:
            return
        for tag, selection in self._selections.items():
            if selection.chosen and selection.is_lost:
                self.notices.tell(
                    ("lost", tag),
                    f"none of the {tag} examples that were chosen before, such as "
                    f"{selection.chosen[0]!r}, came up at step {step}, so nothing was "
                    "logged: others are chosen in the next loop; give other data a monitor of "
                    "its own",
                )
                selection.forget()

    def state(self) -> dict[str, Any]:
        """What to keep in a checkpoint, in plain built-in types."""
        chosen = {tag: list(selection.chosen) for tag, selection in self._selections.items()}
        return {"examples": chosen, "world_size": self.ranks.world_size}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint of rank zero kept."""
        kept = {} if self._chosen is not None else state.get("examples", {})
        self._selections = {
            tag: self.ranks.restored(self.max_examples, chosen, state.get("world_size"))
            for tag, chosen in kept.items()
        }

    def _selection(self, tag: str) -> Selection:
        if tag not in self._selections:
            chosen = self._chosen or ()
            quota = self.quota if self._chosen is None else len(chosen)
            self._selections[tag] = Selection(quota, chosen)
        return self._selections[tag]


def _check_count(max_examples: object) -> None:
    if isinstance(max_examples, bool) or not isinstance(max_examples, int):
        raise ArgumentTypeError(f"expected max_examples as an integer, got {shown(max_examples)}")
    if max_examples < 1:
        raise ArgumentError(
            f"expected max_examples of 1 or more, got {max_examples}: to switch logging off pass "
            "enabled=False"
        )
