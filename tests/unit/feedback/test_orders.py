"""Orders of operators: a broken observer that tells of impossible ones keeps no later one out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from headrace.feedback.order_join import believed, merge, new_orders
from headrace.feedback.orders import (
    MOST_BESIDE,
    MOST_SEQUENCE,
    MOST_WISHES,
    NO_ORDERS,
    Frozen,
    Mode,
    ModeOrder,
    OperatorWish,
    OrderError,
    Orders,
    Wish,
    choose_mode,
    freeze,
    wish_in_force,
    wish_server,
    wish_site,
)

NOW = 1_800_000_000.0


def poisoned(sequence: int) -> Orders:
    """Return orders that all have this sequence."""
    wish = OperatorWish(Wish.WITHDRAWN, sequence)
    return Orders(
        {"n1": (wish,)},
        {"north": (wish,)},
        (Frozen(True, sequence),),
        (ModeOrder(None, sequence),),
    )


def test_a_sequence_that_cannot_be_is_not_believed() -> None:
    for sequence in (MOST_SEQUENCE, MOST_SEQUENCE - 1, int(NOW + 61) * 1000):
        assert believed(poisoned(sequence), NOW) == NO_ORDERS
    sound = wish_server(NO_ORDERS, "n2", Wish.DRAINING, now=NOW)
    mixed = replace(merge(sound, poisoned(MOST_SEQUENCE)), modes=(ModeOrder(Mode.BOTH, 7),))
    assert believed(mixed, NOW) == replace(sound, modes=(ModeOrder(Mode.BOTH, 7),))


@given(st.integers(0, MOST_SEQUENCE), st.floats(0, 4e9))
def test_a_later_order_wins_against_all_that_was_believed(sequence: int, now: float) -> None:
    known = believed(poisoned(sequence), now)
    later = freeze(known, False)
    # A millisecond later everybody believes it, whoever's clock is that of the first or not.
    assert believed(later, now + 0.002) == later
    assert merge(known, later).freezes == later.freezes
    assert not merge(poisoned(sequence) if known != NO_ORDERS else known, later).frozen


def test_orders_are_believed_by_a_clock_that_was_never_set() -> None:
    orders = NO_ORDERS
    for _ in range(100):
        orders = wish_server(orders, "n1", Wish.ONLINE, now=NOW)
    assert believed(orders, 0.0) == orders


def test_a_wish_that_is_over_is_in_force_no_more() -> None:
    orders = wish_server(NO_ORDERS, "n1", Wish.DRAINING, now=NOW, until=NOW + 15.0)
    orders = wish_site(orders, "north", Wish.WITHDRAWN, now=NOW, until=NOW + 60.0)
    found = [wish_in_force(orders, "n1", "north", NOW + after) for after in (0.0, 15.0, 60.0)]
    assert [one and one.wish for one in found] == [Wish.DRAINING, Wish.WITHDRAWN, None]
    taken_back = wish_server(orders, "n1", Wish.NONE, now=NOW)
    one = wish_in_force(taken_back, "n1", "north", NOW)
    assert one is not None
    assert one.wish is Wish.WITHDRAWN


def test_new_orders_are_told_once_and_whole() -> None:
    wished = wish_site(NO_ORDERS, "north", Wish.DRAINING, now=NOW, reason="disks", by="ann")
    frozen = freeze(wished, True, reason="who did that", by="bob")
    assert list(new_orders(NO_ORDERS, NO_ORDERS)) == []
    [first] = new_orders(NO_ORDERS, wished)
    assert first["subject"] == "north"
    assert (first["wish"], first["reason"], first["by"]) == ("draining", "disks", "ann")
    [second] = new_orders(wished, frozen)
    assert second["subject"] == "view"
    assert (second["frozen"], second["reason"], second["by"]) == (True, "who did that", "bob")
    both = [one["subject"] for one in new_orders(NO_ORDERS, poisoned(3))]
    assert both == ["n1", "north", "view", "mode"]


def test_no_more_orders_are_taken_than_are_kept() -> None:
    wish = OperatorWish(Wish.DRAINING, 1)
    full = Orders({f"n{number}": (wish,) for number in range(MOST_WISHES)})
    assert wish_server(full, "n7", Wish.NONE, now=NOW) != full
    with pytest.raises(OrderError, match="more than 2000 wishes"):
        wish_server(full, "another", Wish.NONE, now=NOW)
    long = Orders(
        {
            f"n{number}": (replace(wish, reason="\x00" * 300, by="\x00" * 300),)
            for number in range(1200)
        }
    )
    with pytest.raises(OrderError, match="bytes"):
        wish_site(long, "north", Wish.DRAINING, now=NOW)


def test_an_order_says_what_it_replaces_and_of_no_more_than_there_are_observers() -> None:
    beside = tuple(
        OperatorWish(Wish.DRAINING, number, observer=f"o{number}") for number in range(40)
    )
    [made] = wish_server(Orders({"n1": beside}), "n1", Wish.NONE, now=0.0).servers["n1"]
    assert len(made.seen) == MOST_BESIDE
    assert made.seen["o39"] == 39
    [mode] = choose_mode(Orders(modes=(ModeOrder(None, 5, observer="a"),)), Mode.BOTH).modes
    assert (mode.seen, mode.sequence) == ({"a": 5}, 6)
