"""Sites and servers by name."""

from __future__ import annotations

import copy
from dataclasses import fields, replace

import pytest

from headrace.topology.model import Server, Site, Topology
from tests.harness.networks import two_sites


def test_sites_and_servers_are_found_by_name() -> None:
    topology = two_sites()
    assert [topology.site(one.name) for one in topology.sites] == list(topology.sites)
    assert [topology.server(one.name) for one in topology.servers] == list(topology.servers)
    for unknown in ("", "nobody"):
        with pytest.raises(KeyError):
            topology.site(unknown)
        with pytest.raises(KeyError):
            topology.server(unknown)


def test_a_name_is_not_searched_for_again() -> None:
    class Counted(str):
        asked = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Counted.asked += 1
            return str.__eq__(self, other)

    names = [Counted(f"s{number}") for number in range(1000)]
    topology = Topology(
        sites=tuple(map(Site, names)), servers=tuple(Server(name, name, name) for name in names)
    )
    topology.site("s1"), topology.server("s1")
    Counted.asked = 0
    assert topology.site("s999").name == topology.server("s999").name == "s999"
    assert Counted.asked <= 10


def test_what_finds_names_is_no_part_of_the_value() -> None:
    asked, fresh = two_sites(), two_sites()
    asked.site("north"), asked.server("m1")
    assert asked == fresh
    assert hash(asked.sites) == hash(fresh.sites)
    assert copy.deepcopy(asked) == fresh
    assert [one.name for one in fields(asked)] == [
        "networks", "sites", "servers", "coverage", "classes", "withdrawals", "name"
    ]  # fmt: skip
    other = replace(asked, sites=asked.sites[:1])
    with pytest.raises(KeyError):
        other.site("south")
