"""Where VIPs go, and when a lab is as it should be."""

from __future__ import annotations

import pytest

from headrace.lab.network.bird import Best
from headrace.lab.network.plan import Kind, LabPlan
from headrace.lab.network.routes import AtRouter, best_route, goes, settled
from tests.unit.lab.network.plans import plan_of


def routed(plan: LabPlan, *, others: int, via: str = "") -> dict[str, AtRouter]:
    """All VIPs at their owners, or all at one server, and so many others behind."""
    found: dict[str, AtRouter] = {one.name: AtRouter() for one in plan.of(Kind.ISP)}
    for machine in plan.of(Kind.SERVER):
        for vip in (address for pair in machine.vips for address in pair):
            prefix = f"{vip}/{128 if ':' in vip else 32}"
            session = f"{via or machine.name}_4"
            found[machine.isp].routes[prefix] = Best(prefix, session, others)
    return found


def test_a_lab_without_routes_is_not_settled() -> None:
    plan = plan_of("small")
    assert not settled(plan, {})
    assert not settled(plan, {"north": AtRouter({"oslo1_4": "Active"})})
    assert {one.via for one in goes(plan, {})} == {"-"}


@pytest.mark.parametrize("name", ["small", "two-isps"])
def test_a_lab_is_settled_when_owners_and_all_neighbours_announce(name: str) -> None:
    plan = plan_of(name)
    neighbours = 1 if name == "small" else 2
    assert settled(plan, routed(plan, others=neighbours))
    assert not settled(plan, routed(plan, others=neighbours - 1))
    assert not settled(plan, routed(plan, others=neighbours, via="oslo1"))


def test_the_longest_prefix_with_a_vip_in_it_counts() -> None:
    wide, narrow = Best("192.0.2.128/30", "oslo2_4", 0), Best("192.0.2.129/32", "oslo1_4", 0)
    router = AtRouter(routes={one.prefix: one for one in (wide, narrow)})
    assert best_route(router, "192.0.2.129") == narrow
    assert best_route(router, "192.0.2.130") == wide
    assert best_route(router, "192.0.2.140") is None
