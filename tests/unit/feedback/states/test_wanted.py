"""What operators want of servers: orders, the schedule, the description, and who wins."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from headrace.feedback.order_join import merge, without_forgotten
from headrace.feedback.orders import (
    NO_ORDERS,
    REMEMBERED_S,
    Mode,
    Orders,
    Wish,
    choose_mode,
    freeze,
    wish_server,
    wish_site,
)
from headrace.feedback.states.model import State, Why
from headrace.feedback.states.wanted import wanted
from headrace.topology.model import AdminState, Topology, Withdrawal
from headrace.topology.view import ServerState
from tests.unit.feedback.networks import GONE, Loop, network, observed

NET = network(sites=2, servers=2)
LATER = Withdrawal(2000.0, 3000.0, server="s0a0", reason="disks", drain_s=500.0)


def scheduled(*withdrawals: Withdrawal, states: dict[str, AdminState] | None = None) -> Topology:
    """Return the network with a schedule, and servers described so."""
    servers = tuple(
        replace(server, state=(states or {}).get(server.name, server.state))
        for server in NET.servers
    )
    return replace(NET, servers=servers, withdrawals=withdrawals)


def wishes(topology: Topology, orders: Orders, now: float) -> dict[str, Wish]:
    """Return what is wanted by server."""
    return {name: one.wish for name, one in wanted(topology, orders, now).items()}


def test_maintenance_drains_withdraws_and_ends_by_itself() -> None:
    net = scheduled(LATER)
    at = {now: wishes(net, NO_ORDERS, now) for now in (1499.0, 1500.0, 1999.0, 2000.0, 3000.0)}
    assert at == {
        1499.0: {},
        1500.0: {"s0a0": Wish.DRAINING},
        1999.0: {"s0a0": Wish.DRAINING},
        2000.0: {"s0a0": Wish.WITHDRAWN},
        3000.0: {},
    }
    one = wanted(net, NO_ORDERS, 2500.0)["s0a0"]
    assert (one.by, one.note) == (Why.SCHEDULE, "disks")


def test_of_two_that_overlap_the_later_end_counts() -> None:
    longer = replace(LATER, start=2500.0, end=4000.0, reason="a move")
    for net in (scheduled(LATER, longer), scheduled(longer, LATER)):
        one = wanted(net, NO_ORDERS, 2600.0)["s0a0"]
        assert (one.wish, one.note, one.until) == (Wish.WITHDRAWN, "a move", 4000.0)
    described = scheduled(LATER, states={"s0a0": AdminState.WITHDRAWN})
    one = wanted(described, NO_ORDERS, 2600.0)["s0a0"]
    assert (one.by, one.until) == (Why.DESCRIPTION, None)


def test_maintenance_of_a_site_is_of_all_its_servers() -> None:
    net = scheduled(Withdrawal(0.0, 10.0, site="s1"))
    assert wishes(net, NO_ORDERS, 5.0) == {"s1a0": Wish.WITHDRAWN, "s1a1": Wish.WITHDRAWN}


def test_an_operator_is_above_the_schedule_and_the_server_above_its_site() -> None:
    net = scheduled(LATER)
    orders = wish_site(NO_ORDERS, "s0", Wish.DRAINING, now=0.0)
    assert wishes(net, orders, 2500.0) == {"s0a0": Wish.DRAINING, "s0a1": Wish.DRAINING}
    orders = wish_server(orders, "s0a0", Wish.ONLINE, now=0.0)
    assert wishes(net, orders, 2500.0) == {"s0a0": Wish.ONLINE, "s0a1": Wish.DRAINING}
    orders = wish_server(orders, "s0a0", Wish.NONE, now=0.0)
    orders = wish_site(orders, "s0", Wish.NONE, now=0.0)
    assert wishes(net, orders, 2500.0) == {"s0a0": Wish.WITHDRAWN}


def test_nothing_is_better_than_described() -> None:
    net = scheduled(states={"s0a0": AdminState.WITHDRAWN, "s0a1": AdminState.DRAINING})
    orders = wish_site(NO_ORDERS, "s0", Wish.ONLINE, now=0.0)
    assert wishes(net, orders, 0.0) == {"s0a0": Wish.WITHDRAWN, "s0a1": Wish.DRAINING}


def test_a_wish_ends_when_it_says_so() -> None:
    orders = wish_server(NO_ORDERS, "s0a0", Wish.WITHDRAWN, now=0.0, until=100.0)
    assert wishes(NET, orders, 99.0) == {"s0a0": Wish.WITHDRAWN}
    assert wishes(NET, orders, 100.0) == {}
    assert without_forgotten(orders, 99.0 + REMEMBERED_S) == orders
    assert without_forgotten(orders, 100.0 + REMEMBERED_S) == NO_ORDERS


def test_a_wish_that_was_taken_back_is_remembered_for_a_while() -> None:
    """Or an observer that was away would tell the old wish again."""
    old = wish_server(NO_ORDERS, "s0a0", Wish.WITHDRAWN, now=0.0)
    back = wish_server(old, "s0a0", Wish.NONE, now=0.0)
    assert wishes(NET, merge(without_forgotten(back, REMEMBERED_S - 1.0), old), 1.0) == {}
    assert without_forgotten(back, REMEMBERED_S) == NO_ORDERS


def test_a_withdrawn_server_returns_slowly_and_only_to_serve() -> None:
    loop = Loop(NET)
    loop.orders = wish_server(NO_ORDERS, "s0a0", Wish.WITHDRAWN, now=loop.now, reason="disks")
    step = loop.well()
    assert step.view.servers["s0a0"].state is ServerState.FAILED
    assert (step.changes[0].reasons, step.changes[0].note) == ((Why.OPERATOR,), "disks")

    loop.orders = wish_server(loop.orders, "s0a0", Wish.NONE, now=loop.now)
    loop.see(observed(NET, {"s0a0": GONE}))
    assert loop.states() == {"s0a0": State.FAILED}
    loop.well()
    assert loop.states() == {"s0a0": State.RECOVERING}
    loop.well(61)
    assert loop.states() == {}


def test_a_pinned_server_serves_whatever_is_seen() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": GONE}))
    loop.orders = wish_server(NO_ORDERS, "s0a0", Wish.ONLINE, now=loop.now)
    step = loop.see(observed(NET, {"s0a0": GONE}), 10)
    assert loop.states() == {}
    assert step.view.servers == {}


def test_a_draining_server_that_dies_has_failed_and_drains_again_when_it_is_back() -> None:
    loop = Loop(NET)
    loop.orders = wish_server(NO_ORDERS, "s0a0", Wish.DRAINING, now=loop.now)
    assert loop.well().view.servers["s0a0"].state is ServerState.DRAINING
    loop.see(observed(NET, {"s0a0": GONE}))
    assert loop.states() == {"s0a0": State.FAILED}
    assert loop.memory.states.servers["s0a0"].penalty == 0.0
    loop.well()
    assert loop.states() == {"s0a0": State.DRAINING}


ORDERS = st.lists(
    st.tuples(
        st.sampled_from(["s0", "s1", "s0a0", "freeze", "mode"]),
        st.sampled_from(Wish),
        st.sampled_from([*Mode, None]),
        st.booleans(),
    ),
    max_size=6,
)


def ordered(given_orders: list[tuple[str, Wish, Mode | None, bool]], observer: str = "a") -> Orders:
    """Return the orders given one after the other at one observer."""
    orders = NO_ORDERS
    for what, wish, mode, flag in given_orders:
        if what == "freeze":
            orders = freeze(orders, flag, observer=observer)
        elif what == "mode":
            orders = choose_mode(orders, mode, observer=observer)
        elif what in {"s0", "s1"}:
            orders = wish_site(orders, what, wish, now=0.0, observer=observer)
        else:
            orders = wish_server(orders, what, wish, now=0.0, observer=observer)
    return orders


@given(ORDERS, ORDERS, ORDERS)
def test_all_who_hear_the_same_orders_know_the_same(
    one: list[tuple[str, Wish, Mode | None, bool]],
    two: list[tuple[str, Wish, Mode | None, bool]],
    three: list[tuple[str, Wish, Mode | None, bool]],
) -> None:
    a, b, c = ordered(one, "a"), ordered(two, "b"), ordered(three, "c")
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a


@given(ORDERS, ORDERS)
def test_an_order_given_in_knowledge_of_others_counts(
    one: list[tuple[str, Wish, Mode | None, bool]],
    two: list[tuple[str, Wish, Mode | None, bool]],
) -> None:
    known = merge(ordered(one, "a"), ordered(two, "b"))
    later = wish_server(known, "s0a0", Wish.DRAINING, now=0.0)
    assert [one.wish for one in merge(known, later).servers["s0a0"]] == [Wish.DRAINING]
