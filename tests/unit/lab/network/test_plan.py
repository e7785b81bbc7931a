"""What a lab consists of."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from headrace.lab.network.plan import Kind
from headrace.lab.network.topology import shipped
from tests.unit.lab.network.plans import plan_of


def test_the_two_isps_have_all_parts() -> None:
    plan = plan_of()
    count = {kind: len(plan.of(kind)) for kind in Kind}
    assert count == {
        Kind.EXCHANGE: 1,
        Kind.ISP: 2,
        Kind.CLIENT: 4,
        Kind.SERVER: 6,
        Kind.MID: 1,
        Kind.ORIGIN: 2,
        Kind.ROUTER: 1,
        Kind.OBSERVER: 2,
    }
    assert set(plan.lines) == set(plan.machines) - {"exchange"}


@pytest.mark.parametrize("name", shipped())
def test_names_of_devices_and_namespaces_fit_the_kernel(name: str) -> None:
    plan = plan_of(name)
    ports = [(line.upper, line.upper_device) for line in plan.lines.values()]
    assert len(set(ports)) == len(ports)
    assert all(len(device) <= 15 for _, device in ports)
    assert len({plan.namespace(machine) for machine in plan.machines}) == len(plan.machines)


def test_a_name_means_a_node_a_site_or_an_isp() -> None:
    plan = plan_of()
    assert [machine.name for machine in plan.group("oslo2")] == ["oslo2"]
    assert [machine.name for machine in plan.group("rome")] == ["rome1", "rome2", "rome3"]
    north = [machine.name for machine in plan.group("north")]
    assert north == ["north", "north-client1", "north-client2", "oslo1", "oslo2", "oslo3"]
    assert plan.group("paris") == []


def test_everybody_knows_the_way_to_both_isps() -> None:
    plan = plan_of()
    at_server = {route.prefix: route.via for route in plan.routes(plan.machines["oslo1"])}
    assert set(at_server) == {"0.0.0.0/0", "::/0"}
    assert at_server["0.0.0.0/0"] == "192.0.2.64"
    at_isp = {route.prefix: route.via for route in plan.routes(plan.machines["north"])}
    assert at_isp == {
        "198.51.100.0/24": plan.machines["south"].ipv4,
        "2001:db8:2::/48": plan.machines["south"].ipv6,
    }
    at_origin = [route.prefix for route in plan.routes(plan.machines["origin1"])]
    assert len(at_origin) == 4


def test_prefixes_of_one_vip_take_in_no_other() -> None:
    plan = plan_of("preferences")
    vips = [
        (ip_address(address), machine.site)
        for machine in plan.of(Kind.SERVER)
        for pair in machine.vips
        for address in pair
    ]

    assert len(vips) == len({address for address, _site in vips}) == 12
    specific = [address for address, site in vips if site == "tromso"]
    for vip in specific:
        # The owner's is one address; each worse one is a bit shorter.
        taken = ip_network((vip, vip.max_prefixlen - 2), strict=False)
        assert [address for address, _site in vips if address in taken] == [vip]
