"""Answers for names that clients are sent on from: the routing's decision as records. Pure.

All types of a name come from one decision, so that they agree. Several servers of the first site
are named, the best first; an external site stands in by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec

from headrace.bounded import BoundedMemory
from headrace.config.router.dns import Dns
from headrace.reasons import Reason
from headrace.router.dns import wire
from headrace.router.dns.section import Section, section_of
from headrace.router.dns.zone_records import HTTPS_PORT
from headrace.router.dns.zones import Node, Zone
from headrace.router.tallies import DNS, Count, Tallies
from headrace.routing.alike import DECIDE, AlikeNetworks
from headrace.routing.question import MOST_SITES, Candidate, Decision, Question
from headrace.topology.model import ContentClass, Server

DECIDED_TYPES: Final = frozenset({wire.A, wire.AAAA, wire.HTTPS, wire.CNAME})
MOST_SHARED: Final = 1 << 16
"""So many names of classes and types have answers that are shared, by zone."""
MOST_SEEN: Final = 1 << 16
"""So many networks are seen at once: more would take long to forget."""
_SEEN_BYTES: Final = 200
MOST_ADDRESSES: Final = 4
"""So many addresses of a server are named."""

# What resolvers say where none of a zone's servers answers them comes nearest.
_NOTHING_SERVES: Final = wire.extended_error(
    wire.NO_REACHABLE_AUTHORITY, "no server for this name serves now"
)


class Decides(Protocol):
    """Who says where clients go (see `routing.decide`)."""

    def decide(self, question: Question) -> Decision:
        """Return where a client goes."""
        ...

    def alike(self, content: ContentClass, most: int) -> AlikeNetworks | None:
        """Return what tells which networks have the same first candidates, if that can be told."""
        ...


class Shared:
    """What the answers of some names are shared by: what `find` says of a client's network, and a
    number for the names and the type.

    `seen` are networks that asked lately, with their answers, to be looked into directly: `most` of
    them, then it begins again. To ask `find` takes longer than that, and is no harm.
    """

    __slots__ = ("find", "most", "number", "seen")

    def __init__(self, find: Callable[[bytes], int], number: int) -> None:
        self.find = find
        self.number = number
        self.seen: dict[bytes, Section] = {}
        self.most = 0

    def note(self, network: bytes, section: Section) -> None:
        """Remember a network's answer."""
        seen = self.seen
        if len(seen) >= self.most:
            seen.clear()
        seen[network] = section


class DecidedAnswers:
    """Answers by decisions of one routing."""

    __slots__ = (
        "_alike", "_answers", "_by_number", "_kept", "_numbers", "_routing", "_seen_bytes",
        "_shard_answers", "_tallies", "kept", "shared",
    )  # fmt: skip

    def __init__(self, config: Dns, routing: Decides, tallies: Tallies) -> None:
        self._routing = routing
        self._tallies = tallies
        self._answers = config.answers
        self._shard_answers = config.shard_answers
        self._alike: dict[str, AlikeNetworks | None] = {}
        self._numbers: dict[tuple[Zone, str, int], int] = {}
        self._by_number: dict[int, Shared] = {}
        self._seen_bytes = config.limits.memory_bytes // 4
        # By name and type; there are as many as the configuration and the description name.
        self.shared: dict[tuple[Node, int], Shared | None] = {}
        self._kept: BoundedMemory[int, Section] = BoundedMemory(
            config.limits.memory_bytes // 4, lambda _key, section: 300 + len(section.records)
        )
        # To be looked into directly: by what is said of the network times `MOST_SHARED`, and the
        # number of what is shared.
        self.kept = self._kept.entries

    def find(self, node: Node, kind: int, client: bytes, network: bytes) -> Section | None:
        """Return the answer that a client shares with others, if it does: by its address or its
        subnet's, and the network of that.
        """
        try:
            shared = self.shared[node, kind]
        except KeyError:
            shared = self._share(node, kind)
        if shared is None:
            return None
        alike = shared.find(network)
        if alike == DECIDE:
            return None
        key = alike * MOST_SHARED + shared.number
        section = self.kept.get(key)
        if section is None:
            section = self.decide(node, kind, client)
            self._kept.put(key, section)
        shared.note(network, section)
        return section

    def _share(self, node: Node, kind: int) -> Shared | None:
        content = node.content
        if content is None or node.shard:
            return None
        if content.name not in self._alike:
            self._alike[content.name] = self._routing.alike(content, self._answers)
        alike = self._alike[content.name]
        number = self._numbers.setdefault((node.zone, content.name, kind), len(self._numbers))
        if alike is None or number >= MOST_SHARED:
            shared = None
        else:
            shared = self._by_number.get(number)
            if shared is None:
                shared = self._by_number[number] = Shared(alike.find, number)
                most = min(self._seen_bytes // _SEEN_BYTES // len(self._by_number), MOST_SEEN)
                for each in self._by_number.values():
                    each.most = most
        self.shared[node, kind] = shared
        return shared

    def decide(self, node: Node, kind: int, client: bytes) -> Section:
        """Return the answer for a client: an address of 4 or 16 bytes."""
        content = node.content
        assert content is not None
        # The first site is mostly enough, and sooner found.
        for sites in (1, MOST_SITES):
            decision = self._routing.decide(Question(client, content, node.shard, sites=sites))
            section = self._section_of(decision, node, content, kind)
            if section is not None:
                return section
        nobody = msgspec.structs.replace(decision, reason=Reason.NO_SERVER)
        routed = self._count_of(nobody, None, content)
        return Section(
            wire.SERVFAIL, scope=decision.prefix_length, routed=routed, error=_NOTHING_SERVES
        )

    def _section_of(
        self, decision: Decision, node: Node, content: ContentClass, kind: int
    ) -> Section | None:
        """Return the answer that a decision makes; None where nobody of it can be named."""
        scope = decision.prefix_length
        ttl_s = round(content.ttl_s)
        for candidate in decision.candidates:
            if candidate.server is None:
                target = _external_name(candidate)
                if target is None or node.apex:
                    continue
                routed = self._count_of(decision, candidate, content)
                return section_of(wire.CNAME, ttl_s, [target], scope=scope, routed=routed)
            most = self._shard_answers if node.shard else self._answers
            servers = _servers(decision.candidates, candidate, most)
            data = _data(kind, servers, node.zone.alpn)
            if not data:
                return Section(negative=True, scope=scope)
            routed = self._count_of(decision, candidate, content)
            return section_of(kind, ttl_s, data, scope=scope, routed=routed)
        return None

    def _count_of(
        self, decision: Decision, candidate: Candidate | None, content: ContentClass
    ) -> Count:
        """Return where answers are counted that name a candidate first: as redirects are."""
        return self._tallies.of(candidate, content, DNS).count_of(decision)


def _servers(candidates: Sequence[Candidate], first: Candidate, most: int) -> list[Server]:
    """Return the first candidate's server and further ones of its site that are as good."""
    return [
        each.server
        for each in candidates
        if each.server is not None and each.site is first.site and each.spare == first.spare
    ][:most]


def _data(kind: int, servers: list[Server], alpn: Sequence[str]) -> list[bytes]:
    """Return the data of a type's records."""
    if kind == wire.A:
        return [one.packed for server in servers for one in server.client_ipv4[:MOST_ADDRESSES]]
    if kind == wire.AAAA:
        return [one.packed for server in servers for one in server.client_ipv6[:MOST_ADDRESSES]]
    return _https(servers, alpn) if kind == wire.HTTPS else []


def _https(servers: list[Server], alpn: Sequence[str]) -> list[bytes]:
    """Return HTTPS records: one for all servers where they share a port, else one for each.

    The addresses go along as hints, so that the client need not ask again.
    """
    secure = [server for server in servers if server.https_port is not None]
    ports = {server.https_port for server in secure}
    groups = [secure] if len(ports) == 1 else [[server] for server in secure]
    data = []
    for priority, group in enumerate(groups, 1):
        port = group[0].https_port if group else None
        target = b"\0" if len(ports) == 1 else _name_or_none(group[0].host)
        if target is None:
            continue
        data.append(
            wire.https_data(
                priority,
                target,
                alpn=alpn,
                port=None if port == HTTPS_PORT else port,
                ipv4=[
                    one.packed for server in group for one in server.client_ipv4[:MOST_ADDRESSES]
                ],
                ipv6=[
                    one.packed for server in group for one in server.client_ipv6[:MOST_ADDRESSES]
                ],
            )
        )
    return data if secure else []


def _external_name(candidate: Candidate) -> bytes | None:
    """Return the name of an external site; None where a name alone does not lead there."""
    url = urlsplit(candidate.site.base_url)
    if url.path.strip("/") or url.port is not None:
        return None
    return _name_or_none(url.hostname or "")


def _name_or_none(host: str) -> bytes | None:
    if not host or ":" in host or host.rpartition(".")[2].isdigit():
        return None
    try:
        return wire.name_of(host)
    except ValueError:
        return None
