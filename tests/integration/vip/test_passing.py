"""The kernel's part alone: two servers with the rules, a router, and what strangers send."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from headrace.lab.namespaces.enter import inside
from headrace.topology.vips import Announce, Vip
from headrace.vip.handover.counted import read_counters
from headrace.vip.handover.loose import loosen
from headrace.vip.handover.ruleset import DEVICE, TABLE, ruleset
from headrace.vip.handover.tunnel import connect, forward, make
from headrace.vip.handover.wish import wish_of
from headrace.vip.plan.order import site_order
from tests.harness.namespaces import Namespace, Namespaces
from tests.unit.vip.plan.sites import a_server, a_site

PORT, WEB, WITHIN_S = 8094, 80, 20.0
VIPS = ("192.0.2.1", "2001:db8::1")
STRANGER = "198.51.100.7"
BULK = b"x" * 300_000


@dataclass
class Servers:
    """The router's namespace, and those of the servers n1 and n2."""

    router: Namespace
    servers: list[Namespace]

    def route(self, number: int) -> None:
        """Send the VIPs to a server."""
        self.router.ip("route", "replace", f"{VIPS[0]}/32", "via", f"10.99.{number}.2")
        self.router.ip("-6", "route", "replace", f"{VIPS[1]}/128", "via", f"fd99:{number}::2")

    def client(self, vip: str) -> socket.socket:
        """A client's connection."""
        return inside(
            self.router.name, lambda: socket.create_connection((vip, WEB), timeout=WITHIN_S)
        )

    def counted(self, number: int, name: str) -> int:
        """What a server's kernel has counted, in both families."""
        found = 0
        for family in ("ip", "ip6"):
            words = ("nft", "-j", "list", "counters", "table", family, TABLE)
            text = self.servers[number - 1].run(*words)
            assert json.loads(text)
            counters = read_counters(text.encode())
            found += sum(count for key, count in counters.items() if key[1].startswith(name))
        return found


def build(namespaces: Namespaces, tunnel: int = 4, most: int = 100_000) -> Servers:
    """Both servers pass the VIPs on to each other, whose senders are checked strictly."""
    router = namespaces.add("router")
    router.ip("addr", "add", f"{STRANGER}/32", "dev", "lo")
    described = [
        replace(
            a_server(f"n{number}", 0),
            ipv4=(IPv4Address(f"10.99.{number}.2"),) if tunnel == 4 else (),
            ipv6=(IPv6Address(f"fd99:{number}::2"),),
            vips=(Vip(None, IPv6Address(VIPS[1])),) if number == 1 else (),
        )
        for number in (1, 2)
    ]
    order = site_order(a_site(described, Announce(1)), "north")
    both = next(iter(order.vips.values()))
    order = replace(order, vips=dict.fromkeys(map(ip_address, VIPS), both))
    servers = []
    for number, other in ((1, 2), (2, 1)):
        where = namespaces.add(f"n{number}")
        namespaces.link(
            (where, "up", [f"10.99.{number}.2/30", f"fd99:{number}::2/64"]),
            (router, f"n{number}", [f"10.99.{number}.1/30", f"fd99:{number}::1/64"]),
        )
        where.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
        where.ip("route", "add", "default", "via", f"10.99.{number}.1")
        where.ip("-6", "route", "add", "default", "via", f"fd99:{number}::1")
        where.ip("addr", "add", f"{VIPS[0]}/32", "dev", "lo")
        where.ip("addr", "add", f"{VIPS[1]}/128", "dev", "lo", "nodad")
        targets = dict.fromkeys(order.vips, f"n{other}")
        wish = wish_of(order, f"n{number}", targets, PORT, most)
        assert wish is not None
        where.ip_lines([*make(wish), *connect(wish, {4, 6})])
        where.run("bridge", "-batch", "-", text="".join(f"{one}\n" for one in forward(wish)))
        inside(where.name, lambda: loosen(DEVICE))
        where.nft(ruleset(wish))
        servers.append(where)
    made = Servers(router, servers)
    made.route(1)
    return made


def exchanged(client: socket.socket, server: socket.socket) -> None:
    """Let each side say something, large and small, and the other hear it whole."""
    for sender, hearer in ((client, server), (server, client)):
        for data in (b"small", BULK):
            left = memoryview(data)
            sender.settimeout(WITHIN_S)
            hearer.settimeout(WITHIN_S)
            heard = 0
            while heard < len(data):
                if left:
                    left = left[sender.send(left[:60_000]) :]
                heard += len(hearer.recv(1 << 20))


@contextlib.contextmanager
def listening(site: Servers) -> Iterator[list[socket.socket]]:
    """Listen at both servers, on all addresses."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(one.listen("::", WEB)) for one in site.servers]


@pytest.mark.parametrize("tunnel", [4, 6])
def test_connections_live_while_their_vip_moves(namespaces: Namespaces, tunnel: int) -> None:
    site = build(namespaces, tunnel)
    with listening(site) as listeners:
        pairs = []
        for at, vip in itertools.product((1, 2), VIPS):
            site.route(at)
            client = site.client(vip)
            listeners[at - 1].settimeout(WITHIN_S)
            pairs.append((client, listeners[at - 1].accept()[0]))
        for at in (1, 2, 1):
            site.route(at)
            for client, server in pairs:
                exchanged(client, server)
        for number in (1, 2):
            assert site.counted(number, "passed") > 0
            assert site.counted(number, "taken") > 0
        site.route(2)
        for client, server in pairs:
            client.shutdown(socket.SHUT_WR)
            assert server.recv(10) == b""
            server.close()
            assert client.recv(10) == b""
            client.close()


def test_nothing_that_strangers_send_is_passed_on_twice(namespaces: Namespaces) -> None:
    site = build(namespaces)
    with listening(site):
        send(site, [segment(port) for port in range(2000, 2300)])
    assert site.counted(1, "passed") == 300
    assert site.counted(2, "taken") == 300
    assert site.counted(2, "passed") == site.counted(1, "taken") == 0


def test_what_is_too_much_is_dropped(namespaces: Namespaces) -> None:
    site = build(namespaces, most=100)
    with listening(site):
        send(site, [segment(port) for port in range(2000, 3000)])
    assert site.counted(1, "over") > 0
    assert site.counted(1, "over") + site.counted(1, "passed") == 1000


def test_the_tunnel_takes_nothing_from_strangers(namespaces: Namespaces) -> None:
    site = build(namespaces)
    mac = site.servers[0].run("cat", f"/sys/class/net/{DEVICE}/address").strip()
    frame = bytes.fromhex(mac.replace(":", "")) + b"\x02" * 6 + b"\x08\x00" + segment(2000)
    header = struct.pack("!II", 0x08000000, 0x4852 << 8)

    def forge() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(50):
                sender.sendto(header + frame, ("10.99.1.2", PORT))

    inside(site.router.name, forge)
    assert site.counted(1, "taken") == 0
    inside(site.servers[1].name, forge)  # the same of the other server is taken
    assert site.counted(1, "taken") == 50


def send(site: Servers, packets: list[bytes]) -> None:
    """Send whole packets from the router to the first VIP."""

    def there() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
            for packet in packets:
                sender.sendto(packet, (VIPS[0], 0))

    inside(site.router.name, there)


def segment(port: int) -> bytes:
    """Return a packet of a stranger's that claims to be of an open connection."""
    ends = socket.inet_aton(STRANGER) + socket.inet_aton(VIPS[0])
    bare = struct.pack("!HHIIBBHHH", port, WEB, 1, 1, 5 << 4, 0x10, 1000, 0, 0)
    pseudo = ends + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(bare))
    tcp = bare[:16] + struct.pack("!H", checksum(pseudo + bare)) + bare[18:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, socket.IPPROTO_TCP, 0)
    whole = head[:10] + struct.pack("!H", checksum(head + ends)) + ends
    return whole + tcp


def checksum(data: bytes) -> int:
    """Return the sum of the internet's protocols (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
