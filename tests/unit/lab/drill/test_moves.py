"""Routes over time."""

from __future__ import annotations

import ipaddress
import socket
import struct

import pytest

from headrace.lab.drill.moves import Move, Route, Routes, at, back_s, left_owner_s
from headrace.lab.drill.netlink import messages, read_route

VIP = "192.0.2.129"
SERVERS = {"10.0.0.1": "oslo1", "10.0.0.2": "oslo2"}


def route(via: str, *, gone: bool = False) -> Route:
    return Route(ipaddress.ip_network(VIP), via, gone)


def test_a_new_route_before_the_old_one_goes() -> None:
    routes = Routes(SERVERS, [VIP])
    routes.heard(route("10.0.0.1"), 1.0)
    routes.heard(route("10.0.0.2"), 2.0)
    routes.heard(route("10.0.0.1", gone=True), 3.0)

    assert routes.moves == [Move(1.0, VIP, "oslo1"), Move(2.0, VIP, "oslo2")]
    assert routes.now() == {VIP: "oslo2"}


def test_the_old_one_goes_first() -> None:
    routes = Routes(SERVERS, [VIP])
    routes.heard(route("10.0.0.1"), 1.0)
    routes.heard(route("10.0.0.1", gone=True), 2.0)
    routes.heard(route("10.0.0.2"), 2.5)

    assert routes.moves[1:] == [Move(2.0, VIP, ""), Move(2.5, VIP, "oslo2")]
    assert left_owner_s(routes.moves, VIP, "oslo1", 1.5) == 1.0


def test_one_stands_in_place_of_the_other() -> None:
    routes = Routes(SERVERS, [VIP])
    routes.heard(route("10.0.0.1"), 1.0)
    routes.replaced(route("10.0.0.2"), 2.0)
    routes.replaced(route("10.0.0.1"), 7.0)

    assert [move.server for move in routes.moves] == ["oslo1", "oslo2", "oslo1"]
    assert back_s(routes.moves, VIP, "oslo1", 5.0) == 2.0


def test_the_longest_prefix_counts() -> None:
    routes = Routes(SERVERS, [VIP, "192.0.2.132"])
    shorter = ipaddress.ip_network("192.0.2.128/31")
    routes.heard(Route(shorter, "10.0.0.2", gone=False), 1.0)
    routes.heard(route("10.0.0.1"), 2.0)
    routes.heard(Route(ipaddress.ip_network("192.0.2.128/30"), "10.0.0.2", gone=False), 2.5)
    routes.heard(route("10.0.0.1", gone=True), 3.0)
    routes.heard(Route(shorter, "10.0.0.2", gone=True), 4.0)

    assert routes.moves == [
        Move(1.0, VIP, "oslo2"),
        Move(2.0, VIP, "oslo1"),
        Move(3.0, VIP, "oslo2"),
    ]
    assert routes.now() == {VIP: "oslo2"}


def test_back_counts_the_last_move_and_needs_the_owner() -> None:
    moves = [Move(1.0, VIP, "oslo1"), Move(2.0, VIP, "oslo2")]
    flaps = [*moves, Move(6.0, VIP, "oslo1"), Move(7.0, VIP, "oslo2"), Move(8.0, VIP, "oslo1")]

    assert back_s(moves, VIP, "oslo1", 5.0) is None
    assert back_s(flaps, VIP, "oslo1", 5.0) == 3.0


def test_it_never_left() -> None:
    moves = [Move(1.0, VIP, "oslo1")]

    assert left_owner_s(moves, VIP, "oslo1", 2.0) is None
    assert back_s(moves, VIP, "oslo1", 5.0) == 0.0
    assert at(moves, VIP, 0.5) == ""
    assert at(moves, VIP, 1.5) == "oslo1"


def netlink_route(destination: str, gateway: str, *, length: int | None = None) -> bytes:
    to, via = ipaddress.ip_address(destination), ipaddress.ip_address(gateway)
    family = socket.AF_INET if to.version == 4 else socket.AF_INET6
    head = struct.pack("=BBBBBBBBI", family, length or to.max_prefixlen, 0, 0, 254, 12, 0, 1, 0)
    parts = ((1, to.packed), (5, via.packed))
    return head + b"".join(
        struct.pack("=HH", 4 + len(value), kind) + value for kind, value in parts
    )


@pytest.mark.parametrize(
    ("vip", "via"), [(VIP, "10.0.0.1"), ("2001:db8:1:f::1", "2001:db8:1:100::2")]
)
def test_a_message_of_the_kernel_is_read(vip: str, via: str) -> None:
    body = netlink_route(vip, via)

    assert read_route(24, body) == Route(ipaddress.ip_network(vip), via, gone=False)
    assert read_route(25, body) == Route(ipaddress.ip_network(vip), via, gone=True)


def test_routes_to_networks_are_read_and_broken_messages_left_out() -> None:
    whole = netlink_route("10.1.0.0", "10.0.0.1", length=16)

    assert read_route(24, whole) == Route(
        ipaddress.ip_network("10.1.0.0/16"), "10.0.0.1", gone=False
    )
    assert read_route(24, netlink_route("10.1.2.0", "10.0.0.1", length=16)) is None
    assert read_route(24, b"") is None
    assert read_route(24, netlink_route(VIP, "10.0.0.1")[:16]) is None
    assert read_route(16, netlink_route(VIP, "10.0.0.1")) is None


def test_messages_of_one_datagram_are_told_apart() -> None:
    body = netlink_route(VIP, "10.0.0.1")
    one = struct.pack("=IHHII", 16 + len(body), 24, 0x400, 7, 0) + body

    assert list(messages(one + one)) == [(24, 0x400, 7, body)] * 2
    assert list(messages(one + one[:20])) == [(24, 0x400, 7, body)]
    assert list(messages(struct.pack("=IHHII", 3, 24, 0, 7, 0))) == []
