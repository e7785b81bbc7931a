"""Whether this machine is the one that the description means."""

from __future__ import annotations

from headrace.config.vip.machine_check import is_elsewhere
from headrace.topology.model import Server
from headrace.vip.plan.model import Address


def addresses_elsewhere(server: Server | None) -> frozenset[Address]:
    """Return the addresses to which routers would send a server's packets, as far as this machine
    does not have them.
    """
    own: tuple[Address, ...] = () if server is None else (*server.ipv4[:1], *server.ipv6[:1])
    return frozenset(one for one in own if is_elsewhere(one))
