"""The model of a router's choice, by itself."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from headrace.bgp.announcement import GRACEFUL_SHUTDOWN, Announcement
from tests.harness.best_path import Router

VIP = IPv4Address("192.0.2.1")


def route(length: int = 32, **more: object) -> list[Announcement]:
    prefix = IPv4Network((VIP, length), strict=False)
    return [Announcement(prefix, **more)]  # type: ignore[arg-type]


def test_each_step_decides_when_those_before_are_equal() -> None:
    router = Router(("64500:2", "64500:1"))
    better = [
        (route(), route(31, communities=frozenset({(64500, 2)}))),
        (route(communities=frozenset({(64500, 2)}), prepend=9), route(med=0)),
        (route(communities=frozenset({(64500, 2)})), route(communities=frozenset({(64500, 1)}))),
        (route(prepend=1, med=9), route(prepend=2, med=1)),
        (route(med=1), route(med=2)),
        (route(med=9, prepend=9), route(communities=frozenset({GRACEFUL_SHUTDOWN}))),
    ]
    for good, bad in better:
        assert router.equally_good(VIP, {"a": bad, "b": good}) == ["b"]


def test_without_a_difference_the_id_decides_and_without_a_route_nobody_has_it() -> None:
    router = Router()
    assert router.equally_good(VIP, {"b": route(), "a": route()}) == ["a", "b"]
    assert router.chosen(VIP, {"b": route(), "a": route()}) == "a"
    assert router.chosen(IPv4Address("192.0.2.2"), {"b": route()}) is None
    assert Router(compares_med=False).equally_good(VIP, {"a": route(med=1), "b": route()}) == [
        "a",
        "b",
    ]
