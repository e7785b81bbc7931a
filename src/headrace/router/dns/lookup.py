"""What answers a query: found in the zones, or decided for the client's network and kept. Pure
but for what is kept.
"""

from __future__ import annotations

from typing import Final

from headrace.bounded import BoundedMemory
from headrace.router.dns import wire
from headrace.router.dns.decided import DECIDED_TYPES, DecidedAnswers
from headrace.router.dns.query import Query
from headrace.router.dns.section import (
    ANYTHING_DATA,
    MALFORMED,
    NO_DATA,
    NO_NAME,
    NO_TRANSFER,
    NOT_IMPLEMENTED,
    REFUSED,
    Section,
    section_of,
)
from headrace.router.dns.zones import Node, Zone, Zones

# The network that most decisions are made for: /24 and /48.
V4_BYTES: Final = 3
V6_BYTES: Final = 6
# Types that ask for no data of a name (RFC 6895 section 3.1).
_FIRST_META: Final = 128
_LAST_META: Final = 255
_TRANSFERS: Final = frozenset({wire.AXFR, wire.IXFR})
# Stands where the clients of one such network get different answers.
_FINER: Final = Section(wire.SERVFAIL)

_Key = tuple[Node, int, bytes]


class Lookup:
    """Finds answers in zones and decisions; keeps of decisions as much as `memory_bytes` take."""

    __slots__ = ("_decided", "_kept", "_zones", "entries")

    def __init__(self, zones: Zones, decided: DecidedAnswers, memory_bytes: int) -> None:
        self._zones = zones
        self._decided = decided
        self._kept: BoundedMemory[_Key, Section] = BoundedMemory(
            memory_bytes, lambda key, section: 400 + len(section.records)
        )
        self.entries = self._kept.entries

    def find(self, query: Query, client: bytes) -> tuple[Zone | None, Section]:
        """Return what answers a query, and the zone that it is of (None: none of ours)."""
        kind = query.kind
        node = self._zones.find(query.name) if query.klass == wire.CLASS_IN else None
        if node is None:
            return None, REFUSED
        if kind in _TRANSFERS:
            return None, NO_TRANSFER
        return node.zone, self.section(node, kind, query.address or client)

    def section(self, node: Node, kind: int, client: bytes) -> Section:
        """Return what a name answers a client with, by its address or its subnet's."""
        section = node.sections.get(kind)
        if section is not None:
            return section
        if node.content is not None and kind in DECIDED_TYPES:
            return self._decide(node, kind, client)
        return _other(node, kind)

    def _decide(self, node: Node, kind: int, client: bytes) -> Section:
        """Return the answer by a decision: one that is shared with other networks, what is kept for
        the client's network, or a new one.
        """
        network = network_key(client)
        section = self._decided.find(node, kind, client, network)
        if section is not None:
            return section
        section = self.entries.get((node, kind, network))
        if section is None:
            section = self._decided.decide(node, kind, client)
            if section.scope <= 8 * len(network):
                self._kept.put((node, kind, network), section)
                return section
            self._kept.put((node, kind, network), _FINER)
            self._kept.put((node, kind, client), section)
        elif section is _FINER:
            section = self.entries.get((node, kind, client))
            if section is None:
                section = self._decided.decide(node, kind, client)
                self._kept.put((node, kind, client), section)
        return section


def network_key(client: bytes) -> bytes:
    """Return the network that a client's decisions are kept by."""
    return client[:V4_BYTES] if len(client) == 4 else client[:V6_BYTES]


def _other(node: Node, kind: int) -> Section:
    """Return what answers a query for what a name does not have."""
    alias = node.sections.get(wire.CNAME)
    if alias is not None:
        return alias
    if not node.exists:
        return NO_NAME
    if kind == wire.ANY:
        if not node.sections and node.content is None:
            return NO_DATA  # it is there only for the names below it
        return section_of(wire.HINFO, node.zone.ttl_s, [ANYTHING_DATA])
    if kind == wire.OPT:
        return MALFORMED
    if _FIRST_META <= kind <= _LAST_META:
        return NOT_IMPLEMENTED
    return NO_DATA
