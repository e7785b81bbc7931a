"""Sites with VIPs for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address

from headrace.topology.model import AdminState, Server, Site, Topology, Withdrawal
from headrace.topology.vips import Announce, Vip
from headrace.vip.plan.floor import Neighbour
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.model import Address

SOUND = Verdict(Soundness.SOUND, for_s=100.0)
NOW = 1_800_000_000.0


def a_server(
    name: str, vips: int = 1, *, number: int | None = None, state: AdminState = AdminState.ONLINE
) -> Server:
    """Return a server of both families. Its addresses come from its name, whoever else there is."""
    own = sum(ord(letter) << (8 * place) for place, letter in enumerate(reversed(name)))
    own = own % 60_000 if number is None else number
    return Server(
        name,
        "north",
        f"{name}.example",
        (IPv4Address(0x0A000000 + own),),
        (IPv6Address(0x20010DB8 << 96 | own),),
        state=state,
        vips=tuple(
            Vip(
                IPv4Address(0xC0000000 + 256 * own + 16 * index),
                IPv6Address(0x20010DB8 << 96 | 1 << 64 | own << 16 | index << 8),
            )
            for index in range(vips)
        ),
    )


def a_site(
    servers: Iterable[Server],
    announce: Announce | None = None,
    withdrawals: tuple[Withdrawal, ...] = (),
) -> Topology:
    """Return a network of one site."""
    return Topology(
        sites=(Site("north", announce=announce or Announce()),),
        servers=tuple(servers),
        withdrawals=withdrawals,
    )


def names_of(count: int) -> list[str]:
    """Return names of servers."""
    return [f"n{number}" for number in range(1, count + 1)]


def all_sound(topology: Topology) -> dict[Address, Verdict]:
    """Return what a server says whose checks of all VIPs passed."""
    return {
        address: SOUND for one in topology.servers for vip in one.vips for address in vip.addresses
    }


def neighbours_of(
    topology: Topology, now: float, failed: Iterable[str] = (), leaving: Iterable[str] = ()
) -> Mapping[str, Neighbour]:
    """Return what checks of the servers of a site say."""
    out, ends = set(failed), set(leaving)
    return {
        one.name: Neighbour(
            Soundness.FAILED if one.name in out else Soundness.SOUND, now, one.name in ends
        )
        for one in topology.servers
    }
