"""Orders given at several observers at once: nothing is lost, all come to the same, and whoever is
overruled is told. Whatever is told when, over whatever ways, and however often.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from headrace.feedback.order_join import (
    believed,
    heard,
    joined,
    knows,
    merge,
    new_orders,
    newly_overruled,
    without_forgotten,
)
from headrace.feedback.orders import (
    MOST_BESIDE,
    MOST_BYTES,
    MOST_WISHES,
    NO_ORDERS,
    REMEMBERED_S,
    Frozen,
    Mode,
    ModeOrder,
    OperatorWish,
    OrderError,
    Orders,
    Wish,
    bytes_of,
    choose_mode,
    freeze,
    in_force,
    overruled,
    wish_in_force,
    wish_server,
    wish_site,
)
from tests.unit.feedback.networks import network

NOW = 1_800_000_000.0
OBSERVERS = ("a", "b", "c")
Dot = tuple[str, str, int]


def dots(orders: Orders) -> set[Dot]:
    return {(name, one.observer, one.sequence) for _kind, name, one, _beside in orders.each()}


@dataclass
class Network:
    """Observers that tell each other, and what each operator could know of when he ordered."""

    orders: dict[str, Orders] = field(default_factory=lambda: dict.fromkeys(OBSERVERS, NO_ORDERS))
    knows: dict[str, set[Dot]] = field(default_factory=lambda: {name: set() for name in OBSERVERS})
    given: set[Dot] = field(default_factory=set)
    replaced: set[Dot] = field(default_factory=set)
    told: list[tuple[Orders, frozenset[Dot]]] = field(default_factory=list)

    def give(self, observer: str, what: str, wish: Wish, now: float) -> None:
        """Give an order at one of them."""
        known = self.orders[observer]
        if what == "view":
            made = freeze(known, wish is not Wish.NONE, now=now, observer=observer)
        elif what == "mode":
            mode = None if wish is Wish.NONE else Mode.STATES
            made = choose_mode(known, mode, now=now, observer=observer)
        else:
            take = wish_site if what == "north" else wish_server
            made = take(known, what, wish, now=now, observer=observer)
        self.orders[observer] = made
        [dot] = dots(made) - dots(known)
        self.replaced |= {one for one in self.knows[observer] if one[0] == what}
        self.given.add(dot)
        self.knows[observer].add(dot)

    def say(self, observer: str) -> None:
        """Put on the wire what one knows; it may be heard at any time, or never."""
        self.told.append((self.orders[observer], frozenset(self.knows[observer])))

    def hear(self, observer: str, message: int) -> None:
        """Hear something that was said, however long ago."""
        if self.told:
            orders, known = self.told[message % len(self.told)]
            self.orders[observer] = merge(self.orders[observer], orders)
            self.knows[observer] |= known

    def tell(self, one: str, other: str) -> None:
        """Let one hear at once what another knows."""
        self.orders[other] = merge(self.orders[other], self.orders[one])
        self.knows[other] |= self.knows[one]

    def heal(self) -> None:
        """Let all tell all."""
        for _ in range(2):
            for one in OBSERVERS:
                for other in OBSERVERS:
                    self.tell(one, other)


OBSERVER = st.sampled_from(OBSERVERS)
STEP = st.one_of(
    st.tuples(
        st.just("give"),
        OBSERVER,
        st.sampled_from(["n1", "n1", "n1", "north", "view", "mode"]),
        st.sampled_from(Wish),
        st.sampled_from([0.0, NOW, NOW + 3.0]),
    ),
    st.tuples(st.just("tell"), OBSERVER, OBSERVER),
    st.tuples(st.just("say"), OBSERVER),
    st.tuples(st.just("hear"), OBSERVER, st.integers(0, 1000)),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(STEP, min_size=8, max_size=40))
def test_nothing_is_lost_and_all_come_to_the_same(steps: list[tuple[object, ...]]) -> None:
    network = Network()
    for what, *arguments in steps:
        getattr(network, str(what))(*arguments)
    network.heal()
    first, *others = network.orders.values()
    assert all(one == first for one in others)
    # What is left is just what nobody replaced in knowledge of it.
    assert dots(first) == network.given - network.replaced
    for kind, name, one, _beside in first.each():
        assert all(knows(orders, kind, name, one) for orders in network.orders.values())


@settings(deadline=None)
@given(st.lists(STEP, max_size=30), st.lists(st.permutations(OBSERVERS), min_size=3, max_size=3))
def test_the_order_in_which_all_is_heard_is_of_no_matter(
    steps: list[tuple[object, ...]], ways: list[list[str]]
) -> None:
    network = Network()
    for what, *arguments in steps:
        getattr(network, str(what))(*arguments)
    results = []
    for way in ways:
        found = NO_ORDERS
        for name in way:
            found = merge(merge(found, network.orders[name]), found)
        results.append(found)
    assert results[0] == results[1] == results[2]
    a, b, c = (network.orders[name] for name in "abc")
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a


def test_of_two_at_the_same_moment_the_more_careful_counts_and_the_other_is_told() -> None:
    one = wish_server(NO_ORDERS, "n1", Wish.ONLINE, now=NOW, by="ann", observer="a")
    two = wish_server(NO_ORDERS, "n1", Wish.WITHDRAWN, now=NOW, by="bob", observer="b")
    both = merge(one, two)
    found = wish_in_force(both, "n1", "north", NOW)
    assert found is not None
    assert found.by == "bob"
    [told] = newly_overruled(one, both, NOW)
    assert (told["subject"], told["by"], told["wish"]) == ("n1", "ann", "online")
    assert told["overruled_by"] == {
        "wish": "withdrawn",
        "sequence": int(NOW),
        "by": "bob",
        "observer": "b",
        "at": NOW,
    }
    assert list(newly_overruled(both, both, NOW)) == []
    assert [line["by"] for line in new_orders(one, both)] == ["bob"]
    # Given again, in knowledge of the other, it counts.
    again = wish_server(both, "n1", Wish.ONLINE, now=NOW, by="ann", observer="a")
    assert dots(merge(again, two)) == dots(again)
    assert list(overruled(again, NOW)) == []


def test_the_overruled_one_counts_when_the_other_is_over() -> None:
    drain = wish_server(NO_ORDERS, "n1", Wish.DRAINING, now=NOW, observer="a")
    gone = wish_server(NO_ORDERS, "n1", Wish.WITHDRAWN, now=NOW, until=NOW + 60.0, observer="b")
    both = merge(drain, gone)
    found = [wish_in_force(both, "n1", "north", at) for at in (NOW, NOW + 60.0)]
    assert [one and one.wish for one in found] == [Wish.WITHDRAWN, Wish.DRAINING]


def test_whoever_takes_back_takes_back_what_he_could_know_of() -> None:
    old = wish_server(NO_ORDERS, "n1", Wish.DRAINING, now=NOW, observer="a")
    back = wish_server(old, "n1", Wish.NONE, now=NOW, observer="a")
    new = wish_server(old, "n1", Wish.WITHDRAWN, now=NOW, observer="b")
    found = wish_in_force(merge(back, new), "n1", "north", NOW)
    assert found is not None
    assert found.wish is Wish.WITHDRAWN
    frozen = freeze(NO_ORDERS, True, now=NOW, observer="a")
    thawed = freeze(frozen, False, now=NOW, observer="a")
    assert not merge(frozen, thawed).frozen
    assert merge(thawed, freeze(frozen, True, now=NOW, observer="b")).frozen
    states = choose_mode(NO_ORDERS, Mode.STATES, now=NOW, observer="a")
    mode = merge(states, choose_mode(NO_ORDERS, Mode.BOTH, now=NOW, observer="b")).mode
    assert mode is not None
    assert mode.mode is Mode.STATES


def test_an_observer_that_lost_what_it_kept_gives_orders_that_count() -> None:
    before = wish_server(NO_ORDERS, "n1", Wish.DRAINING, now=NOW, observer="a")
    seen = wish_server(before, "n1", Wish.NONE, now=NOW + 1.0, observer="b")
    fresh = wish_server(NO_ORDERS, "n1", Wish.WITHDRAWN, now=NOW + 60.0, observer="a")
    found = wish_in_force(merge(seen, fresh), "n1", "north", NOW + 60.0)
    assert found is not None
    assert found.wish is Wish.WITHDRAWN


def test_what_was_replaced_does_not_come_back_while_that_is_remembered() -> None:
    old = wish_server(NO_ORDERS, "n1", Wish.WITHDRAWN, now=NOW, observer="a")
    short = wish_server(old, "n1", Wish.DRAINING, now=NOW, until=NOW + 60.0, observer="b")
    later = without_forgotten(short, NOW + 60.0 + REMEMBERED_S - 1.0)
    assert wish_in_force(merge(later, old), "n1", "north", NOW + 600.0) is None
    assert without_forgotten(short, NOW + 60.0 + REMEMBERED_S) == NO_ORDERS


# Hostile ones.

SEEN = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2**53), max_size=4)
ANY_WISH = st.builds(
    OperatorWish,
    st.sampled_from(Wish),
    st.integers(0, 6),
    by=st.sampled_from(["ann", "bob"]),
    observer=st.sampled_from("abcd"),
    seen=SEEN,
)
ANY_ORDERS = st.builds(
    Orders,
    st.dictionaries(st.sampled_from(["n1", "n2"]), st.lists(ANY_WISH, max_size=5).map(tuple)),
    freezes=st.lists(
        st.builds(Frozen, st.booleans(), st.integers(0, 6), observer=st.sampled_from("ab")),
        max_size=3,
    ).map(tuple),
    modes=st.lists(st.builds(ModeOrder, st.sampled_from(Mode), st.integers(0, 6)), max_size=2).map(
        tuple
    ),
)


@settings(deadline=None)
@given(ANY_ORDERS, ANY_ORDERS, ANY_ORDERS)
def test_nonsense_comes_to_the_same_everywhere_as_well(a: Orders, b: Orders, c: Orders) -> None:
    a, b, c = (merge(NO_ORDERS, one) for one in (a, b, c))
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), merge(b, a)) == merge(a, b)
    # Told until nothing is new, all know the same.
    known = [a, b, c]
    for _ in range(3):
        for at in range(3):
            for other in range(3):
                known[at] = merge(known[at], known[other])
    assert known[0] == known[1] == known[2]
    for orders in known:
        for kind, name, one, beside in orders.each():
            assert knows(orders, kind, name, one)
            assert in_force(beside, NOW) in (None, *beside)


def test_a_broken_observer_cannot_make_orders_larger_than_they_may_be() -> None:
    wish = OperatorWish(Wish.DRAINING, 5, reason="\x00" * 300, by="\x00" * 300, observer="x")
    many: dict[str, tuple[OperatorWish, ...]] = {
        f"n{number}": (wish,) for number in range(MOST_WISHES)
    }
    sound = wish_server(NO_ORDERS, "m", Wish.WITHDRAWN, now=NOW, observer="a")
    found = merge(sound, Orders(many, many))
    assert sum(bytes_of(name, one) for _kind, name, one, _beside in found.each()) <= MOST_BYTES
    assert "m" in found.servers  # the latest stay
    beside = tuple(replace(wish, sequence=place, observer=f"o{place}") for place in range(90))
    assert len(joined(beside[:60], beside[60:])) == MOST_BESIDE
    assert believed(found, NOW) == found


def test_a_later_order_replaces_all_that_is_known_whatever_that_claims() -> None:
    sound = freeze(NO_ORDERS, True, now=NOW, observer="a")
    claims = {f"made up {number}": 2**53 for number in range(MOST_BESIDE)}
    hostile = Orders(freezes=(Frozen(True, int(NOW) + 1000, observer="x", seen=claims),))
    for known in (merge(sound, hostile), merge(hostile, sound)):
        thawed = freeze(known, False, now=NOW, observer="b")
        for told in (sound, hostile, known):
            assert dots(merge(thawed, told)) == dots(merge(told, thawed)) == dots(thawed)


def test_no_order_replaces_later_ones_that_its_operator_could_not_know_of() -> None:
    poison = Orders(freezes=(Frozen(False, int(NOW), observer="x", seen={"a": 2**53}),))
    one = freeze(poison, True, now=NOW, observer="a", by="ann")
    two = freeze(freeze(poison, False, now=NOW, observer="b"), False, now=NOW + 9, observer="b")
    assert merge(one, two).frozen


def test_wishes_for_what_nobody_describes_leave_room_for_those_of_operators() -> None:
    junk = (OperatorWish(Wish.DRAINING, int(NOW) + 5, observer="x"),)
    told = Orders({f"junk{number}": junk for number in range(MOST_WISHES)})
    known = wish_server(NO_ORDERS, "s0a0", Wish.WITHDRAWN, now=NOW, observer="a")
    joined_orders = heard(known, told, network(), NOW)
    assert joined_orders == known
    gone = wish_server(NO_ORDERS, "left", Wish.DRAINING, now=NOW, observer="a")
    back = wish_server(gone, "left", Wish.NONE, now=NOW, observer="b")
    assert heard(gone, back, network(), NOW) == back


def test_what_is_taken_back_by_a_clock_that_is_days_behind_is_taken_back() -> None:
    gone = wish_server(NO_ORDERS, "s0a0", Wish.WITHDRAWN, now=NOW, observer="a")
    back = wish_server(gone, "s0a0", Wish.NONE, now=NOW - 2 * REMEMBERED_S, observer="b")
    found = heard(gone, back, network(), NOW)
    assert wish_in_force(found, "s0a0", "s0", NOW) is None
    assert heard(found, back, network(), NOW) == found


def test_as_much_is_kept_of_what_is_joined_as_operators_may_give() -> None:
    orders = NO_ORDERS
    with pytest.raises(OrderError, match="bytes"):  # noqa: PT012
        for number in range(MOST_WISHES):
            orders = wish_server(
                orders,
                f"n{number}",
                Wish.DRAINING,
                now=NOW,
                reason="\x00" * 300,
                by="\x00" * 300,
                observer="a",
            )
    assert merge(orders, freeze(NO_ORDERS, True, now=NOW, observer="b")).servers == orders.servers
