"""The commands that make the tunnel between the servers of a site. Pure.

One VXLAN device, and no flooding, learning or resolving: every server knows the others from the
description, and nothing that comes by the tunnel makes an entry anywhere. How often a packet was
passed on is in VXLAN's own header (the group of its extension GBP).
"""

from __future__ import annotations

from collections.abc import Collection

from headrace.vip.handover.ruleset import DEVICE
from headrace.vip.handover.wish import OWN_IPV4, Wish

NETWORK = 0x4854
"""The number of the VXLAN network: another one where packets in it mean something else. A server of
another version then takes none of them, instead of answering for connections that it does not know.
"""

MTU = {4: 9000, 6: 1430}
"""What goes through in one packet. IPv4 divides the outer packet where a line is narrower. IPv6
does not: clients are told to send smaller ones, as by any narrow line."""


def make(wish: Wish) -> list[str]:
    """Return the commands of `ip` that make the device, through which nothing goes yet: first there
    must be rules."""
    return [
        f"link add {DEVICE} type vxlan id {NETWORK} local {wish.address} dstport {wish.port} "
        "nolearning ttl 64 gbp",
        f"link set {DEVICE} address {wish.mac} mtu {MTU[wish.address.version]} "
        "arp off addrgenmode none",
    ]


def open_it() -> list[str]:
    """Return the commands that let packets through."""
    return [
        f"link set {DEVICE} up",
        f"address replace {OWN_IPV4}/32 dev {DEVICE} scope link",
    ]


def remove() -> list[str]:
    """Return the commands that remove it."""
    return [f"link del {DEVICE}"]


def connect(wish: Wish, versions: Collection[int]) -> list[str]:
    """Return the commands of `ip` by which the siblings are reached, for VIPs of these families."""
    lines = []
    for one in wish.siblings:
        for version, address in ((4, one.ipv4), (6, one.ipv6)):
            if version in versions:
                lines += [
                    f"neigh replace {address} lladdr {one.mac} dev {DEVICE} nud permanent",
                    f"route replace {address}/{address.max_prefixlen} dev {DEVICE}",
                ]
    return lines


def forward(wish: Wish) -> list[str]:
    """Return the commands of `bridge` that say where each sibling's end is."""
    return [
        f"fdb replace {one.mac} dev {DEVICE} dst {one.address} self permanent"
        for one in wish.siblings
    ]
