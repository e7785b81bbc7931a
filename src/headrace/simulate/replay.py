"""What if: recorded requests, given to networks side by side, request by request.

Each network is simulated as if clients asked its router for each object. Objects are as large as
the largest response was until then, clients get as many bytes as they got, and all is fresh for as
long as one says, since logs do not have lifetimes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xxhash import xxh3_64_intdigest

from headrace.config.scenario.model import ScenarioConfig
from headrace.routing.rendezvous import hash_network
from headrace.simulate.bounds import check_intervals
from headrace.simulate.build import nodes_of
from headrace.simulate.content import Caching, caching_of, charged_bytes
from headrace.simulate.demand.access_logs import Request
from headrace.simulate.director import Director
from headrace.simulate.engine import Moved, Progress, Result
from headrace.simulate.network import Network, Origins, Servers, Source
from headrace.simulate.node import Node
from headrace.simulate.tally import Tally
from headrace.topology.classify import Classes, Classified
from headrace.topology.model import ContentClass, Topology

FRESH = "max-age=86400"
_TOLD_EVERY = 5000
_MOST_QUIET = 100_000
"""So many intervals without a request are counted; of a longer gap the rest is left out."""
MOST_REMEMBERED = 500_000
"""So many objects are classified and kept; then all are forgotten, and classified when they come
again. What stores hold of them stays."""


class Recorded:
    """An object of a log, as one network classifies it."""

    __slots__ = (
        "_shard",
        "base",
        "caching",
        "charge_bytes",
        "chunk_s",
        "content",
        "has_moved",
        "size_bytes",
    )

    def __init__(self, number: int, found: Classified, size_bytes: int, caching: Caching) -> None:
        self.base = number
        self.content: ContentClass = found.content
        self._shard = found.shard
        self.size_bytes = size_bytes
        self.charge_bytes = charged_bytes(size_bytes)
        self.caching = caching
        self.has_moved: bool | None = None
        # Logs do not say how long one plays it: each counts alike.
        self.chunk_s = 1.0

    def grow(self, size_bytes: int) -> None:
        """Be at least so large: what was seen first may have been a part of it, or nothing new."""
        if size_bytes > self.size_bytes:
            self.size_bytes = size_bytes
            self.charge_bytes = charged_bytes(size_bytes)

    @property
    def kind(self) -> Recorded:
        """It is the only one of its kind."""
        return self

    def shard(self, _chunk: int) -> bytes:
        """Return its shard."""
        return self._shard


@dataclass(slots=True)
class Moves:
    """What the last network does otherwise than the first: requests that come to another site, or
    to another server of the same; client networks that are sent to another site for any of their
    requests; and how many there were of each. `unknown`: requests that no class of one is for.
    `bytes` are those of all objects, `moved_bytes` of those that come to another server: what has
    to be fetched again, once, when one network becomes the other.
    """

    requests: int = 0
    to_another_site: int = 0
    to_another_server: int = 0
    clients: set[bytes] = field(default_factory=set)
    moved_clients: set[bytes] = field(default_factory=set)
    unknown: int = 0
    bytes: int = 0
    moved_bytes: int = 0

    def count(self, known: Recorded, *, has_moved: bool) -> None:
        """Count an object the first time, and the first time that it moves."""
        if known.has_moved is None:
            self.bytes += known.size_bytes
        if has_moved and not known.has_moved:
            self.moved_bytes += known.size_bytes
        known.has_moved = has_moved or bool(known.has_moved)


class World:
    """One of the networks."""

    def __init__(self, config: ScenarioConfig, topology: Topology) -> None:
        """Raises HeadraceError."""
        self.topology = topology
        self.nodes = nodes_of(config, topology)
        self.origins = Origins()
        self.network = Network(topology, Servers(self.nodes, self.origins, config.edges.tiering))
        self.director = Director(config.clients.by, self.network, self.nodes)
        self._classes = Classes(topology.classes, topology.servers)
        self.tally = Tally(
            topology,
            list(self.nodes.values()),
            interval_s=config.interval_s,
            warm_up_s=config.warm_up_s,
            scale=1.0,
            origin_bps=config.origin.capacity_bps,
        )
        self._objects: dict[tuple[bytes, bytes], Recorded | None] = {}

    def node_for(self, request: Request, now: float, caching: Caching) -> Node | None:
        """Return where a request comes to; None: nowhere."""
        known = self.object_of(request, caching)
        if known is None:
            return None
        return self.director.send(request.client, known.content, known.shard(0), now)

    def object_of(self, request: Request, caching: Caching) -> Recorded | None:
        """Return what is asked for; None: of no class."""
        key = (request.host, request.path)
        if key in self._objects:
            return self._objects[key]
        found = self._classes.of(*key)
        made = None
        if found is not None:
            number = xxh3_64_intdigest(b"\0".join(key))
            made = Recorded(number, found, request.size_bytes, caching)
        if len(self._objects) >= MOST_REMEMBERED:
            self._objects.clear()
        self._objects[key] = made
        return made

    def serve(self, node: Node | None, request: Request, now: float, caching: Caching) -> None:
        """Serve a request where it came to."""
        known = self.object_of(request, caching)
        if node is None or known is None or not node.is_up:
            self.tally.failed += 1
            return
        known.grow(request.size_bytes)
        source = self.network.serve(node, known, 0, now)
        self.tally.by_source[source] += 1
        if source is Source.NOWHERE:
            self.tally.failed += 1
        else:
            node.client_bytes += request.size_bytes - known.size_bytes

    def result(self, title: str) -> Result:
        """Return what came of it."""
        stores = [node.store for node in self.nodes.values()]
        return Result(
            title,
            self.topology,
            self.tally.series,
            self.tally.totals,
            (),
            Moved(decisions=self.director.decisions),
            sum(store.evictions for store in stores),
            {name: node.store.used_bytes for name, node in self.nodes.items()},
            self.tally.warm_up_s,
        )


def replay(
    config: ScenarioConfig,
    topologies: Sequence[Topology],
    requests: Iterable[Request],
    cache_control: str = FRESH,
    progress: Progress | None = None,
) -> tuple[list[Result], Moves]:
    """Return what becomes of requests in each network, and what moves from the first to the last.

    Raises HeadraceError.
    """
    worlds = [World(config, topology) for topology in topologies]
    moves = Moves()
    fresh = caching_of(cache_control, 1, math.inf)
    unstored = caching_of("no-store", 1, math.inf)
    began, interval = -1.0, 0
    for request in requests:
        if began < 0:
            began = request.at
        now = request.at - began
        if now >= (interval + 1) * config.interval_s:
            interval = _next_interval(worlds, interval, int(now / config.interval_s))
        caching = fresh if request.stored else unstored
        _step(worlds, request, now, caching, moves)
        if progress is not None and moves.requests % _TOLD_EVERY == 0:
            progress(0.0, moves.requests)
    for world in worlds:
        world.tally.end_interval(interval * config.interval_s, world.origins, 0)
    return [world.result(config.title) for world in worlds], moves


def _next_interval(worlds: Sequence[World], interval: int, to: int) -> int:
    """End an interval, and those in which there was no request. Raises TooLarge."""
    ended = min(to - interval, _MOST_QUIET)
    for world in worlds:
        check_intervals(len(world.tally.series.at_s) + ended, len(world.topology.sites))
    for number in range(interval, interval + ended):
        for world in worlds:
            world.tally.end_interval(number * world.tally.series.interval_s, world.origins, 0)
    return to


def _step(
    worlds: Sequence[World], request: Request, now: float, caching: Caching, moves: Moves
) -> None:
    nodes = [world.node_for(request, now, caching) for world in worlds]
    for world, node in zip(worlds, nodes, strict=True):
        world.serve(node, request, now, caching)
    first, last = nodes[0], nodes[-1]
    moves.requests += 1
    network = hash_network(request.client)
    moves.clients.add(network)
    if first is None or last is None:
        moves.unknown += 1
        return
    known = worlds[-1].object_of(request, caching)
    if known is not None:
        moves.count(known, has_moved=first.server.name != last.server.name)
    if first.site != last.site:
        moves.to_another_site += 1
        moves.moved_clients.add(network)
    elif first.server.name != last.server.name:
        moves.to_another_server += 1
