"""Who takes over what, in states that are assumed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.topology.vips import Announce
from headrace.vip.plan.assumed import ALL_WELL, Assumed, assumed_plans, carried, holders
from headrace.vip.plan.meanings import MEANINGS
from headrace.vip.plan.model import Why
from headrace.vip.plan.order import site_order
from headrace.vip.plan.pages import plan_lines, takeover_lines, vip_lines
from tests.harness.best_path import Router
from tests.unit.vip.plan.sites import NOW, a_server, a_site, names_of

ORDER = site_order(a_site([a_server(name, 2) for name in names_of(3)], Announce(2)), "north")
STATES = st.builds(
    Assumed,
    *(st.lists(st.sampled_from(names_of(3)), max_size=2, unique=True).map(tuple) for _ in range(3)),
)


@given(STATES)
@settings(max_examples=60)
def test_who_has_a_vip_is_whom_a_router_chooses(assumed: Assumed) -> None:
    plans = assumed_plans(ORDER, assumed, NOW)
    routes = {name: one.announcements for name, one in plans.items()}
    for vip in ORDER.vips:
        assert holders(plans).get(vip) == Router().chosen(vip, routes)


@given(STATES, st.sampled_from(names_of(3)))
@settings(max_examples=60)
def test_plans_of_before_a_failure_are_taken_where_they_are_the_same(
    assumed: Assumed, name: str
) -> None:
    more = replace(assumed, failed=(*assumed.failed, name))
    before = assumed_plans(ORDER, assumed, NOW)
    assert assumed_plans(ORDER, more, NOW, before) == assumed_plans(ORDER, more, NOW)


@given(STATES)
@settings(max_examples=60)
def test_no_load_is_lost_or_counted_twice(assumed: Assumed) -> None:
    found = carried(ORDER, assumed_plans(ORDER, assumed, NOW))
    for name, server in ORDER.servers.items():
        total = sum(by_owner.get(name, 0.0) for by_owner in found.values())
        assert total == pytest.approx(server.capacity_bps)
    assert ("" in found) is (set(assumed.failed) >= set(ORDER.servers))


def test_a_failed_servers_load_falls_upon_two_neighbours() -> None:
    found = carried(ORDER, assumed_plans(ORDER, Assumed(("n1",)), NOW))
    assert {name: by_owner["n1"] for name, by_owner in found.items()} == {"n2": 5e9, "n3": 5e9}


def test_the_table_of_takeovers_line_by_line() -> None:
    assert list(takeover_lines(ORDER, ALL_WELL, NOW)) == [
        "if a server fails",
        "server  its load goes to  the most of what it should carry",
        "n1      n2 50 %, n3 50 %  n3 ×1.50",
        "n2      n1 50 %, n3 50 %  n3 ×1.50",
        "n3      n1 50 %, n2 50 %  n2 ×1.50",
    ]
    assert list(takeover_lines(ORDER, Assumed(("n1",), ("n2",)), NOW)) == [
        "who carries what",
        "server  load   of whom",
        "n1      ×0.00  -",
        "n2      ×0.00  -",
        "n3      ×3.00  n1 100 %, n2 100 %, n3 100 %",
        "",
        "if one more server fails",
        "server  its load goes to  the most of what it should carry",
        "n2      -                 n3 ×3.00",
        "n3      n2 100 %          n2 ×3.00",
    ]
    alone = site_order(a_site([a_server("n1")]), "north")
    assert list(takeover_lines(alone, ALL_WELL, NOW))[-1] == "n1      nobody 100 %      -"


def test_pages_say_each_reason_in_words() -> None:
    assert set(MEANINGS) == set(Why)
    plans = assumed_plans(ORDER, Assumed(draining=("n1",)), NOW)
    (vip, *_) = plans["n1"].addresses
    text = "\n".join([*plan_lines(ORDER, plans["n1"]), *vip_lines(ORDER, plans, vip)])
    assert "6 of 6 announced" not in text  # both families
    assert "12 of 12 announced" in text
    assert "drains: it drains: worse than all others" in text
    assert text.endswith(f"{ORDER.vips[vip].names[1]} has it")


def test_a_server_without_anything_to_announce_says_so() -> None:
    bare = site_order(a_site([replace(a_server("n1"), vips=())]), "north")
    plans = assumed_plans(bare, ALL_WELL, NOW)
    assert list(plan_lines(bare, plans["n1"])) == ["n1 in north: 0 of 0 announced"]
