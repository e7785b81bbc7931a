"""Which clients count as one, wherever a limit is for each client network. Pure."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """Return whom an address belongs to: itself, or its /64 (an IPv6 client has a whole one)."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(parsed) >> 64 << 64))
