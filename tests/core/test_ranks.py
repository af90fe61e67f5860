"""Who logs which examples, decided by each rank for itself."""

from __future__ import annotations

import pytest

from earmark.errors import ArgumentError
from earmark.ranks import Drawn, Policy, Ranks, checked_policy


def crew(policy: Policy, world_size: int) -> list[Ranks]:
    """All ranks of one training."""
    return [Ranks(policy, rank, world_size) for rank in range(world_size)]


def shared_out(size: int, ranks: Ranks) -> Drawn:
    """What a `DistributedSampler` gives to one rank: as many items as to any other."""
    count = -(-size // ranks.world_size)
    places = [ranks.rank + index * ranks.world_size for index in range(count)]
    return Drawn([place if place < size else None for place in places], True, True)


def chosen(ranks: Ranks, drawn: Drawn, max_examples: int) -> list[str]:
    """What a rank logs of its first loop over the data."""
    names = ranks.names(drawn)
    selection = ranks.restored(max_examples, [], ranks.world_size)
    picked = selection.pick(names, ranks.may_choose(drawn, max_examples))
    return [names[position] for position in picked]


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [4, 7, 30])
def test_shared_examples_are_the_first_of_the_data_set(world_size: int, size: int) -> None:
    """Together the ranks log each of the first eight once, whoever draws it."""
    ranks = crew("shard", world_size)
    logged = [name for one in ranks for name in chosen(one, shared_out(size, one), 8)]
    assert sorted(logged) == sorted(str(index) for index in range(min(size, 8)))


def test_rank_zero_logs_the_first_that_it_draws() -> None:
    """The other ranks log nothing."""
    logged = [chosen(one, shared_out(30, one), 3) for one in crew("zero", 2)]
    assert logged == [["0", "2", "4"], []]


def test_every_rank_logs_the_first_that_it_draws() -> None:
    """An item that the sampler repeats for the second rank is logged by the first alone."""
    logged = [chosen(one, shared_out(5, one), 4) for one in crew("all", 2)]
    assert logged == [["0", "2", "4"], ["1", "3"]]


@pytest.mark.parametrize("in_order", [True, False])
def test_ranks_that_share_nothing_take_turns(in_order: bool) -> None:
    """If all draw the same items, each is logged once; if not, no two have the same name."""
    drawn = Drawn(range(30), in_order)
    logged = [chosen(one, drawn, 8) for one in crew("shard", 3)]
    assert logged == [["0", "3", "6"], ["1", "4", "7"], ["2", "5"]]


def test_names_of_ranks_that_share_nothing_say_the_rank() -> None:
    """Their first items may be the same or not: neither hides the other."""
    logged = [chosen(one, Drawn(range(30)), 2) for one in crew("all", 3)]
    assert logged == [["0", "1"], ["rank1-0", "rank1-1"], ["rank2-0", "rank2-1"]]


@pytest.mark.parametrize("policy", ["zero", "shard", "all"])
@pytest.mark.parametrize("is_shared", [True, False])
def test_all_ranks_reach_as_far(policy: Policy, is_shared: bool) -> None:
    """As far as the rank that logs the most, so that all of them predict equally often."""
    ranks = crew(policy, 3)
    (reach,) = {one.reach(8, is_shared=is_shared) for one in ranks}
    drawn = [shared_out(30, one) if is_shared else Drawn(range(30), True) for one in ranks]
    for one, items in zip(ranks, drawn, strict=True):
        logged = chosen(one, items, 8)
        assert logged == chosen(one, Drawn(items.places[:reach], True, is_shared), 8)


def test_a_checkpoint_holds_the_choice_of_rank_zero() -> None:
    """It goes on with it; another rank neither takes it over nor chooses any of it."""
    zero, one = crew("shard", 2)
    assert zero.restored(4, ["a", "b"], 2).pick(["c", "b", "a"]) == [1, 2]
    assert one.restored(4, ["a", "b"], 2).pick(["a", "d", "b", "c"]) == [1, 3]


def test_with_another_number_of_ranks_the_choice_is_made_anew() -> None:
    """Rank zero draws other items then; one that is alone draws all of them."""
    assert Ranks("zero", 0, 2).restored(2, ["1", "3"], 3).pick(["0", "2"]) == [0, 1]
    assert Ranks("zero", 0, 1).restored(2, ["1", "3"], 3).pick(["0", "1", "2", "3"]) == [1, 3]


def test_what_is_not_known_is_said_by_rank_zero() -> None:
    """Of a shuffled loader, or one that nobody shares out; and where all is known, nothing."""
    known, shuffled = Drawn([0], True, True), Drawn([0], False, True)
    zero, one = crew("shard", 2)
    assert zero.doubt(known, 8, named=False) is None
    assert zero.doubt(shuffled, 8, named=True) == (
        "does not say which rank draws which item of its data set: each rank logs its share of 8 "
        "examples, of the first items that it draws itself; pass shuffle=False and a "
        "DistributedSampler of torch"
    )
    assert one.doubt(shuffled, 8, named=True) is None
    assert Ranks().doubt(shuffled, 8, named=True) is None
    assert "its batches hold no id" in str(Ranks().doubt(shuffled, 8, named=False))


@pytest.mark.parametrize("policy", ["one", "", None, 0])
def test_other_policies_are_refused(policy: object) -> None:
    """The message names the three, and what each does."""
    message = "^expected ranks to be one of 'zero', 'shard', 'all', got .*: 'zero' logs on rank"
    with pytest.raises(ArgumentError, match=message):
        checked_policy(policy)
