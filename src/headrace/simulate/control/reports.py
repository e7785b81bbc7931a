"""Reports of load in a simulation: as servers would write them, late, lost or wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from random import Random

from headrace.config.scenario.control import ControlTable
from headrace.feedback.observation import NodeReport
from headrace.simulate.node import Node
from headrace.telemetry.load_report import Flow, LoadReport

_BITS = 8
_MOST_SHARDS = 64
_OLDEST_S = 600.0


class Reports:
    """The last report of each node that came through. `whole` is by what bytes and requests of the
    model are multiplied.
    """

    def __init__(self, table: ControlTable, chance: Random, whole: float) -> None:
        self._table = table
        self._chance = chance
        self._whole = whole
        # Those that are under way, each with when it was made.
        self._coming: deque[tuple[float, list[LoadReport]]] = deque()
        self._known: dict[str, tuple[float, LoadReport]] = {}

    def collect(self, nodes: Iterable[Node], now: float, interval_s: float) -> None:
        """Let all nodes that are up report of the interval that ends now."""
        made = []
        lost, wrong = self._table.reports_lost, self._table.reports_wrong
        for node in nodes:
            if not node.is_up or (lost and self._chance.random() < lost):
                continue
            factor = 1.0 + wrong * (2 * self._chance.random() - 1) if wrong else 1.0
            made.append(self._report(node, interval_s, factor))
        self._coming.append((now, made))
        while self._coming and self._coming[0][0] <= now - self._table.report_delay_s:
            at, reports = self._coming.popleft()
            for report in reports:
                self._known[report.node] = (at, report)

    def known(self, now: float) -> Mapping[str, NodeReport]:
        """Return what is known now."""
        return {
            name: NodeReport(now - at, report)
            for name, (at, report) in self._known.items()
            if now - at <= _OLDEST_S
        }

    def _report(self, node: Node, interval_s: float, factor: float) -> LoadReport:
        each_s = self._whole * factor / interval_s
        bps = _BITS * each_s
        flows: dict[str, dict[str, Flow]] = {}
        for (coverage, content), (sent_bytes, requests) in node.flows.items():
            if coverage:
                flows.setdefault(coverage, {})[content] = Flow(sent_bytes * bps, requests * each_s)
        return LoadReport(
            node=node.server.name,
            role="edge",
            interval_s=interval_s,
            egress_bps=(node.client_bytes + node.peer_bytes) * bps,
            capacity_bps=node.able_bps or None,
            requests_per_s=(node.client_requests + node.peer_requests) * each_s,
            hits_per_s=(node.client_hits + node.peer_hits) * each_s,
            flows=flows,
            shards=_heavy_shards(node),
        )


def _heavy_shards(node: Node) -> dict[str, dict[str, float]]:
    """Return the heaviest shards of a node, each with its share of what clients got of its
    class.
    """
    if not node.shards:
        return {}
    totals: dict[str, int] = {}
    for (content, _shard), sent_bytes in node.shards.items():
        totals[content] = totals.get(content, 0) + sent_bytes
    heaviest = sorted(node.shards.items(), key=lambda one: (-one[1], one[0]))[:_MOST_SHARDS]
    found: dict[str, dict[str, float]] = {}
    for (content, shard), sent_bytes in heaviest:
        share = sent_bytes / totals[content]
        found.setdefault(content, {})[shard.decode("latin-1")] = share
    return found
