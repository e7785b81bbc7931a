"""Which programs a lab has."""

from __future__ import annotations

from headrace.lab.network.programs import programs
from tests.unit.lab.network.plans import plan_of


def test_who_observes_starts_last_and_relays_first() -> None:
    plan = plan_of()
    slow = [line for line in plan.lines.values() if line.slow]
    found = programs(plan, slow)
    assert [one.key for one in found[:2]] == ["relay-north:relay", "relay-south:relay"]
    assert [one.name for one in found[-2:]] == ["feedback", "feedback"]
    assert len({one.key for one in found}) == len(found)


def test_a_server_has_an_edge_and_what_announces_its_addresses() -> None:
    names = [one.name for one in programs(plan_of("small"), []) if one.machine == "oslo1"]
    assert names == ["edge", "vip"]
