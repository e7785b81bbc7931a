"""The way of a request through a simulated network, by the decisions that servers themselves make.

Under one topology and one view. A server that is asked looks into its store, then asks the servers
that `topology.tiers` names, then the origins; `topology.tiers` says as well what it keeps. Fills
take no time here: whoever asks while one runs would wait for it, and so is a hit.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from xxhash import xxh3_128_digest

from headrace.cache.reuse import Action, may_serve_stale_on_error
from headrace.simulate.content import Watched
from headrace.simulate.node import Node
from headrace.topology.model import ContentClass, Topology
from headrace.topology.placement import Placement
from headrace.topology.tiers import MOST_HOPS, Tiers, holds_copy, sources, stored_here
from headrace.topology.view import NO_VIEW, View

MOST_REMEMBERED = 200_000


class Source(enum.IntEnum):
    """Whence an answer came: the store of the server that was asked, another server of its site, a
    site above, an origin, nowhere; or somebody else's CDN, which always has it.
    """

    HIT = 0
    SIBLING = 1
    PARENT = 2
    ORIGIN = 3
    NOWHERE = 4
    EXTERNAL = 5


@dataclass(slots=True)
class Origins:
    """All origins as one, and what they were asked in the present interval."""

    is_up: bool = True
    requests: int = 0
    bytes: int = 0
    refused: int = 0

    def reset(self) -> None:
        """Begin to count again."""
        self.requests = self.bytes = self.refused = 0


@dataclass(slots=True)
class Asked:
    """What one server is asked for; by what site's server (None: a client's), after how many
    others. `is_same`: the one who asks has it, and only asks whether it still holds.
    """

    title: Watched
    chunk: int
    now: float
    site: str | None = None
    hops: int = 0
    is_same: bool = False


@dataclass(slots=True)
class _Answer:
    source: Source
    born: float = 0.0


_NOWHERE = _Answer(Source.NOWHERE)


@dataclass(slots=True)
class Servers:
    """What outlives views: the nodes by name, and the origins. With `tiering` False they ask
    nobody but those.
    """

    nodes: Mapping[str, Node]
    origins: Origins = field(default_factory=Origins)
    tiering: bool = True


class Network:
    """Servers under a view."""

    def __init__(
        self,
        topology: Topology,
        servers: Servers,
        view: View = NO_VIEW,
        former: Placement | None = None,
    ) -> None:
        self.topology = topology
        self.view = view
        self.placement = Placement(topology, view, former)
        self._nodes = servers.nodes
        self._origins = servers.origins
        self._tiering = servers.tiering
        self._known: dict[tuple[str, str, bytes, str | None, int], Tiers] = {}

    def serve(self, node: Node, title: Watched, chunk: int, now: float) -> Source:
        """Serve a piece to a client, by a server that is up; count it there."""
        kind = title.kind
        node.client_requests += 1
        store = node.store
        entry = title.base + chunk
        if entry in store.held and not kind.caching.ages:
            store.touch(entry)
            node.client_hits += 1
            source = Source.HIT
        elif node.is_external:
            source = Source.EXTERNAL
        else:
            source = self._answer(node, Asked(title, chunk, now)).source
            if source is Source.HIT:
                node.client_hits += 1
            elif source is Source.NOWHERE:
                return source
        node.client_bytes += kind.size_bytes
        node.played_s += kind.chunk_s
        return source

    def _answer(self, node: Node, asked: Asked) -> _Answer:
        """Return whence a server has what it is asked for."""
        title = asked.title
        caching = title.kind.caching
        entry = title.base + asked.chunk
        if entry in node.store.held:
            if not caching.ages:
                node.store.touch(entry)
                return _Answer(Source.HIT)
            born = node.store.born[entry]
            if asked.now < born + caching.fresh_s:
                node.store.touch(entry)
                return _Answer(Source.HIT, born)
            return self._reused(node, asked, entry, born)
        tiers = self._tiers(node, asked)
        found = self._obtain(node, asked, tiers)
        if found.source is not Source.NOWHERE and caching.stores:
            self._keep(node, asked, tiers, entry, found.born)
        return found

    def _reused(self, node: Node, asked: Asked, entry: int, born: float) -> _Answer:
        """Answer with what is stored and no longer fresh for all."""
        caching = asked.title.kind.caching
        action = caching.action(born, asked.now)
        node.store.touch(entry)
        if action is Action.FRESH:
            return _Answer(Source.HIT, born)
        again = Asked(asked.title, asked.chunk, asked.now, asked.site, asked.hops, is_same=True)
        found = self._obtain(node, again, self._tiers(node, asked))
        if found.source is Source.NOWHERE:
            unreachable = may_serve_stale_on_error(
                caching.record_of(born), caching.rules, caching.request, asked.now,
                unreachable=True,
            )  # fmt: skip
            return _Answer(Source.HIT, born) if unreachable else found
        node.store.born[entry] = found.born
        # It was answered from the store, if not before somebody above was asked.
        return _Answer(Source.HIT, found.born)

    def _obtain(self, node: Node, asked: Asked, tiers: Tiers) -> _Answer:
        """Ask others, in order."""
        title = asked.title
        size_bytes = 0 if asked.is_same else title.kind.size_bytes
        for server in tiers.servers:
            other = self._nodes[server.name]
            if not other.is_up:
                continue
            found = self._answer(
                other, Asked(title, asked.chunk, asked.now, node.site, asked.hops + 1)
            )
            other.peer_requests += 1
            if found.source is Source.NOWHERE:
                continue
            other.peer_hits += found.source is Source.HIT
            other.peer_bytes += size_bytes
            if found.source is Source.HIT:
                near = other.site == node.site
                return _Answer(Source.SIBLING if near else Source.PARENT, found.born)
            return found
        origins = self._origins
        if not origins.is_up:
            origins.refused += 1
            return _NOWHERE
        origins.requests += 1
        origins.bytes += size_bytes
        return _Answer(Source.ORIGIN, asked.now)

    def _keep(self, node: Node, asked: Asked, tiers: Tiers, entry: int, born: float) -> None:
        """Store an answer, where it is to be stored."""
        kind = asked.title.kind
        content = kind.content
        holds = not (self._tiering and content.tiering) or holds_copy(
            tiers, node.site, asked.site, self._has_usable(node.site, tiers)
        )
        if stored_here(
            content.store,
            content.popular_after,
            holds,
            lambda: node.popularity.count(xxh3_128_digest(b"%d" % entry), asked.now),
        ):
            node.store.insert(entry, kind.charge_bytes)
            if kind.caching.ages and entry in node.store.held:
                node.store.born[entry] = born

    def _has_usable(self, site: str, tiers: Tiers) -> bool:
        """Return whether one of the servers that are asked is up and of this site."""
        # Not any(): it would make a generator for each miss.
        for server in tiers.servers:
            if server.site == site and self._nodes[server.name].is_up:
                return True
        return False

    def _tiers(self, node: Node, asked: Asked) -> Tiers:
        """Return whom a server asks, remembered by shard."""
        content: ContentClass = asked.title.kind.content
        if not self._tiering:
            return _ALONE
        shard = asked.title.shard(asked.chunk)
        key = (node.server.name, content.name, shard, asked.site, asked.hops)
        found = self._known.get(key)
        if found is None:
            found = sources(
                self.topology, self.placement, node.server, content, shard,
                asked_by_site=asked.site, hops=asked.hops, most_hops=MOST_HOPS,
            )  # fmt: skip
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = found
        return found


_ALONE = Tiers((), True)
