"""What each name of the configured zones has: records, or clients to be sent somewhere. Pure.

A zone has its own records, the addresses of the network's servers whose names are in it, and the
names of the content classes. Patterns of classes mean the names that are not there by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from headrace.bounded import BoundedMemory
from headrace.config.router.dns import Dns, DnsZone
from headrace.router.dns import wire
from headrace.router.dns.section import Section
from headrace.router.dns.shard_labels import host_shard
from headrace.router.dns.zone_records import Records, records_of_server, records_of_zone
from headrace.topology.model import ContentClass, Server, Topology

NAMES_BYTES = 8 * 1024 * 1024
_LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(slots=True, eq=False)
class Zone:
    """A zone: its name, and its SOA record behind its owner's name, as an answer and as what comes
    with a negative one.
    """

    name: bytes
    soa: bytes
    ttl_s: int
    alpn: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Node:
    """What a name has. `content` is the class whose clients are sent on from here, `shard` what the
    name says of the shard (b"": nothing). One that does not `exist` answers for all such.
    """

    zone: Zone
    sections: dict[int, Section] = field(default_factory=dict)
    content: ContentClass | None = None
    shard: bytes = b""
    exists: bool = True
    apex: bool = False


class Zones:
    """All zones, for one configuration and one description of the network.

    `names` has the names that are there by themselves, `matched` those of patterns that were asked
    for, to be looked into directly.
    """

    def __init__(self, config: Dns, topology: Topology) -> None:
        self._classes = _Patterns(topology.classes)
        self._zones: dict[bytes, Zone] = {}
        self._absent: dict[bytes, Node] = {}
        self.names: dict[bytes, Node] = {}
        self._by_pattern: dict[tuple[bytes, str], Node] = {}
        # Names that patterns mean, as they were asked for.
        self._matched: BoundedMemory[bytes, Node] = BoundedMemory(
            NAMES_BYTES, lambda name, node: 2 * len(name) + (200 if node.shard else 0)
        )
        self.matched = self._matched.entries
        for zone in config.zones:
            self._add_zone(zone)
        for name, server in _server_names(topology):
            self._add_server(name, server)
        for name in self._classes.names:
            self._add_routed(name)
        for name in (*self.names, *self._classes.above_patterns):
            self._add_above(name)

    def find(self, name: bytes) -> Node | None:
        """Return what a name in lower case has; None where it is in no zone of ours."""
        node = self.names.get(name) or self.matched.get(name)
        if node is not None:
            return node
        zone = self._zone_of(name)
        if zone is None:
            return None
        content = self._classes.find(name)
        if content is None or not all(_LETTERS.issuperset(label) for label in _labels(name)):
            return self._absent[zone.name]
        shard = host_shard(content, _text_of(name))
        if shard:
            node = Node(zone, content=content, shard=shard)
        else:
            node = self._node_of_pattern(zone, content)
        self._matched.put(name, node)
        return node

    def _node_of_pattern(self, zone: Zone, content: ContentClass) -> Node:
        node = self._by_pattern.get((zone.name, content.name))
        if node is None:
            node = self._by_pattern[zone.name, content.name] = Node(zone, content=content)
        return node

    def _zone_of(self, name: bytes) -> Zone | None:
        for suffix in wire.suffixes(name):
            zone = self._zones.get(suffix)
            if zone is not None:
                return zone
        return None

    def _add_zone(self, config: DnsZone) -> None:
        made = records_of_zone(config)
        zone = Zone(wire.name_of(config.name), made.soa, round(config.ttl_s), tuple(config.alpn))
        self._zones[zone.name] = zone
        self._absent[zone.name] = Node(zone, exists=False)
        self._node(zone.name, zone).apex = True
        for name, records in made.names.items():
            self._add_records(name, zone, records)

    def _add_server(self, name: bytes, server: Server) -> None:
        zone = self._zone_of(name)
        if zone is not None:
            self._add_records(name, zone, records_of_server(server, zone.alpn))

    def _add_routed(self, name: bytes) -> None:
        zone = self._zone_of(name)
        content = self._classes.find(name)
        if zone is not None and content is not None:
            node = self._node(name, zone)
            if wire.CNAME in node.sections:
                return  # an alias has nothing else (RFC 1034 section 3.6.2)
            node.content = content
            node.shard = host_shard(content, _text_of(name))

    def _add_above(self, name: bytes) -> None:
        """Note the names between a name and the zone that it is in, or that has its zone below.

        They are there, since a resolver that is told otherwise asks for nothing below them (RFC
        8020). They have what a pattern says of them, mostly nothing.
        """
        between: list[bytes] = []
        for suffix in wire.suffixes(name):
            zone = self._zones.get(suffix)
            if zone is not None and suffix != name:
                for each in between:
                    if each not in self.names:
                        self._node(each, zone)
                        self._add_routed(each)
                return
            between.append(suffix)

    def _node(self, name: bytes, zone: Zone) -> Node:
        return self.names.setdefault(name, Node(zone))

    def _add_records(self, name: bytes, zone: Zone, records: Records) -> None:
        """Add records; a type that the name has already stays as it is, and so does an alias."""
        sections = self._node(name, zone).sections
        if wire.CNAME in sections:
            return
        for kind, section in records.sections(zone.ttl_s).items():
            sections.setdefault(kind, section)


class _Patterns:
    """Finds the class of a name: the first whose host patterns match, as for requests.

    A name says no more of a request than its host, so that classes for all requests of a host come
    before those for some of them (by path or kind), wherever these are listed.
    """

    def __init__(self, classes: tuple[ContentClass, ...]) -> None:
        classes = tuple(sorted(classes, key=lambda each: bool(each.paths or each.kinds)))
        self._classes = classes
        self._exact: dict[bytes, int] = {}
        self._below: dict[bytes, int] = {}
        self._all = len(classes)
        for place, content in enumerate(classes):
            for pattern in content.hosts or ("*",):
                self._add(pattern, place)

    @property
    def names(self) -> Iterable[bytes]:
        """The names that a class lists in full."""
        return self._exact.keys()

    @property
    def above_patterns(self) -> Iterable[bytes]:
        """The names that have what a pattern of a class means below them."""
        return self._below.keys()

    def find(self, name: bytes) -> ContentClass | None:
        """Return a name's class."""
        place = min(self._exact.get(name, self._all), self._all)
        if self._below:
            for suffix in wire.suffixes(name):
                if suffix != name:
                    place = min(place, self._below.get(suffix, place))
        return self._classes[place] if place < len(self._classes) else None

    def _add(self, pattern: str, place: int) -> None:
        if pattern == "*":
            self._all = min(self._all, place)
            return
        if pattern.startswith("["):
            return  # an IPv6 address, which no one asks DNS for
        table = self._below if pattern.startswith("*.") else self._exact
        table.setdefault(wire.name_of(pattern.removeprefix("*.")), place)


def _server_names(topology: Topology) -> Iterable[tuple[bytes, Server]]:
    """Yield the names that clients are sent to, each with its server."""
    for server in topology.servers:
        hosts = {server.host}
        for content in topology.classes:
            if "{server}" in content.server_host:
                hosts.add(content.server_host.replace("{server}", server.name))
        for host in sorted(hosts):
            try:
                yield wire.name_of(host), server
            except ValueError:
                continue  # an address, or no name at all: nobody asks DNS for it


def _labels(name: bytes) -> Iterable[bytes]:
    at = 0
    while name[at]:
        yield name[at + 1 : at + 1 + name[at]]
        at += name[at] + 1


def _text_of(name: bytes) -> str:
    """Return a name whose labels have no dots as text."""
    return b".".join(_labels(name)).decode("ascii")
