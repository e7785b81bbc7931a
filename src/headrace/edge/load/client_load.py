"""What clients get of one worker: by coverage and class, by shard, and what players say of it.

A connection keeps the flows of its client by class, and a hot entry its class: so a response that
is sent from what is hot is counted with one look-up and two additions. Nothing is counted where the
edge belongs to no network.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_pton

from headrace.bounded import BoundedMemory
from headrace.edge.hot import AnyHit
from headrace.edge.service.resource import Resource
from headrace.http.parser import RequestHead
from headrace.http.server.exchange import Exchange
from headrace.telemetry.cmcd import PlayerCounts, cmcd_text, parse_cmcd
from headrace.telemetry.flows import FlowCount, Flows, Row
from headrace.telemetry.load_report import OTHER
from headrace.telemetry.metrics import WorkerMetrics
from headrace.telemetry.shard_sample import ShardSample
from headrace.telemetry.worker_load import GetLoad, Instance, WorkerLoad, edge_counts
from headrace.topology.classify import Classified
from headrace.topology.coverage import CoverageTable, plain_client
from headrace.topology.model import Coverage
from headrace.topology.snapshot import NetworkSnapshot

MEMORY_BYTES = 8 * 1024 * 1024
SAMPLE_MASK = 31
"""Of each flow's requests, those whose number has none of these bits tell their shard."""

MOST_REPORTS = 512
"""Of players between two reports: the latest."""

MOST_OF_ONE = 8
"""From one address: nobody speaks for all."""

Classify = Callable[[Resource], Classified | None]


class ClientLoad:
    """One worker's counts. `counting` is whether there is a network."""

    def __init__(self, classify: Classify, clock: Callable[[], float] = time.monotonic) -> None:
        self.counting = False
        self._classify = classify
        self._clock = clock
        self._table: CoverageTable | None = None
        self._default = OTHER
        self._players: deque[tuple[str, bytes]] = deque(maxlen=MOST_REPORTS)
        self._instance = Instance()
        self._tables = 0
        self._flows = Flows()
        self._begin(())

    def _begin(self, coverage: tuple[Coverage, ...]) -> None:
        self._tables += 1
        self._name = f"{self._instance.name}-{self._tables}"
        self._flows.end()
        self._flows = Flows()
        self._shards = ShardSample()
        self._memory = BoundedMemory[str, Row](MEMORY_BYTES, lambda address, _row: len(address))
        self._rows = self._memory.entries
        self._default = next((one.name for one in coverage if one.default), OTHER)

    def adopt(self, network: NetworkSnapshot) -> bool:
        """Count by this description; return whether it is another than before."""
        if network.coverage is self._table:
            return False
        self._table = network.coverage
        self.counting = True
        self._begin(network.topology.coverage)
        return True

    def flow_of(self, exchange: Exchange, entry: AnyHit) -> FlowCount:
        """Return where hits of an entry are counted for a client, which its connection keeps."""
        row = self._rows.get(exchange.address)
        if row is None:
            row = self._row_of(exchange.address)
        exchange.flows = row
        content = entry.content
        if content is None:
            content = entry.content = self._content_of(entry.resource)
        return row[content]

    def _row_of(self, address: str) -> Row:
        """Return the flows of an address, and remember them."""
        row = self._flows.row(self._coverage_of(address))
        self._memory.put(address, row)
        return row

    def _content_of(self, resource: Resource) -> str:
        """Return the class of what is asked for."""
        found = self._classify(resource)
        return OTHER if found is None else found.content.name

    def count(self, address: str, resource: Resource, sent_bytes: int) -> None:
        """Count a response to a client that was not sent from what is hot."""
        row = self._rows.get(address)
        if row is None:
            row = self._row_of(address)
        flow = row[self._content_of(resource)]
        if not flow.requests & SAMPLE_MASK:
            self.sample(resource, sent_bytes)
        flow.bytes += sent_bytes
        flow.requests += 1

    def sample(self, resource: Resource, sent_bytes: int) -> None:
        """Note which shard a request was for."""
        found = self._classify(resource)
        if found is not None:
            self._shards.add(found.content.name, found.shard, sent_bytes, self._clock())

    def player(self, address: str, head: RequestHead) -> None:
        """Keep what a player says, to be read when the report is made."""
        text = cmcd_text(head)
        if text is not None:
            self._players.append((address, text))

    def _coverage_of(self, address: str) -> str:
        client = packed(address)
        if client is None or self._table is None:
            return OTHER
        found = self._table.find_client(client).coverage
        return self._default if found is None else found.name

    def _told_players(self) -> dict[str, PlayerCounts]:
        """Return what players said since the last time."""
        found: dict[str, PlayerCounts] = {}
        of_one = Counter[str]()
        while self._players:
            address, text = self._players.pop()
            of_one[address] += 1
            report = parse_cmcd(text) if of_one[address] <= MOST_OF_ONE else None
            if report is not None:
                found.setdefault(self._coverage_of(address), PlayerCounts()).add(report)
        return found

    def answer(self, question: GetLoad, metrics: WorkerMetrics) -> WorkerLoad:
        """Return all counts."""
        load = edge_counts(metrics, self._instance)
        known = question.known.get(self._name, 0)
        load.table = self._name
        load.pairs_from = known if 0 <= known <= len(self._flows.pairs) else 0
        load.pairs = self._flows.pairs[load.pairs_from :]
        load.flows = self._flows.packed()
        load.shards = self._shards.counts(self._clock())
        load.players = self._told_players()
        return load


def packed(address: str) -> bytes | None:
    """Return an address in 4 or 16 bytes, an IPv4-mapped one in 4; None for what is none."""
    try:
        if ":" in address:
            return plain_client(inet_pton(AF_INET6, address.partition("%")[0]))
        return inet_pton(AF_INET, address)
    except (OSError, ValueError):  # no ASCII, or a NUL in it, is a ValueError
        return None
