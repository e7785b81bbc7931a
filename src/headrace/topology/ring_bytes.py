"""The ring of a large site as bytes: one process makes it, and all map one file.

    counts of arcs, servers and parts · hash of the servers
    points, sizes and ranks of arcs · loads and fair shares of servers
    homes and holders of arcs · first arcs of parts · how far arcs are straight

A site of 1,000 servers has 64,000 arcs or more, which take from a quarter of a second to two
seconds to make; mapped, they take a millisecond, and no client waits. Numbers are as this machine
writes them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any, Literal

from xxhash import xxh3_64_intdigest

from headrace.errors import HeadraceError
from headrace.topology.model import Server
from headrace.topology.placement_site import Arcs, SiteRing, by_name
from headrace.topology.ring import Ring

LARGE = 16
"""Sites of so many servers are worth it; those of fewer take some milliseconds."""

_HEADER = Struct("=QQQQ")
_Code = Literal["B", "I", "Q", "d"]
_SIZES = {"B": 1, "I": 4, "Q": 8, "d": 8}


class BadRing(HeadraceError):
    """The bytes are no ring of these servers."""


def written(site: SiteRing) -> bytes:
    """Return a ring as bytes."""
    ring, arcs = site.ring, site.arcs
    header = _HEADER.pack(
        len(ring.points), len(site.servers), len(ring.first), _servers_hash(site.servers)
    )
    columns: tuple[tuple[_Code, Iterable[float]], ...] = (
        ("Q", ring.points), ("d", ring.sizes), ("Q", ring.ranks), ("d", arcs.loads),
        ("d", arcs.fair), ("I", ring.homes), ("I", arcs.holders), ("I", ring.first),
        ("B", site.straight),
    )  # fmt: skip
    return header + b"".join(array(code, column).tobytes() for code, column in columns)


def read(servers: Sequence[Server], buffer: memoryview) -> SiteRing:
    """Return the ring of a site's servers in a buffer, which it keeps. Raises BadRing."""
    if len(buffer) < _HEADER.size:
        raise BadRing("a ring ends within its header")
    arc_count, server_count, part_count, servers_hash = _HEADER.unpack_from(buffer)
    servers = by_name(servers)
    if server_count != len(servers) or servers_hash != _servers_hash(servers):
        raise BadRing("a ring is that of other servers")
    layout: tuple[tuple[_Code, int], ...] = (
        ("Q", arc_count), ("d", arc_count), ("Q", arc_count), ("d", server_count),
        ("d", server_count), ("I", arc_count), ("I", arc_count), ("I", part_count),
        ("B", arc_count),
    )  # fmt: skip
    if len(buffer) != _HEADER.size + sum(count * _SIZES[code] for code, count in layout):
        raise BadRing("a ring has not the length that it says")
    columns: list[Any] = []  # of the numbers that each code says
    at = _HEADER.size
    for code, count in layout:
        end = at + count * _SIZES[code]
        columns.append(buffer[at:end].cast(code))
        at = end
    points, sizes, ranks, loads, fair, homes, holders, first, straight = columns
    ring = Ring.of(server_count, points, homes, sizes, ranks, first)
    return SiteRing.of(servers, ring, Arcs(holders, list(loads), list(fair)), straight)


def _servers_hash(servers: Sequence[Server]) -> int:
    said = "\0".join(f"{server.name}\0{server.capacity_bps}" for server in servers)
    return xxh3_64_intdigest(said.encode())
