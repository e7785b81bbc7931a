"""Who is served from where: the coverage whose prefix around a client's address is the longest."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from headrace.topology.model import Coverage, Topology
from headrace.topology.prefixes import V4_BITS, V6_BITS, V4Ranges, V6Ranges, packed_prefix

V4_BYTES, V6_BYTES = 4, 16
_MAPPED = b"\0" * 10 + b"\xff\xff"
_MAPPED_NUMBER = int.from_bytes(_MAPPED, "big")
_MAPPED_BITS = V6_BITS - V4_BITS
_V4 = (1 << V4_BITS) - 1


def client_of(address: IPv4Address | IPv6Address) -> bytes:
    """Return an address as bytes, as all who decide take it: an IPv4-mapped one as IPv4."""
    return plain_client(address.packed)


def plain_client(client: bytes) -> bytes:
    """Return an address as bytes: an IPv4-mapped one as IPv4."""
    return client[12:] if len(client) == V6_BYTES and client.startswith(_MAPPED) else client


@dataclass(frozen=True, slots=True)
class Match:
    """What covers an address (None: no coverage that lists prefixes), and for whom else the same
    is true: for all addresses of the prefix of this length around it."""

    coverage: Coverage | None
    prefix_length: int


class CoverageTable:
    """All prefixes of a topology's coverage."""

    def __init__(self, topology: Topology) -> None:
        self.coverage = topology.coverage
        v4, v6 = _packed(topology)
        self._v4, self._v6 = V4Ranges.of(v4), V6Ranges.of(v6)

    def find(self, address: IPv4Address | IPv6Address) -> Match:
        """Return what covers an address, the default coverage left aside."""
        return self.find_client(client_of(address))

    def find_client(self, client: bytes) -> Match:
        """Return what covers an address of 4 or 16 bytes, IPv4-mapped ones made plain."""
        value, length = (self._v4 if len(client) == V4_BYTES else self._v6).find(
            int.from_bytes(client, "big")
        )
        return Match(self.coverage[value - 1] if value else None, length)


def _packed(topology: Topology) -> tuple[list[int], list[int]]:
    """Return the prefixes of all coverage in ascending order, IPv4 and IPv6."""
    v4: list[int] = []
    v6: list[int] = []
    networks = {network.name: network.prefixes for network in topology.networks}
    for value, coverage in enumerate(topology.coverage, 1):
        for prefixes in (coverage.prefixes, *(networks[name] for name in coverage.networks)):
            v4 += [packed_prefix(start, length, value) for start, length in prefixes.pairs_v4()]
            for start, length in prefixes.pairs_v6():
                if length >= _MAPPED_BITS and start >> V4_BITS == _MAPPED_NUMBER:
                    v4.append(packed_prefix(start & _V4, length - _MAPPED_BITS, value))
                else:
                    v6.append(packed_prefix(start, length, value))
    v4.sort()
    v6.sort()
    return v4, v6
