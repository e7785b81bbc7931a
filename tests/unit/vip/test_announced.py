"""What a speaker is told of a plan, and what people are told of its changes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from headrace.bgp.announcement import Announcement, Family
from headrace.vip.announced import announceable, changed, heard_of, said_of
from headrace.vip.plan.floor import Neighbour
from headrace.vip.plan.health import Soundness
from headrace.vip.plan.model import Phase, Plan, PlannedVip, Standing, Why

V4, V6 = ip_address("192.0.2.1"), ip_address("2001:db8::1")


def planned(vip: str, med: int | None = 100, prefix: str = "") -> PlannedVip:
    """A VIP that is announced with a metric (None: it is not)."""
    address = ip_address(vip)
    route = None if med is None else Announcement(ip_network(prefix or vip), med=med)
    standing = Standing.OUT if route is None else Standing.SERVING
    return PlannedVip(address, "s1", 0, standing, Why.OWNER, announcement=route)


def test_only_what_has_a_session_of_its_family_is_said() -> None:
    plan = Plan("s1", (planned("192.0.2.1"), planned("2001:db8::1")))
    assert {one.family for one in announceable(plan, {Family.IPV4})} == {Family.IPV4}
    assert announceable(plan, set()) == frozenset()


def test_of_two_for_one_prefix_the_best_is_said() -> None:
    plan = Plan(
        "s1", (planned("192.0.2.0", 300, "192.0.2.0/31"), planned("192.0.2.1", 200, "192.0.2.0/31"))
    )
    (route,) = announceable(plan, set(Family))
    assert route.med == 200


def kinds(before: Plan, after: Plan) -> list[tuple[str, str]]:
    """What is told, and of which VIP."""
    return [(one.kind, one.about) for one in changed(before, after, 1.0)]


def test_each_change_is_told_once() -> None:
    none, out = Plan("s1"), Plan("s1", (planned("192.0.2.1", None),))
    in_, worse = Plan("s1", (planned("192.0.2.1"),)), Plan("s1", (planned("192.0.2.1", 500),))
    assert kinds(none, out) == [("planned", "192.0.2.1")]
    assert kinds(out, in_) == kinds(none, in_) == [("announced", "192.0.2.1")]
    assert kinds(in_, in_) == []
    assert kinds(in_, worse) == [("changed", "192.0.2.1")]
    assert kinds(worse, out) == kinds(worse, none) == [("withdrawn", "192.0.2.1")]
    failed = Plan("s1", (replace(out.vips[0], why=Why.FAILED, note="nothing listens"),))
    (event,) = changed(out, failed, 1.0)
    assert (event.kind, event.detail) == ("reason", "failed: nothing listens")


def test_the_note_of_a_check_alone_is_no_change() -> None:
    one = planned("192.0.2.1")
    assert kinds(Plan("s1", (one,)), Plan("s1", (replace(one, note="other words"),))) == []


def test_others_hear_of_what_serves_and_of_what_routers_hear() -> None:
    serving = planned("192.0.2.1")
    draining = replace(planned("192.0.2.2"), standing=Standing.WORST)
    plan = Plan("s1", (serving, draining, planned("2001:db8::1"), planned("2001:db8::2", None)))
    said = said_of(plan, Phase.SERVING, set(Family))
    assert said.addresses == {V4, V6}
    assert not said.leaving
    assert said_of(plan, Phase.LINGERING, set(Family)).leaving
    # Without a session, a neighbour that relied on it would leave the VIP to nobody.
    assert said_of(plan, Phase.SERVING, {Family.IPV4}).addresses == {V4}
    assert said_of(plan, Phase.SERVING, set()).addresses == frozenset()


def test_a_neighbour_that_is_otherwise_than_it_was_is_told_once() -> None:
    sound = Neighbour(Soundness.SOUND, 1.0)
    failed, drains = Neighbour(Soundness.FAILED, 2.0), replace(sound, leaving=True)

    def told(before: Neighbour | None, after: Neighbour, problem: str = "") -> list[str]:
        return [
            f"{one.kind} {one.about}: {one.detail}"
            for one in heard_of("s2", before, after, problem, 3.0)
        ]

    assert told(None, sound) == told(failed, sound) == ["neighbour s2: sound"]
    assert told(sound, failed, "no answer in time") == ["neighbour s2: failed: no answer in time"]
    assert told(sound, drains) == ["neighbour s2: sound, drains"]
    assert told(failed, replace(failed, at=9.0), "other words") == []


def test_a_change_says_how_good_the_route_is() -> None:
    (event,) = changed(
        Plan("s1"),
        Plan("s1", (replace(planned("192.0.2.1", 800), standing=Standing.WORSE, why=Why.JOINS),)),
        1.0,
    )
    assert event.detail == "joins, worse"
