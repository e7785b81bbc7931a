"""Which addresses a lab's parts have: all of the ranges for documentation. Pure.

An ISP has a /24 (with more than two ISPs a /25): a quarter for its clients, a quarter for its lines
to servers, two addresses each, and half for VIPs. Of IPv6 it has a /48, with a /64 for each of
these, and one for each line. Everybody at the exchange has an address of one more /24 and /64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

EXCHANGE_V4 = IPv4Network("203.0.113.0/24")
EXCHANGE_V6 = IPv6Network("2001:db8:ffff::/64")
_ISPS_V4 = (IPv4Network("192.0.2.0/24"), IPv4Network("198.51.100.0/24"))
_ISPS_V6 = IPv6Network("2001:db8::/32")
_CLIENTS_V6, _VIPS_V6, _FIRST_LINE_V6 = 0xC, 0xF, 0x100


@dataclass(frozen=True, slots=True)
class Pair:
    """An address of each family, with the length of the prefix that is on its link."""

    ipv4: str
    ipv6: str
    length_v4: int
    length_v6: int

    @property
    def on_link(self) -> tuple[str, str]:
        """Return both as `ip address add` takes them."""
        return f"{self.ipv4}/{self.length_v4}", f"{self.ipv6}/{self.length_v6}"


@dataclass(frozen=True, slots=True)
class IspAddresses:
    """What one ISP has."""

    ipv4: IPv4Network
    ipv6: IPv6Network

    @property
    def clients_v4(self) -> IPv4Network:
        """Return the prefix of its clients."""
        return next(self.ipv4.subnets(2))

    @property
    def clients_v6(self) -> IPv6Network:
        """Return that of IPv6."""
        return self._v6(_CLIENTS_V6)

    @property
    def vips_v4(self) -> IPv4Network:
        """Return the prefix that all its sites' VIPs are in."""
        return list(self.ipv4.subnets(1))[1]

    @property
    def vips_v6(self) -> IPv6Network:
        """Return that of IPv6."""
        return self._v6(_VIPS_V6)

    def client(self, number: int) -> Pair:
        """Return the addresses of a client; 0 is the router among them."""
        v4, v6 = self.clients_v4, self.clients_v6
        return Pair(str(v4[number + 1]), str(v6[number + 1]), v4.prefixlen, v6.prefixlen)

    def line(self, number: int) -> tuple[Pair, Pair]:
        """Return the addresses on the line to a server: the router's, the server's."""
        lines = list(self.ipv4.subnets(2))[1]
        v6 = self._v6(_FIRST_LINE_V6 + number)
        router, server = (
            Pair(str(lines[2 * number + i]), str(v6[i + 1]), 31, v6.prefixlen) for i in (0, 1)
        )
        return router, server

    def vip(self, number: int) -> tuple[str, str]:
        """Return a VIP; the first is 1."""
        return str(self.vips_v4[number]), str(self.vips_v6[number])

    def _v6(self, number: int) -> IPv6Network:
        return IPv6Network((int(self.ipv6.network_address) + (number << 64), 64))


def isp_addresses(count: int) -> list[IspAddresses]:
    """Return what each of so many ISPs has."""
    deeper = 0 if count <= len(_ISPS_V4) else 1
    nets = [net for whole in _ISPS_V4 for net in whole.subnets(deeper)]
    return [
        IspAddresses(
            nets[index],
            IPv6Network((int(_ISPS_V6.network_address) + ((index + 1) << 80), 48)),
        )
        for index in range(count)
    ]


def at_exchange() -> Iterator[Pair]:
    """Yield the addresses at the exchange, one after another."""
    for number in range(1, EXCHANGE_V4.num_addresses - 1):
        v4, v6 = EXCHANGE_V4[number], EXCHANGE_V6[number]
        yield Pair(str(v4), str(v6), EXCHANGE_V4.prefixlen, EXCHANGE_V6.prefixlen)


def default_route(ipv6: bool) -> str:
    """Return the prefix of everything."""
    return str(ip_network("::/0" if ipv6 else "0.0.0.0/0"))
