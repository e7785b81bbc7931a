"""What the kernel dropped without a word: packets of routers that another password signed, or that
came from too far. The counts are those of the whole machine, so they are a hint and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

NETSTAT = Path("/proc/net/netstat")
_FAMILY = "TcpExt:"
_MEANINGS = {
    "TCPMinTTLDrop": "came from farther away than the TTL security allows: let the router send "
    "with TTL 255 (`ttl security`), or set how many hops away it is",
    "TCPMD5NotFound": "had no password: set the same one on the router",
    "TCPMD5Unexpected": "had a password, and none is set here",
    "TCPMD5Failure": "were signed with another password than the one here",
}


def refused_packets(text: str) -> dict[str, int]:
    """Return the counts out of /proc/net/netstat. Pure."""
    lines = [line.split() for line in text.splitlines() if line.startswith(_FAMILY)]
    if len(lines) != 2:
        return {}
    found = dict(zip(lines[0], lines[1], strict=False))
    return {name: int(found[name]) for name in _MEANINGS if found.get(name, "").isdecimal()}


def hint(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """Return what was dropped since then, and what helps; "" for nothing. Pure."""
    told = []
    for name, meaning in _MEANINGS.items():
        dropped = now.get(name, 0) - before.get(name, 0)
        if dropped > 0:
            told.append(f"the kernel dropped {dropped} packets that {meaning}")
    return "; ".join(told)


def read_refused() -> dict[str, int]:
    """Return the counts of this machine (this network namespace) now; nothing where it has none."""
    try:
        return refused_packets(NETSTAT.read_text("ascii", errors="replace"))
    except OSError:
        return {}
