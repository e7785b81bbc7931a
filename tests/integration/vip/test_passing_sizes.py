"""Narrow lines: servers hear of a narrow line on the way to a client, and packets that are cut on
the way to a server arrive, of connections that are passed on.
"""

from __future__ import annotations

import itertools
import socket

import pytest

from tests.harness.namespaces import Namespaces
from tests.harness.passing_site import VIPS, a_client, build, exchanged, listening, opened

IP_MTU_DISCOVER, NEVER = 10, 0
BULK = b"z" * 3_000_000


@pytest.mark.parametrize("tunnel", [4, 6])
def test_a_line_that_becomes_narrow_is_heard_of(namespaces: Namespaces, tunnel: int) -> None:
    site = build(namespaces, tunnel, count=3)
    client_host = a_client(namespaces, site)
    with listening(site) as listeners:
        pairs = [
            opened(site, listeners, at, vip, client_host)
            for at, vip in itertools.product((1, 2, 3), VIPS)
        ]
        site.passes(3, to=2, onward=2)
        site.passes(2, to=3, onward=1)
        site.route(3)
        for client, server in pairs:
            exchanged(client, server)
        # The router alone knows it: neither end's line is narrow.
        site.router.ip("link", "set", "client", "mtu", "1300")
        for client, server in pairs:
            exchanged(client, server, BULK)
        for number in (1, 2):
            heard = site.servers[number - 1].ip("route", "show", "cache")
            assert "mtu 1300" in heard
            assert "mtu 1300" in site.servers[number - 1].ip("-6", "route", "show", "cache")


def test_pieces_reach_the_connection_wherever_it_is(namespaces: Namespaces) -> None:
    """Only the first piece of a packet says whose it is."""
    site = build(namespaces)
    client_host = a_client(namespaces, site)
    with listening(site) as listeners:
        pairs = [opened(site, listeners, at, VIPS[0], client_host) for at in (1, 2)]
        for client, _server in pairs:
            client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, NEVER)
        for at in (1, 2):
            narrow = ("mtu", "lock", "1300")
            site.router.ip("route", "replace", VIPS[0], "via", site.own(at)[0], *narrow)
            for client, server in pairs:
                exchanged(client, server)
    cut = [one for one in site.router.run("cat", "/proc/net/snmp").splitlines() if "Ip:" in one][:2]
    counted = dict(zip(*(line.split() for line in cut), strict=True))
    assert int(counted["FragCreates"]) > 100
