"""Ranks: which of the processes that train together logs which examples, without asking another.

zero    rank zero alone: the first examples that it draws
shard   every rank: those it draws of the first `max_examples` items of the data set
all     every rank: the first examples that it draws
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

from earmark.errors import ArgumentError, shown
from earmark.selection import Selection

Policy: TypeAlias = Literal["zero", "shard", "all"]
"""Who logs what."""


@dataclass(frozen=True)
class Drawn:
    """Which items a loader has drawn for a batch.

    Args:
        places: The index of each item in the data set, or its place in the loader's order, if that
            is another one; `None` for one that repeats another, so that all ranks draw equally
            many.
        in_order: Whether these are indices of the data set.
        is_shared: Whether the ranks share the items, so that no two of them draw one place.
        is_alike: Whether every rank draws the same items, as those of a demo set.
    """

    places: Sequence[int | None]
    in_order: bool = False
    is_shared: bool = False
    is_alike: bool = False


@dataclass(frozen=True)
class Ranks:
    """What one rank has to log. All that a rank decides, it decides by itself.

    Args:
        policy: Who logs what.
        rank: Which of them this process is, counted from 0.
        world_size: How many there are.
    """

    policy: Policy = "zero"
    rank: int = 0
    world_size: int = 1

    @property
    def is_spread(self) -> bool:
        """Whether other ranks than rank zero log as well."""
        return self.policy != "zero" and self.world_size > 1

    def quota(self, max_examples: int) -> int:
        """How many of `max_examples` this rank logs."""
        if self.policy == "zero":
            return 0 if self.rank else max_examples
        if self.policy == "all":
            return max_examples
        return len(range(self.rank, max_examples, self.world_size))

    def reach(self, max_examples: int, *, is_shared: bool) -> int:
        """How many of the first items that a rank draws may be among those it logs.

        It is the same on every rank, for what all of them have to do equally often.
        """
        if self.policy == "shard" and is_shared:
            return -(-max_examples // self.world_size)
        return max_examples

    def shares(self, is_shared: bool) -> int:  # noqa: FBT001 - its name says what it is
        """Among how many ranks the items of a loader are shared."""
        return self.world_size if is_shared else 1

    def may_choose(self, drawn: Drawn, max_examples: int) -> list[bool]:
        """Say of each item whether this rank may choose it."""
        return [self._may_choose(place, drawn, max_examples) for place in drawn.places]

    def _may_choose(self, place: int | None, drawn: Drawn, max_examples: int) -> bool:
        if place is None or self.policy != "shard":
            return place is not None
        # Ranks that share nothing may all draw the same: then each takes turns with the others.
        mine = drawn.is_shared or place % self.world_size == self.rank
        return mine and place < max_examples

    def doubt(self, drawn: Drawn, max_examples: int, *, named: bool) -> str | None:
        """Say what a loader should say and does not, what comes of it, and the way out.

        Args:
            drawn: What it does say.
            max_examples: How many examples are logged.
            named: Whether its batches hold the identities of their examples.

        Returns:
            What goes after the loader's name; `None` if all is known, and on all ranks but rank
            zero, since every rank has such a loader.
        """
        if self.rank > 0:
            return None
        is_known = drawn.is_alike or (drawn.is_shared and drawn.in_order)
        if self.policy == "shard" and self.is_spread and not is_known:
            return (
                "does not say which rank draws which item of its data set: each rank logs its "
                f"share of {max_examples} examples, of the first items that it draws itself; pass "
                "shuffle=False and a DistributedSampler of torch"
            )
        if named or drawn.in_order:
            return None
        return (
            "does not say which items it draws, and its batches hold no id: examples are named by "
            "their position, and are the same ones in every epoch only if the loader's order is; "
            "return an id with each item, or pass shuffle=False, and in a plain loop "
            "validation(loader=loader)"
        )

    def restored(self, max_examples: int, chosen: Sequence[str], world_size: Any) -> Selection:
        """Go on from what rank zero had chosen, which checkpoints keep: no other rank's choice.

        Args:
            max_examples: How many examples are logged.
            chosen: The identities that rank zero had chosen.
            world_size: How many ranks there were; with another number, each draws other items.
        """
        quota = self.quota(max_examples)
        if self.world_size > 1 and world_size not in (None, self.world_size):
            return Selection(quota)
        if self.rank == 0:
            return Selection(quota, chosen)
        return Selection(quota, taken=chosen if self.policy == "shard" else ())

    def names(self, drawn: Drawn) -> list[str]:
        """Name items by their places, so that no two ranks give two of them one name."""
        # Under "shard" two ranks never choose the same place; under "all", they may.
        apart = self.rank > 0 and self.policy == "all" and not drawn.is_shared
        prefix = rank_prefix(self.rank) if apart else ""
        return [f"{prefix}{place}" for place in drawn.places]


def rank_prefix(rank: int) -> str:
    """What stands before a number that other ranks may also have counted to."""
    return f"rank{rank}-" if rank else ""


def checked_policy(policy: Any) -> Policy:
    """Refuse what is no policy.

    Raises:
        ArgumentError: If it is none.
    """
    if policy not in get_args(Policy):
        raise ArgumentError(
            f"expected ranks to be one of 'zero', 'shard', 'all', got {shown(policy)}: 'zero' logs "
            "on rank zero alone, 'shard' shares the examples among the ranks, 'all' logs on each"
        )
    return cast("Policy", policy)
