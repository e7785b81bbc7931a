"""What is wanted of servers by the loop's view: who says it, and how long it counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.topology.model import AdminState, Withdrawal
from headrace.topology.view import Cause, ServerState, ServerView, View
from headrace.topology.vips import Announce
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.model import Phase, Standing, Why
from headrace.vip.plan.order import site_order
from headrace.vip.plan.wanted import (
    VIEW_AGE_S,
    Order,
    believed,
    is_seen_failed,
    only_ordered,
    wanted,
    wanted_of,
)
from tests.harness.announcing import SITE, AnnouncingSite
from tests.unit.vip.plan.sites import NOW, a_server, a_site, names_of

NETWORK = a_site([a_server(name) for name in names_of(3)], Announce(2, linger_s=10.0, drain_s=10.0))
ORDER = site_order(NETWORK, SITE)
OUT = ServerView(ServerState.FAILED, cause=Cause.ORDERED, until=NOW + 60.0)
LEAVES = ServerView(ServerState.DRAINING, cause=Cause.ORDERED, until=NOW + 60.0)
SEEN_FAILED = ServerView(ServerState.FAILED)
SEEN_DRAINING = ServerView(ServerState.DRAINING)
AWAY = ServerView(ServerState.DRAINING, cause=Cause.AWAY)


def view(made_at: float = NOW, **servers: ServerView) -> View:
    """A view."""
    return View(1, made_at, servers)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (OUT, AdminState.WITHDRAWN),
        (LEAVES, AdminState.DRAINING),
        (SEEN_DRAINING, AdminState.DRAINING),
        (SEEN_FAILED, AdminState.ONLINE),  # its own checks decide
        (AWAY, AdminState.ONLINE),  # it follows from what is announced
        (ServerView(ServerState.FULL), AdminState.ONLINE),
    ],
)
def test_what_a_view_comes_to(seen: ServerView, state: AdminState) -> None:
    found = wanted(ORDER, view(n1=seen), NOW)
    assert found["n1"].state is state
    assert found["n2"].state is AdminState.ONLINE


def test_an_order_ends_at_its_time_by_itself() -> None:
    for seen in (OUT, LEAVES):
        assert wanted(ORDER, view(n1=seen), NOW + 59.9)["n1"].state is not AdminState.ONLINE
        assert wanted(ORDER, view(n1=seen), NOW + 60.0)["n1"].state is AdminState.ONLINE
        forever = replace(seen, until=None)
        assert wanted(ORDER, view(n1=forever), 1e10)["n1"].state is not AdminState.ONLINE
    assert not is_seen_failed("n1", view(n1=OUT))
    assert is_seen_failed("n1", view(n1=SEEN_FAILED))


def test_of_an_old_view_orders_count_and_what_was_seen_of_others() -> None:
    both = view(n1=SEEN_DRAINING, n2=SEEN_FAILED, n3=OUT)
    assert believed(both, VIEW_AGE_S, "n1") is both
    assert set(believed(both, VIEW_AGE_S + 1, "n1").servers) == {"n3"}
    assert set(believed(both, VIEW_AGE_S + 1, "n2").servers) == {"n1", "n3"}
    assert set(only_ordered(both).servers) == {"n3"}


def test_what_the_loop_withdraws_is_worse_then_out_and_back_at_its_time() -> None:
    site = AnnouncingSite(NETWORK, NOW)
    site.settle()
    for one in site.servers.values():
        one.view = view(n1=OUT)
    site.settle()
    (mine,) = {one.why for one in site.step("n1").vips}
    assert mine is Why.DRAINS
    site.now += 11.0
    site.settle()
    assert {one.why for one in site.step("n1").vips} == {Why.WITHDRAWN}
    assert "by an order to the feedback loop, until 2027-01-15 08:01:00Z" in {
        one.note for one in site.step("n1").vips
    }
    # No observer is left, and the view grows old: the order ends all the same.
    site.now = NOW + 60.0
    site.settle()
    memory = site.servers["n1"].memory
    assert memory is not None
    assert memory.drain.phase is Phase.SERVING
    assert {one.standing for one in site.step("n1").vips} == {Standing.SERVING}


def test_a_site_that_the_loop_withdraws_as_a_whole_is_withdrawn_as_a_whole() -> None:
    site = AnnouncingSite(NETWORK, NOW)
    site.settle()
    for one in site.servers.values():
        one.view = view(n1=OUT, n2=OUT, n3=OUT)
    site.settle()
    site.now += 11.0
    site.settle()
    assert not any(site.routes().values())
    # One that is drained only, as all of the site may be, is not: somebody is to stay.
    for one in site.servers.values():
        one.view = view(n1=LEAVES, n2=LEAVES, n3=LEAVES)
    site.settle()
    assert all(site.routes().values())


def test_that_vips_are_away_never_keeps_them_away() -> None:
    """The loop says so since the server announced nothing; it must not hear that as an order."""
    site = AnnouncingSite(NETWORK, NOW)
    site.settle()
    site.servers["n1"].verdict = Verdict(Soundness.FAILED)
    site.settle()
    for one in site.servers.values():
        one.view = view(n1=AWAY)
    site.servers["n1"].verdict = Verdict(Soundness.SOUND, for_s=100.0)
    site.settle()
    assert {one.standing for one in site.step("n1").vips} == {Standing.SERVING}


def test_of_a_site_that_is_withdrawn_in_part_no_vip_is_left() -> None:
    network = a_site([a_server(name) for name in names_of(4)], Announce(1, linger_s=0.0))
    owner, second = site_order(network, SITE).vips[a_server("n1").vips[0].addresses[0]].names
    site = AnnouncingSite(network, NOW)
    site.settle()
    for one in site.servers.values():
        one.view = View(1, NOW, {owner: OUT, second: OUT})
    site.settle()
    site.now += 11.0
    site.settle()
    for vip in a_server("n1").vips[0].addresses:
        assert site.announcers(vip) == {owner: Standing.WORST, second: Standing.WORST}


def test_an_operators_words_stand_before_what_the_loop_sees_come_of_them() -> None:
    own = Order(AdminState.DRAINING, "new disks")

    assert wanted(ORDER, view(n1=SEEN_DRAINING), NOW, "n1", own)["n1"].note == "new disks"
    elsewhere = wanted(ORDER, view(n1=SEEN_DRAINING), NOW, "n2", own)["n1"]
    assert elsewhere.note.startswith("by the feedback loop")
    # An order to the loop that goes further counts, whatever was ordered here.
    assert wanted(ORDER, view(n1=OUT), NOW, "n1", own)["n1"].state is AdminState.WITHDRAWN


def test_planned_maintenance_says_until_when() -> None:
    order = replace(ORDER, withdrawals=(Withdrawal(0.0, 3600.0, "n1", reason="new fans"),))
    found = wanted(order, view(), 60.0)
    assert found["n1"].note == "maintenance: new fans, until 1970-01-01 01:00:00Z"
    assert found["n2"].state is AdminState.ONLINE
    assert wanted(order, view(), 3601.0)["n1"].state is AdminState.ONLINE


def test_of_one_server_alone_it_is_what_it_is_among_all() -> None:
    views = (view(), view(n1=OUT), view(n1=OUT, n2=OUT, n3=OUT), view(n1=LEAVES, n2=SEEN_DRAINING))
    orders = (None, Order(AdminState.DRAINING, "work"), Order(AdminState.WITHDRAWN, until=NOW))
    for seen in views:
        for own in orders:
            for name in ORDER.servers:
                all_of_them = wanted(ORDER, seen, NOW, name, own)
                assert wanted_of(ORDER, seen, NOW, name, own) == all_of_them[name]
