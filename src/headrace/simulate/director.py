"""Where simulated clients go: what the router decides, kept as long as clients keep it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from headrace.routing.decide import Routing
from headrace.routing.question import Candidate, Question
from headrace.routing.rendezvous import hash_network
from headrace.simulate.network import Network
from headrace.simulate.node import Node
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import ContentClass

ADDRESSES = 2
"""So many servers an answer of DNS names: a client tries the second if the first says nothing."""

By = Literal["redirect", "dns", "anyhow"]


class _Answer(NamedTuple):
    """What clients of a network keep."""

    until: float
    candidates: tuple[Candidate, ...]
    coverage: str


class Director:
    """Sends clients to nodes, under the view that is in force. `coverage` is that of the client
    that was sent last.
    """

    def __init__(self, by: By, network: Network, nodes: Mapping[str, Node]) -> None:
        self._by = by
        self._nodes = nodes
        self._coverage = CoverageTable(network.topology)
        self._answers: dict[tuple[bytes, str], _Answer] = {}
        self._sites: dict[tuple[bytes, str], str] = {}
        self.moved_clients = 0
        self.decisions = 0
        self.coverage = ""
        self.adopt(network)

    def adopt(self, network: Network) -> None:
        """Decide by this network's view from now on; answers that clients keep stay."""
        self._routing = Routing(
            network.topology, network.placement, self._coverage, None, network.view
        )

    def send(
        self, client: bytes | None, content: ContentClass, shard: bytes, now: float
    ) -> Node | None:
        """Return the node that a client gets to; None where there is none for it, or none that it
        tries is up.
        """
        if self._by == "dns":
            return self._by_dns(client, content, now)
        candidates = self._decide(client, content, shard if self._by == "redirect" else b"")
        if not candidates:
            return None
        return self._node(candidates[0])

    def _by_dns(self, client: bytes | None, content: ContentClass, now: float) -> Node | None:
        key = (hash_network(client), content.name)
        known = self._answers.get(key)
        if known is None or now >= known.until:
            candidates = self._decide(client, content, b"")
            until = now + content.ttl_s
            known = self._answers[key] = _Answer(until, candidates[:ADDRESSES], self.coverage)
        self.coverage = known.coverage
        for candidate in known.candidates:
            node = self._node(candidate)
            if node.is_up:
                return node
        return None

    def _decide(
        self, client: bytes | None, content: ContentClass, shard: bytes
    ) -> tuple[Candidate, ...]:
        self.decisions += 1
        decision = self._routing.decide(Question(client, content, shard))
        candidates, self.coverage = decision.candidates, decision.coverage
        if candidates:
            key = (hash_network(client), content.name)
            site = candidates[0].site.name
            if self._sites.setdefault(key, site) != site:
                self._sites[key] = site
                self.moved_clients += 1
        return candidates

    def _node(self, candidate: Candidate) -> Node:
        """Return the node of a candidate; an external site is one as well."""
        server = candidate.server
        return self._nodes[candidate.site.name if server is None else server.name]
