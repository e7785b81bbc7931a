"""What another description would change, and for whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.topology.client_shares import moved, sizes
from headrace.topology.diff import difference
from headrace.topology.model import (
    AdminState,
    ContentClass,
    Coverage,
    SiteChoice,
    Topology,
    Withdrawal,
)
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.vips import Vip
from tests.harness.networks import a_server, two_sites

OLD = two_sites()
END = 64


@st.composite
def ranges(draw: st.DrawFn) -> list[tuple[int, int]]:
    starts = sorted(draw(st.sets(st.integers(1, END - 1), max_size=12)))
    return [(start, draw(st.integers(0, 3))) for start in (0, *starts)]


def value_at(table: list[tuple[int, int]], address: int) -> int:
    return [value for start, value in table if start <= address][-1]


@given(ranges(), ranges())
def test_sizes_are_those_of_every_address_by_itself(
    old: list[tuple[int, int]], new: list[tuple[int, int]]
) -> None:
    one_by_one = Counter((value_at(old, one), value_at(new, one)) for one in range(END))
    assert sizes(old, new, END) == one_by_one


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1.0}, {"a": 1.0}, 0.0),
        ({"a": 1.0}, {"b": 1.0}, 1.0),
        ({"a": 0.5, "b": 0.5}, {"a": 0.75, "b": 0.25}, 0.25),
        ({"a": 1.0}, {}, 1.0),
        ({}, {"a": 1.0}, 1.0),
        ({}, {}, 0.0),
    ],
)
def test_no_more_moves_than_must(
    before: dict[str, float], after: dict[str, float], expected: float
) -> None:
    assert moved(before, after) == expected


def test_the_same_changes_nothing() -> None:
    found = difference(OLD, two_sites())
    assert found.version_before == found.version_after
    assert not found.parts
    assert (found.clients_moved.v4, found.clients_moved.v6, found.shards_moved) == (0.0, 0.0, 0.0)
    assert found.others_moved == 0.0


def test_half_a_network_goes_elsewhere() -> None:
    near = Coverage(
        "near", (SiteChoice("south"),), prefixes=PrefixSet.of([ip_network("192.0.2.0/25")])
    )
    found = difference(OLD, replace(OLD, coverage=(*OLD.coverage, near)))
    assert found.clients_moved.v4 == 0.25  # 128 of two networks of 256
    assert found.clients_moved.v6 == 0.0
    assert [(part.kind, part.name, part.change) for part in found.parts] == [
        ("coverage", "near", "added")
    ]
    north, south = found.sites[0], found.sites[1]
    assert (north.clients_before.v4, north.clients_after.v4) == (0.5, 0.25)
    assert (south.clients_before.v4, south.clients_after.v4) == (0.5, 0.75)
    assert (south.clients_leave.v4, south.clients_come.v4) == (0.0, 0.25)
    change = next(one for one in found.coverage if one.after == "near")
    assert (change.before, change.v4_addresses, change.moved) == ("a", 128, 1.0)


def test_a_server_that_joins_takes_its_share_of_shards_and_no_more_move() -> None:
    more = (*OLD.servers, a_server("north3", "north", 77))
    found = difference(OLD, replace(OLD, servers=more))
    north = found.sites[0]
    assert 0.2 < north.shards_moved["vod"] < 1 / 3 + 0.05
    joined = next(one for one in found.servers if one.name == "north3")
    assert joined.change == "added"
    # A few more move than it gets, so that no server has too much.
    share = joined.shards_after["vod"]
    assert share <= north.shards_moved["vod"] <= share + 0.05
    assert found.sites[1].shards_moved == {"vod": 0.0}
    assert north.capacity_bps_after == 3 * 10**10


def test_a_withdrawn_site_loses_its_clients_to_the_next_order() -> None:
    servers = tuple(
        replace(one, state=AdminState.WITHDRAWN) if one.site == "north" else one
        for one in OLD.servers
    )
    found = difference(OLD, replace(OLD, servers=servers))
    assert found.clients_moved.v4 == 0.5
    assert found.others_moved == pytest.approx(0.5)
    assert found.sites[0].clients_after.v4 == 0.0


def test_a_class_with_other_keys_moves_nearly_all_its_shards() -> None:
    other = (replace(OLD.classes[0], shard_key="other{path}"),)
    assert difference(OLD, replace(OLD, classes=other)).sites[0].shards_moved["vod"] > 0.4


def test_what_is_lost_and_put_in_another_order_is_said() -> None:
    two = replace(OLD, classes=(*OLD.classes, ContentClass("img"), ContentClass("live")))
    new = replace(two, classes=(two.classes[1], two.classes[0]))
    found = [(part.name, part.change, part.fields) for part in difference(two, new).parts]
    assert found == [("live", "removed", []), ("*", "changed", ["order"])]


def test_from_nothing_and_to_nothing() -> None:
    for old, new in ((Topology(), OLD), (OLD, Topology())):
        found = difference(old, new)
        assert found.clients_moved.v4 == 1.0
        assert {part.change for part in found.parts} == {"added" if new is OLD else "removed"}


def test_another_schedule_of_maintenance_is_said_and_moves_nobody() -> None:
    new = replace(OLD, withdrawals=(Withdrawal(0.0, 1.0, site="north"),))
    found = difference(OLD, new)
    assert [(one.kind, one.change, one.fields) for one in found.parts] == [
        ("schedule", "changed", ["withdrawals"])
    ]
    assert (found.clients_moved.v4, found.shards_moved) == (0.0, 0.0)


def test_another_name_of_the_whole_network_is_a_change() -> None:
    named = difference(OLD, replace(OLD, name="ours")).parts
    (part,) = (one for one in named if one.change)
    assert (part.kind, part.name, part.fields) == ("network", "*", ["name"])


def test_other_vips_and_another_way_to_announce_them_are_said_and_move_no_shard() -> None:
    first, *others = OLD.servers
    site, *sites = OLD.sites
    new = replace(
        OLD,
        sites=(replace(site, announce=replace(site.announce, neighbours=1)), *sites),
        servers=(replace(first, vips=(Vip(IPv4Address("192.0.2.9")),)), *others),
    )
    found = difference(OLD, new)
    assert [(one.kind, one.name, one.fields) for one in found.parts] == [
        ("site", "north", ["announce"]),
        ("server", first.name, ["vips"]),
    ]
    assert (found.clients_moved.v4, found.shards_moved) == (0.0, 0.0)
