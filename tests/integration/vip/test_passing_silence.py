"""The silence of a server that was cut off, in the kernel: nothing of its VIPs leaves, until it is
ended, and then what is open goes on.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

import pytest

from headrace.lab.namespaces.enter import inside
from headrace.vip.handover.ruleset import DEVICE, ruleset
from headrace.vip.handover.silence_rules import TABLE, no_silence, silence_rules, silent_in
from tests.harness.namespaces import Namespaces
from tests.harness.passing_site import (
    VIPS,
    WEB,
    WITHIN_S,
    PassingSite,
    build,
    exchanged,
    listening,
    opened,
)
from tests.harness.polling import eventually

DEVICES = ("up", DEVICE)
BACKOFF, RETRANSMITS = 4, 2
"""Places in the kernel's `tcp_info`."""


def silence(site: PassingSite, vips: Sequence[str] = VIPS, lasts_s: int = 60) -> None:
    """Have the first server keep back what these VIPs send."""
    rules = silence_rules([ip_address(one) for one in vips], DEVICES, lasts_s)
    site.servers[0].nft(rules)


def silent(site: PassingSite) -> frozenset[str]:
    """The VIPs that are silent at the first server."""
    text = site.servers[0].run("nft", "-j", "list", "table", "netdev", TABLE)
    return silent_in(text.encode())


def tried(server: socket.socket) -> bytes:
    """What the kernel says of its attempts to send."""
    return server.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)


def gives_up(site: PassingSite) -> None:
    """Let the second server have the VIPs, and know nobody to pass on to."""
    site.route(2)
    site.servers[1].nft(ruleset(replace(site.wishes[1], targets=())))


@pytest.mark.parametrize("vip", VIPS)
def test_what_is_open_goes_on_when_the_neighbour_passes_on_again(
    namespaces: Namespaces, vip: str
) -> None:
    site = build(namespaces)
    with listening(site) as listeners:
        client, server = opened(site, listeners, 1, vip)
        site.router.black_hole("n1")
        server.sendall(b"late")
        eventually(lambda: tried(server)[RETRANSMITS] >= 1, "the line loses it", WITHIN_S)
        silence(site)
        gives_up(site)
        site.router.heal()
        before = tried(server)
        more = before[RETRANSMITS] + 3
        eventually(lambda: tried(server)[RETRANSMITS] >= more, "it is tried again", WITHIN_S)
        # A full line is no loss: it does not wait longer each time.
        assert tried(server)[BACKOFF] <= before[BACKOFF] + 1
        assert silent(site) == set(VIPS)

        site.passes(2, to=1)
        site.servers[0].nft(no_silence())

        client.settimeout(WITHIN_S)
        assert client.recv(10) == b"late"
        exchanged(client, server)


def test_without_it_the_client_is_reset(namespaces: Namespaces) -> None:
    """So the test above can fail."""
    site = build(namespaces)
    with listening(site) as listeners:
        client, server = opened(site, listeners, 1, VIPS[0])
        gives_up(site)
        server.sendall(b"late")
        client.settimeout(WITHIN_S)
        assert client.recv(10) == b"late"
        with pytest.raises(ConnectionResetError):
            client.recv(10)


def test_a_packet_to_a_vip_ends_its_silence_and_no_other(namespaces: Namespaces) -> None:
    site = build(namespaces)
    with listening(site) as listeners:
        pairs = [opened(site, listeners, 1, vip) for vip in VIPS]
        silence(site)
        exchanged(*pairs[0])
        assert silent(site) == {VIPS[1]}
        # What another server passes on does not: it may give this one up the moment after.
        site.route(2)
        pairs[1][0].sendall(b"asks")
        pairs[1][1].settimeout(WITHIN_S)
        assert pairs[1][1].recv(10) == b"asks"
        assert silent(site) == {VIPS[1]}


def frame(to: bytes, vip: str) -> bytes:
    """A packet of TCP to a VIP, to the device with that MAC."""
    segment = struct.pack("!HHIIBBHHH", 1024, WEB, 1, 1, 5 << 4, 0x10, 1024, 0, 0)
    words = (0x45, 0, 20 + len(segment), 0, 0, 64, socket.IPPROTO_TCP, 0)
    addresses = socket.inet_aton("192.0.2.77") + socket.inet_aton(vip)
    return to + bytes(6) + b"\x08\x00" + struct.pack("!BBHHHBBH", *words) + addresses + segment


def test_a_packet_that_is_not_for_this_machine_ends_nothing(namespaces: Namespaces) -> None:
    """A switch floods what is sent to a VIP at its new server, whose place it does not know yet."""
    site = build(namespaces)
    own = bytes.fromhex(
        site.servers[0].run("cat", "/sys/class/net/up/address").strip().replace(":", "")
    )
    silence(site)
    with inside(site.router.name, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)) as line:
        line.bind(("n1", 0))
        line.send(frame(b"\x02\0\0\0\0\x63", VIPS[0]))
        assert silent(site) == set(VIPS)
        line.send(frame(own, VIPS[0]))
        eventually(lambda: silent(site) == {VIPS[1]}, "it is ended", WITHIN_S)


def test_it_ends_by_itself(namespaces: Namespaces) -> None:
    site = build(namespaces)
    with listening(site) as listeners:
        client, server = opened(site, listeners, 1, VIPS[0])
        silence(site, lasts_s=1)
        server.sendall(b"late")
        client.settimeout(WITHIN_S)
        assert client.recv(10) == b"late"


@pytest.mark.parametrize("vip", VIPS)
def test_a_server_reaches_its_own_vips_meanwhile(namespaces: Namespaces, vip: str) -> None:
    """Its checks do."""
    site = build(namespaces)
    with listening(site) as listeners:
        silence(site)
        client = inside(
            site.servers[0].name, lambda: socket.create_connection((vip, WEB), WITHIN_S)
        )
        site.open.append(client)
        listeners[0].settimeout(WITHIN_S)
        server = listeners[0].accept()[0]
        site.open.append(server)
        exchanged(client, server)
        assert silent(site) == set(VIPS)
