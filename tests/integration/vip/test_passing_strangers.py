"""What strangers, and servers that are hostile or forged, can do to the handover's kernel part."""

from __future__ import annotations

import socket
import struct

import pytest

from headrace.vip.handover.ruleset import DEVICE
from tests.harness.namespaces import Namespace, Namespaces
from tests.harness.passing_site import (
    STRANGER,
    VIPS,
    WEB,
    a_client,
    build,
    exchanged,
    icmp6,
    listening,
    opened,
    packet,
    segment,
    send,
    send_udp,
    summed,
    tunnelled,
)

IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
ADVERTISES, ASKS = 134, 135


def test_what_nobody_knows_is_passed_on_once_and_reset(namespaces: Namespaces) -> None:
    site = build(namespaces)
    with listening(site):
        send(site, [segment(port) for port in range(2000, 2300)])
    assert site.counted(1, "passed") == 300
    assert site.counted(2, "taken") == 300
    assert site.counted(2, "passed") == site.counted(1, "taken") == 0


def test_packets_do_not_go_round_for_ever(namespaces: Namespaces) -> None:
    """Servers that all believe that another one had it before."""
    site = build(namespaces, count=3)
    for number in (1, 2, 3):
        site.passes(number, to=number % 3 + 1, onward=number % 3 + 1)
    with listening(site):
        send(site, [segment(port) for port in range(2000, 2100)])
    assert [site.counted(number, "passed") for number in (1, 2, 3)] == [100, 100, 100]
    assert [site.counted(number, "taken") for number in (1, 2, 3)] == [100, 0, 0]


def test_what_is_too_much_is_dropped(namespaces: Namespaces) -> None:
    site = build(namespaces, most=100)
    with listening(site):
        send(site, [segment(port) for port in range(2000, 3000)])
    assert site.counted(1, "over") > 0
    assert site.counted(1, "over") + site.counted(1, "passed") == 1000


def test_a_flood_from_one_address_does_not_cut_others(namespaces: Namespaces) -> None:
    site = build(namespaces, most=1600)  # one sender may use 200 a second
    with listening(site) as listeners:
        client, server = opened(site, listeners, 2, VIPS[0])
        site.route(1)
        for _ in range(5):
            send(site, [segment(port) for port in range(2000, 4000)])
            exchanged(client, server, b"y" * 20_000)
    assert site.counted(1, "over") > 5000


@pytest.mark.parametrize("tunnel", [4, 6])
def test_the_tunnel_takes_nothing_from_strangers(namespaces: Namespaces, tunnel: int) -> None:
    site = build(namespaces, tunnel)
    frames = [tunnelled(site.mac(1), IPV4, segment(2000))] * 50
    own4, own6 = site.own(1)
    site.servers[0].ip("addr", "add", "10.99.77.1/32", "dev", "lo")
    site.router.ip("route", "add", "10.99.77.1/32", "via", own4)
    # At none of the server's addresses, nor from a process there.
    for to in (own4, own6, *VIPS, "10.99.77.1"):
        send_udp(site.router, to, frames)
    for to in ("127.0.0.1", "::1", own4, own6):
        send_udp(site.servers[0], to, frames)
    assert site.counted(1, "taken") == 0
    send_udp(site.servers[1], (own4, own6)[tunnel == 6], frames)
    assert site.counted(1, "taken") == 50
    # Nor at others, if a server sends it.
    for to in (*VIPS, "10.99.77.1"):
        send_udp(site.servers[1], to, frames)
    assert site.counted(1, "taken") == 50


def test_a_hostile_server_reaches_nothing_but_connections(namespaces: Namespaces) -> None:
    site = build(namespaces)
    first, second = site.servers[:2]
    mac, (own, _own6) = site.mac(1), site.own(1)
    before = entries(first)
    solicit = socket.inet_pton(socket.AF_INET6, VIPS[1])
    inner: list[tuple[int, bytes]] = [
        (IPV4, segment(2000, flags=0x02)),  # a new connection
        (IPV4, segment(2000, to=own)),  # another address
        (IPV4, segment(2000, to="127.0.0.1")),
        (IPV4, segment(2000, source="127.0.0.1")),
        (IPV4, segment(2000, source=own)),
        (IPV4, segment(2000, source=VIPS[0])),
        (IPV4, segment(2000, source="224.0.0.1")),
        (IPV4, packet(17, struct.pack("!HHHH", 1, 53, 8, 0))),
        (IPV4, packet(1, struct.pack("!BBHI", 8, 0, 0xF7FF, 0))),  # an echo, a redirect
        (IPV4, packet(1, struct.pack("!BBHI", 5, 1, 0xFAFE, 0) + segment(2000)[:28])),
        (IPV6, icmp6("fe80::6", VIPS[1], ADVERTISES, struct.pack("!IIII", 64 << 24, 1800, 0, 0))),
        *(
            (IPV6, icmp6(f"fe80::1:{number:x}", VIPS[1], ASKS, bytes(4) + solicit + b"\1\1" + mac6))
            for number in range(50)
            for mac6 in (bytes([2] * 6),)
        ),
        *(
            (ARP, struct.pack("!HHBBH", 1, IPV4, 6, 4, 1) + bytes([2] * 6)
             + socket.inet_aton(f"10.98.0.{number}") + bytes(6) + socket.inet_aton(VIPS[0]))
            for number in range(50)
        ),
    ]  # fmt: skip
    for destination in (mac, "ff:ff:ff:ff:ff:ff"):
        send_udp(second, own, [tunnelled(destination, kind, one) for kind, one in inner])
    assert site.counted(1, "taken") == site.counted(1, "passed") == 0
    assert site.counted(1, "refused") >= 2 * 59
    assert entries(first) == before


def entries(server: Namespace) -> list[str]:
    """The routes and neighbours that the tunnel has there."""
    texts = (server.ip(*words) for words in (("-6", "route"), ("-4", "route"), ("neigh",)))
    return sorted(line for text in texts for line in text.splitlines() if DEVICE in line)


def test_words_on_sizes_reach_both(namespaces: Namespaces) -> None:
    site = build(namespaces)
    inner = segment(WEB, source=VIPS[0], to=STRANGER)[:28]
    send(site, [packet(1, summed(struct.pack("!BBHHH", 3, 4, 0, 0, 1280) + inner))])
    assert site.counted(1, "passed") == site.counted(2, "taken") == 1


def test_copies_do_not_go_round_for_ever(namespaces: Namespaces) -> None:
    """Of connections that a stranger began at each server; and while all is in doubt."""
    site, unheard = build(namespaces, count=3), "198.51.100.9"
    for number in (1, 2, 3):
        site.passes(number, to=number % 3 + 1, onward=number % 3 + 1)
    begin = "type filter hook prerouting priority 0"
    site.router.nft(f"table ip un {{ chain un {{ {begin}; ip daddr {unheard} drop; }}; }}\n")
    with listening(site):
        for number in (1, 2, 3):
            site.route(number)
            send(site, [segment(port, flags=0x02, source=unheard) for port in range(2000, 2100)])
        site.route(1)
        send(site, [segment(port, source=unheard) for port in range(2000, 2100)])
        assert [site.counted(number, "passed") for number in (1, 2, 3)] == [100, 100, 100]
        assert [site.counted(number, "taken") for number in (1, 2, 3)] == [100, 100, 100]
        for number in (1, 2, 3):
            site.cookies(number)
        send(site, [segment(port, source=unheard) for port in range(3000, 3100)])
        assert [site.counted(number, "passed") for number in (1, 2, 3)] == [100, 100, 100]


def test_a_forged_opening_cuts_no_connection_of_another_server(namespaces: Namespaces) -> None:
    """A stranger who guesses a client's port makes half a connection where its packets go now."""
    site = build(namespaces)
    where = a_client(namespaces, site)
    with listening(site) as listeners:
        client, server = opened(site, listeners, 1, VIPS[0], where)
        address, port = client.getsockname()
        site.route(2)
        send(site, [segment(port, flags=0x02, source=address)])
        exchanged(client, server)
        assert "SYN-RECV" in site.servers[1].run("ss", "-Htan")
