"""Runs a simulation: a virtual clock that goes by intervals, and viewers who ask piece by piece.

Requests within an interval come in the order in which their viewers began; the time of each is that
of the interval. All is a function of the scenario and its seed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from headrace.config.scenario.model import ScenarioConfig
from headrace.simulate.demand.sessions import Session
from headrace.simulate.director import Director
from headrace.simulate.happenings import Happening, Happenings
from headrace.simulate.network import Network, Origins, Servers, Source
from headrace.simulate.node import Node
from headrace.simulate.tally import Series, Tally, Totals
from headrace.simulate.views import merged, moved_keys
from headrace.topology.model import Topology
from headrace.topology.view import NO_VIEW, ServerView, View

Progress = Callable[[float, int], None]
"""Is told after each interval which share is done, and how many requests there were."""


class Demand(Protocol):
    """Viewers who begin."""

    def begin(self, now: float, length_s: float) -> Iterator[Session]:
        """Yield those who begin within an interval."""


class Control(Protocol):
    """What observes the network and decides on its view."""

    def step(
        self, now: float, interval_s: float, nodes: Sequence[Node], told: Mapping[str, ServerView]
    ) -> View | None:
        """Observe the interval that ends now; return the view that follows, None: as before.

        `told` is what operators say of servers.
        """


@dataclass(frozen=True, slots=True)
class Moved:
    """What moved: how often a client network came to another site for a class, how often each
    shard to another server on the average; and the decisions and views in which it did.
    """

    clients: int = 0
    keys: float = 0.0
    decisions: int = 0
    views: int = 0

    def since(self, before: Moved) -> Moved:
        """Return what moved since then."""
        return Moved(
            self.clients - before.clients,
            self.keys - before.keys,
            self.decisions - before.decisions,
            self.views - before.views,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a simulation."""

    title: str
    topology: Topology
    series: Series
    totals: Totals
    happenings: tuple[Happening, ...]
    moved: Moved
    evictions: int
    stored_bytes: Mapping[str, int]
    warm_up_s: float


class Engine:
    """One simulation."""

    def __init__(
        self,
        config: ScenarioConfig,
        topology: Topology,
        nodes: Mapping[str, Node],
        demand: Sequence[Demand],
        control: Control | None = None,
    ) -> None:
        self._config = config
        self._topology = topology
        self._nodes = nodes
        self._demand = demand
        self._control = control
        self._origins = Origins()
        self._servers = Servers(nodes, self._origins, config.edges.tiering)
        self._happenings = Happenings(config, topology, nodes)
        self._observed = NO_VIEW
        self._coming: deque[tuple[float, View]] = deque()
        self._views = 0
        self._moved_keys = 0.0
        self._network = Network(topology, self._servers)
        self._director = Director(config.clients.by, self._network, nodes)
        self._tally = Tally(
            topology,
            list(nodes.values()),
            interval_s=config.interval_s,
            warm_up_s=config.warm_up_s,
            scale=config.scale,
            origin_bps=config.origin.capacity_bps,
        )
        self._due: dict[int, list[Session]] = {}
        self._watching = 0
        self._moved_before = Moved()
        self._evicted_before = 0

    def run(self, progress: Progress | None = None) -> Result:
        """Run to the end."""
        config = self._config
        count = math.ceil(config.length_s / config.interval_s)
        requests = 0
        for interval in range(count):
            now = interval * config.interval_s
            if now - config.interval_s < config.warm_up_s <= now:
                self._end_warm_up()
            self._prepare(now)
            for demand in self._demand:
                for session in demand.begin(now, config.interval_s):
                    self._watching += 1
                    self._tally.sessions += 1
                    self._wait(session, interval)
            self._play(interval, now)
            requests += sum(self._tally.by_source)
            if self._control is not None:
                self._observe(now + config.interval_s)
            self._tally.end_interval(now, self._origins, self._watching)
            if progress is not None:
                progress((interval + 1) / count, requests)
        return self._result()

    @property
    def nodes(self) -> list[Node]:
        """All nodes, in the order of the description."""
        return list(self._nodes.values())

    def _end_warm_up(self) -> None:
        """Count what moves and what is evicted from now on."""
        self._moved_before = self._moved()
        self._evicted_before = sum(node.store.evictions for node in self._nodes.values())

    def _moved(self) -> Moved:
        director = self._director
        return Moved(director.moved_clients, self._moved_keys, director.decisions, self._views)

    def _prepare(self, now: float) -> None:
        """Let happen what is due, and take the view that comes, as near as intervals are."""
        adopts = self._happenings.advance(now, self._origins)
        while self._coming and self._coming[0][0] <= now + self._config.interval_s / 2:
            self._observed = self._coming.popleft()[1]
            adopts = True
        if adopts:
            self._adopt()

    def _observe(self, now: float) -> None:
        """Let the loop decide; its view comes to routers and servers after a while."""
        assert self._control is not None
        view = self._control.step(now, self._config.interval_s, self.nodes, self._happenings.told)
        if view is not None:
            self._coming.append((now + self._config.control.view_delay_s, view))

    def _adopt(self) -> None:
        """Go by another view."""
        self._views += 1
        view = replace(merged(self._observed, self._happenings.told), version=self._views)
        before = self._network.placement
        self._network = Network(self._topology, self._servers, view, before)
        self._moved_keys += moved_keys(self._topology, before, self._network.placement)
        self._director.adopt(self._network)

    def _wait(self, session: Session, interval: int) -> None:
        """Let a session wait for its next piece: not before the interval after this one, if its
        moment is over.
        """
        due = max(int(session.next_s / self._config.interval_s), interval)
        waiting = self._due.get(due)
        if waiting is None:
            waiting = self._due[due] = []
        waiting.append(session)

    def _play(self, interval: int, now: float) -> None:
        """Let all sessions ask that are due."""
        end_s = now + self._config.interval_s
        by_chunk = self._config.clients.stay == "chunk"
        by_ttl = self._config.clients.stay == "ttl"
        observes = self._control is not None
        serve, by_source = self._network.serve, self._tally.by_source
        for session in self._due.pop(interval, ()):
            while session.next_s < end_s:
                node = session.node
                if node is None or by_chunk or (by_ttl and now >= session.asks_s):
                    node = self._ask(session, now)
                if node is None or not node.is_up:
                    self._fail(session)
                    continue
                source = serve(node, session.title, session.chunk, now)
                by_source[source] += 1
                if source == _NOWHERE:
                    self._fail(session)
                    continue
                if observes:
                    _add_flow(node, session)
                if node.gives_wrong:
                    node.played_s -= session.title.kind.chunk_s
                    self._fail(session, waits=False)
                session.chunk += 1
                session.next_s += session.title.kind.chunk_s
                session.waited_s = 0.0
                if session.chunk >= session.end:
                    break
            if session.chunk < session.end:
                self._wait(session, interval + 1)
            else:
                self._watching -= 1

    def _ask(self, session: Session, now: float) -> Node | None:
        """Let a viewer ask the router where to go, and return the node."""
        title = session.title
        content = title.kind.content
        node = self._director.send(session.client, content, title.shard(session.chunk), now)
        session.node = node
        session.flow = (self._director.coverage, content.name)
        session.asks_s = now + content.ttl_s
        return node

    def _fail(self, session: Session, *, waits: bool = True) -> None:
        """Note that a viewer got nothing of use; it asks the router again after a while, until
        its patience ends.
        """
        self._tally.failed += 1
        if not waits:
            self._tally.waited_s += session.title.kind.chunk_s
            return
        retry_s = self._config.clients.retry_s
        self._tally.waited_s += retry_s
        session.next_s += retry_s
        session.waited_s += retry_s
        session.node = None
        if session.waited_s > self._config.clients.patience_s:
            self._tally.gave_up += 1
            session.end = session.chunk
            session.next_s = math.inf

    def _result(self) -> Result:
        stores = [(node.server.name, node.store) for node in self.nodes]
        return Result(
            self._config.title,
            self._topology,
            self._tally.series,
            self._tally.totals,
            tuple(self._happenings.seen),
            self._moved().since(self._moved_before),
            sum(store.evictions for _name, store in stores) - self._evicted_before,
            {name: store.used_bytes for name, store in stores},
            self._config.warm_up_s,
        )


_NOWHERE = Source.NOWHERE


def _add_flow(node: Node, session: Session) -> None:
    """Count a request of a viewer for what its server reports."""
    title = session.title
    flow = node.flows.get(session.flow)
    if flow is None:
        flow = node.flows[session.flow] = [0, 0]
    flow[0] += title.kind.size_bytes
    flow[1] += 1
    if title.kind.content.widening is not None:
        key = (title.kind.content.name, title.shard(session.chunk))
        node.shards[key] = node.shards.get(key, 0) + title.kind.size_bytes
