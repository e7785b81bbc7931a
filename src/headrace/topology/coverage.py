"""Who is served from where: the coverage whose prefix around a client's address is the longest."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import msgspec

from headrace.topology import coverage_bytes
from headrace.topology.model import Coverage, Topology
from headrace.topology.prefixes import V4_BITS, V6_BITS, V4Ranges, V6Ranges, packed_prefix

_V4_BYTES, _V6_BYTES = 4, 16
_MAPPED = b"\0" * 10 + b"\xff\xff"
_MAPPED_NUMBER = int.from_bytes(_MAPPED, "big")
_MAPPED_BITS = V6_BITS - V4_BITS
_V4 = (1 << V4_BITS) - 1


def client_of(address: IPv4Address | IPv6Address) -> bytes:
    """Return an address as bytes, as all who decide take it: an IPv4-mapped one as IPv4."""
    return plain_client(address.packed)


def plain_client(client: bytes) -> bytes:
    """Return an address as bytes: an IPv4-mapped one as IPv4."""
    return client[12:] if len(client) == _V6_BYTES and client.startswith(_MAPPED) else client


class Match(msgspec.Struct, frozen=True):
    """What covers an address (None: no coverage that lists prefixes), and for whom else the same
    is true: for all addresses of the prefix of this length around it."""

    coverage: Coverage | None
    prefix_length: int


class CoverageTable:
    """All prefixes of a topology's coverage."""

    def __init__(self, topology: Topology, ranges: tuple[V4Ranges, V6Ranges] | None = None) -> None:
        self.coverage = topology.coverage
        self._v4, self._v6 = ranges or _ranges(topology)
        # From a /24 or a /48, as its first 3 or 6 bytes, to the number of the coverage that has all
        # of it, from 1; 0 for none, -1 where parts of it have different coverage.
        self.whole_v4, self.whole_v6 = self._v4.find_network, self._v6.find_network

    @classmethod
    def from_buffer(cls, topology: Topology, buffer: bytes | memoryview) -> CoverageTable:
        """Return the table that `to_bytes` wrote for the same coverage.

        It reads the buffer for as long as it lives. Raises BadTable.
        """
        return cls(topology, coverage_bytes.read(_names(topology.coverage), buffer))

    def to_bytes(self) -> bytes:
        """Return the table as it is kept in a file, for processes of this machine."""
        return coverage_bytes.written(_names(self.coverage), self._v4, self._v6)

    def v4_starts(self) -> Iterator[tuple[int, int]]:
        """Return where each range of IPv4 begins, in order, and the number of its coverage from 1;
        0 for none.
        """
        return zip(self._v4.starts, self._v4.values, strict=True)

    def v6_starts(self) -> Iterator[tuple[int, int]]:
        """Return the same of IPv6."""
        ranges = zip(self._v6.upper, self._v6.lower, self._v6.values, strict=True)
        return ((upper << 64 | lower, value) for upper, lower, value in ranges)

    def find(self, address: IPv4Address | IPv6Address) -> Match:
        """Return what covers an address, the default coverage left aside."""
        return self.find_client(client_of(address))

    def find_client(self, client: bytes) -> Match:
        """Return what covers an address of 4 or 16 bytes, IPv4-mapped ones made plain."""
        if len(client) == _V4_BYTES:
            value, length = self._v4.find(client)
        else:
            value, length = self._v6.find(client)
        return Match(self.coverage[value - 1] if value else None, length)


def _names(coverage: tuple[Coverage, ...]) -> list[str]:
    return [each.name for each in coverage]


def _ranges(topology: Topology) -> tuple[V4Ranges, V6Ranges]:
    """Return the ranges of all coverage."""
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
    return V4Ranges.of(v4), V6Ranges.of(v6)
