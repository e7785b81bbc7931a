"""Servers with the rules and the tunnel of the handover, and a router: the kernel's part alone, and
what strangers may send to it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address

from headrace.lab.namespaces.enter import inside
from headrace.topology.vips import Announce, Vip
from headrace.vip.handover.counted import read_table
from headrace.vip.handover.loose import loosen
from headrace.vip.handover.ruleset import DEVICE, TABLE, ruleset
from headrace.vip.handover.tunnel import NETWORK, connect, forward, make, open_it
from headrace.vip.handover.wish import Wish, wish_of
from headrace.vip.plan.order import site_order
from tests.harness.namespaces import Namespace, Namespaces
from tests.unit.vip.plan.sites import a_server, a_site

PORT, WEB, WITHIN_S = 8094, 80, 20.0
VIPS = ("192.0.2.1", "2001:db8::1")
STRANGER = "198.51.100.7"
BULK = b"x" * 300_000
SHARED = "up"


@dataclass
class PassingSite:
    """The router's namespace, and those of the servers n1, n2 and so on, with what they do."""

    router: Namespace
    servers: list[Namespace]
    wishes: list[Wish]
    shared: bool
    open: list[socket.socket] = field(default_factory=list)

    def own(self, number: int) -> tuple[str, str]:
        """A server's own addresses."""
        return own_addresses(number, shared=self.shared)

    def route(self, number: int) -> None:
        """Send the VIPs to a server."""
        ipv4, ipv6 = self.own(number)
        self.router.ip("route", "replace", f"{VIPS[0]}/32", "via", ipv4)
        self.router.ip("-6", "route", "replace", f"{VIPS[1]}/128", "via", ipv6)

    def passes(self, number: int, to: int, onward: int | None = None) -> None:
        """Let a server pass on the VIPs to others; by number."""
        at = number - 1
        vips = [ip_address(one) for one in VIPS]
        wish = self.wishes[at]
        self.wishes[at] = replace(
            wish,
            targets=tuple((vip, f"n{to}") for vip in vips),
            onward=() if onward is None else tuple((vip, f"n{onward}") for vip in vips),
        )
        self.servers[at].nft(ruleset(self.wishes[at]))

    def cookies(self, number: int) -> None:
        """Let a server take it that its kernel answers with cookies."""
        at = number - 1
        self.wishes[at] = replace(self.wishes[at], cookies=True)
        self.servers[at].nft(ruleset(self.wishes[at]))

    def client(self, vip: str, where: Namespace | None = None, port: int = 0) -> socket.socket:
        """A client's connection, from the router or from elsewhere; from a port of its own."""
        source = ("::" if ":" in vip else "0.0.0.0", port) if port else None
        return inside(
            (where or self.router).name,
            lambda: socket.create_connection((vip, WEB), WITHIN_S, source),
        )

    def counted(self, number: int, name: str) -> int:
        """What a server's kernel has counted, in both families."""
        found = 0
        for family in ("ip", "ip6"):
            text = self.servers[number - 1].run("nft", "-j", "list", "table", family, TABLE)
            assert json.loads(text)
            counters = read_table(text.encode()).counters
            found += sum(one.packets for key, one in counters.items() if key[1].startswith(name))
        return found

    def close(self) -> None:
        """Close what was opened."""
        for one in self.open:
            one.close()

    def mac(self, number: int) -> str:
        """The address of a server's end of the tunnel."""
        return self.servers[number - 1].run("cat", f"/sys/class/net/{DEVICE}/address").strip()


def own_addresses(number: int, *, shared: bool) -> tuple[str, str]:
    """A server's own addresses: on a line of its own, or all on one segment."""
    if shared:
        return f"10.99.0.{number + 1}", f"fd99::{number + 1}"
    return f"10.99.{number}.2", f"fd99:{number}::2"


def build(
    namespaces: Namespaces,
    tunnel: int = 4,
    most: int = 100_000,
    count: int = 2,
    *,
    shared: bool = False,
) -> PassingSite:
    """Servers that pass the VIPs on to the next one, and check senders strictly. `tunnel` is the
    family of its ends."""
    router = namespaces.add("router")
    router.ip("addr", "add", f"{STRANGER}/32", "dev", "lo")
    numbers = range(1, count + 1)
    described = []
    for number in numbers:
        ipv4, ipv6 = own_addresses(number, shared=shared)
        described.append(
            replace(
                a_server(f"n{number}", 0),
                ipv4=(IPv4Address(ipv4),) if tunnel == 4 else (),
                ipv6=(IPv6Address(ipv6),),
                vips=(Vip(None, IPv6Address(VIPS[1])),) if number == 1 else (),
            )
        )
    order = site_order(a_site(described, Announce(count - 1)), "north")
    all_of_them = next(iter(order.vips.values()))
    order = replace(order, vips=dict.fromkeys(map(ip_address, VIPS), all_of_them))
    site = PassingSite(router, [], [], shared)
    if shared:
        router.ip("link", "add", "lan", "type", "bridge")
        router.ip("addr", "add", "10.99.0.1/24", "dev", "lan")
        router.ip("addr", "add", "fd99::1/64", "dev", "lan", "nodad")
        router.ip("link", "set", "lan", "up")
    for number in numbers:
        where = namespaces.add(f"n{number}")
        ipv4, ipv6 = own_addresses(number, shared=shared)
        near = f"10.99.{0 if shared else number}.1", "fd99::1" if shared else f"fd99:{number}::1"
        namespaces.link(
            (where, "up", [f"{ipv4}/24", f"{ipv6}/64"]),
            (router, f"n{number}", [] if shared else [f"{near[0]}/24", f"{near[1]}/64"]),
        )
        if shared:
            router.ip("link", "set", f"n{number}", "master", "lan")
        where.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
        where.ip("route", "add", "default", "via", near[0])
        where.ip("-6", "route", "add", "default", "via", near[1])
        where.ip("addr", "add", f"{VIPS[0]}/32", "dev", "lo")
        where.ip("addr", "add", f"{VIPS[1]}/128", "dev", "lo", "nodad")
        targets = dict.fromkeys(order.vips, f"n{number % count + 1}")
        wish = wish_of(order, f"n{number}", targets, PORT, most, seed=7)
        assert wish is not None
        where.ip_lines(make(wish))
        where.nft(ruleset(wish))
        where.ip_lines([*open_it(), *connect(wish, {4, 6})])
        where.run("bridge", "-batch", "-", text="".join(f"{one}\n" for one in forward(wish)))
        inside(where.name, lambda: loosen(DEVICE))
        site.servers.append(where)
        site.wishes.append(wish)
    site.route(1)
    return site


def a_client(namespaces: Namespaces, site: PassingSite) -> Namespace:
    """A client's host, beyond the router."""
    where = namespaces.add("client")
    namespaces.link(
        (where, "up", ["203.0.113.2/24", "2001:db8:c::2/64"]),
        (site.router, "client", ["203.0.113.1/24", "2001:db8:c::1/64"]),
    )
    where.ip("route", "add", "default", "via", "203.0.113.1")
    where.ip("-6", "route", "add", "default", "via", "2001:db8:c::1")
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        site.router.run("sysctl", "-qw", f"{name}=1")
    return where


def exchanged(client: socket.socket, server: socket.socket, bulk: bytes = BULK) -> None:
    """Let each side say something, large and small, and the other hear it whole."""
    for sender, hearer in ((client, server), (server, client)):
        for data in (b"small", bulk):
            left = memoryview(data)
            sender.settimeout(WITHIN_S)
            hearer.settimeout(WITHIN_S)
            heard = 0
            while heard < len(data):
                if left:
                    left = left[sender.send(left[:60_000]) :]
                heard += len(hearer.recv(1 << 20))


@contextlib.contextmanager
def listening(site: PassingSite) -> Iterator[list[socket.socket]]:
    """Listen at all servers, on all addresses; close what was opened."""
    with contextlib.ExitStack() as stack:
        stack.callback(site.close)
        yield [stack.enter_context(one.listen("::", WEB)) for one in site.servers]


def opened(
    site: PassingSite, listeners: Sequence[socket.socket], at: int, vip: str,
    where: Namespace | None = None, port: int = 0,
) -> tuple[socket.socket, socket.socket]:  # fmt: skip
    """A connection to a server, which gets the VIPs: the client's end, and its own."""
    site.route(at)
    client = site.client(vip, where, port)
    listeners[at - 1].settimeout(WITHIN_S)
    server = listeners[at - 1].accept()[0]
    site.open += [client, server]
    return client, server


def send(site: PassingSite, packets: Sequence[bytes], to: str = VIPS[0]) -> None:
    """Send whole packets of IPv4 from the router."""

    def there() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
            for packet in packets:
                sender.sendto(packet, (to, 0))

    inside(site.router.name, there)


def tunnelled(mac: str, kind: int, payload: bytes, passes: int = 1) -> bytes:
    """Return what a sibling sends by UDP to have a frame taken."""
    header = struct.pack("!BBHI", 0x88, 0, 0x4850 + passes, NETWORK << 8)
    return (
        header
        + bytes.fromhex(mac.replace(":", ""))
        + b"\x02" * 6
        + struct.pack("!H", kind)
        + payload
    )


def send_udp(where: Namespace, to: str, datagrams: Sequence[bytes]) -> None:
    """Send to the tunnel's port."""

    def there() -> None:
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            for one in datagrams:
                sender.sendto(one, (to, PORT))

    inside(where.name, there)


def segment(
    port: int, *, flags: int = 0x10, source: str = STRANGER, to: str = VIPS[0], body: bytes = b""
) -> bytes:
    """Return a packet of a stranger's that claims to be of an open connection."""
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    bare = struct.pack("!HHIIBBHHH", port, WEB, 1, 1, 5 << 4, flags, 1000, 0, 0) + body
    pseudo = ends + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(bare))
    tcp = bare[:16] + struct.pack("!H", checksum(pseudo + bare)) + bare[18:]
    return packet(socket.IPPROTO_TCP, tcp, source=source, to=to)


def packet(
    protocol: int, payload: bytes, *, source: str = STRANGER, to: str = VIPS[0], fragment: int = 0
) -> bytes:
    """Return a packet of IPv4. `fragment` are its flags and its offset."""
    ends = socket.inet_aton(source) + socket.inet_aton(to)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, fragment, 64, protocol, 0)
    return head[:10] + struct.pack("!H", checksum(head + ends)) + ends + payload


def icmp6(source: str, to: str, kind: int, body: bytes) -> bytes:
    """Return a packet with a word of ICMPv6 that is said on one line only."""
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, to)
    said = struct.pack("!BBH", kind, 0, 0) + body
    pseudo = ends + struct.pack("!II", len(said), socket.IPPROTO_ICMPV6)
    said = said[:2] + struct.pack("!H", checksum(pseudo + said)) + said[4:]
    return struct.pack("!IHBB", 6 << 28, len(said), socket.IPPROTO_ICMPV6, 255) + ends + said


def summed(said: bytes) -> bytes:
    """Return a word of ICMP with its checksum."""
    return said[:2] + struct.pack("!H", checksum(said)) + said[4:]


def checksum(data: bytes) -> int:
    """Return the sum of the internet's protocols (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
