"""A node's report from two readings of its workers' counts. Pure: times are arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from operator import sub
from typing import Literal

from msgspec.structs import replace

from headrace.telemetry.cmcd import PlayerCounts, players_of
from headrace.telemetry.flow_sums import FlowOrder, Sums
from headrace.telemetry.flows import Pair, unpacked
from headrace.telemetry.load_report import (
    MOST_BPS,
    MOST_NAMES,
    MOST_PAIRS,
    MOST_PER_S,
    OTHER,
    Asked,
    Disk,
    Flow,
    LoadReport,
    Players,
    Quantiles,
)
from headrace.telemetry.machine import MachineUse
from headrace.telemetry.metrics import BOUNDS_S
from headrace.telemetry.shard_sample import shares
from headrace.telemetry.worker_load import WorkerLoad, quantile

_START_S = 5.0
"""So long a worker may be there before it is asked the first time."""

_BUCKETS = len(BOUNDS_S) + 1
_SCALARS = ("requests", "hits", "errors", "origin_requests", "origin_errors")
_BYTES = ("bytes_sent", "origin_bytes")


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a node knows of itself beside its counts."""

    name: str
    role: Literal["edge", "router"]
    ready: bool
    draining: bool
    processors: int
    capacity_bps: float | None = None
    impaired: bool = False


@dataclass(slots=True)
class Reading:
    """All workers' counts at a moment, by instance, and the machine's; flows are by table."""

    at_s: float
    workers: Mapping[str, WorkerLoad]
    machine: MachineUse
    flows: Mapping[str, list[int]] = field(init=False)
    _summed: tuple[object, Sums] | None = None

    def __post_init__(self) -> None:
        self.flows = {one.table: unpacked(one.flows) for one in self.workers.values()}

    def sums(self, order: FlowOrder, tables: Set[str]) -> Sums:
        """Return the sums of the flows of some tables, by the order as it is now. They are kept:
        what is read after one reading is read before the next.
        """
        size = len(order.pairs)
        key = (order.generation, tables == self.flows.keys())
        if self._summed is None or self._summed[0] != key or not key[1]:
            self._summed = (key, order.sums(self.flows, tables))
        sent, requests = self._summed[1]
        missing = [0] * (size - len(sent))  # of flows that were new in the reading after it
        return sent + missing, requests + missing


def load_report(before: Reading, after: Reading, order: FlowOrder, node: NodeState) -> LoadReport:
    """Return what a node says of the time between two readings."""
    before = _with_silent(before, after)
    span_s = min(max(after.at_s - before.at_s, 0.001), 3600.0)
    grown = {name: min(MOST_PER_S, _grown(before, after, name) / span_s) for name in _SCALARS}
    sent_bytes, origin_bytes = (
        min(MOST_BPS / 8, _grown(before, after, name) / span_s) for name in _BYTES
    )
    machine = after.machine
    speeds = [bps for bps in (machine.speed_bps, node.capacity_bps) if bps is not None]
    return LoadReport(
        node=node.name,
        role=node.role,
        interval_s=span_s,
        ready=node.ready,
        draining=node.draining,
        impaired=node.impaired,
        egress_bps=sent_bytes * 8,
        interface_bps=_interface_bps(before.machine, machine, span_s),
        capacity_bps=min(speeds) if speeds else None,
        cpu=_share(_seconds_used(before, after), span_s * node.processors),
        machine_cpu=_share(
            machine.busy_ticks - before.machine.busy_ticks,
            machine.all_ticks - before.machine.all_ticks,
        ),
        connections=max(0, sum(one.connections for one in after.workers.values())),
        disk=_disk(before.machine, machine, span_s),
        requests_per_s=grown["requests"],
        hits_per_s=grown["hits"],
        errors_per_s=grown["errors"],
        origin_requests_per_s=grown["origin_requests"],
        origin_errors_per_s=grown["origin_errors"],
        origin_bps=origin_bytes * 8,
        first_byte=_quantiles(before, after, "first_byte"),
        origin_wait=_quantiles(before, after, "origin_wait"),
        flows=_flows(before, after, order, span_s),
        shards=dict(shares(one.shards for one in after.workers.values())),
        players=_players(after),
        siblings=_siblings(before, after),
        decisions=_decisions(before, after, span_s),
    )


def carried(before: Reading, answers: Mapping[str, WorkerLoad]) -> dict[str, WorkerLoad]:
    """Return what workers said, and for one that has said nothing what it said before: when it
    answers again, it has not begun at zero.
    """
    silent = before.workers.keys() - answers.keys()
    kept = {name: replace(before.workers[name], players={}, pairs=[]) for name in silent}
    return {**kept, **answers}


def _with_silent(before: Reading, after: Reading) -> Reading:
    """Return the reading before, with those workers that had said nothing then, but were there: how
    much of what they count is new nobody knows.
    """
    old_s = after.at_s - before.at_s + _START_S
    found = {
        name: one
        for name, one in after.workers.items()
        if name not in before.workers and one.up_s > old_s
    }
    if not found:
        return before
    return Reading(before.at_s, {**before.workers, **found}, before.machine)


def _grown(before: Reading, after: Reading, name: str) -> int:
    """Return how much a count grew: that of a worker that is new, from zero on."""
    total = 0
    for instance, one in after.workers.items():
        known = before.workers.get(instance)
        total += getattr(one, name) - (0 if known is None else getattr(known, name))
    return max(0, total)


def _seconds_used(before: Reading, after: Reading) -> float:
    used_s = 0.0
    for instance, one in after.workers.items():
        known = before.workers.get(instance)
        # A worker's start is no part of what serving takes.
        used_s += 0.0 if known is None else max(0.0, one.cpu_s - known.cpu_s)
    return used_s


def _share(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0


def _interface_bps(before: MachineUse, after: MachineUse, span_s: float) -> float | None:
    if before.sent_bytes is None or after.sent_bytes is None:
        return None
    return min(MOST_BPS, max(0, after.sent_bytes - before.sent_bytes) * 8 / span_s)


def _disk(before: MachineUse, after: MachineUse, span_s: float) -> Disk | None:
    if before.disk is None or after.disk is None:
        return None
    span_ms = span_s * 1000
    queue = max(0.0, (after.disk.weighted_ms - before.disk.weighted_ms) / span_ms)
    return Disk(min(1e6, queue), _share(after.disk.busy_ms - before.disk.busy_ms, span_ms))


def _quantiles(before: Reading, after: Reading, name: str) -> Quantiles | None:
    counts = [0] * _BUCKETS
    for instance, one in after.workers.items():
        known = before.workers.get(instance)
        earlier: list[int] = [] if known is None else getattr(known, name)
        for at, count in enumerate(getattr(one, name)[:_BUCKETS]):
            counts[at] += count - (earlier[at] if at < len(earlier) else 0)
    counts = [max(0, count) for count in counts]
    if not any(counts):
        return None
    return Quantiles(quantile(counts, 0.5), quantile(counts, 0.95), quantile(counts, 0.99))


def _flows(
    before: Reading, after: Reading, order: FlowOrder, span_s: float
) -> dict[str, dict[str, Flow]]:
    # Of a table that is gone nobody knows how it went on; a new one begins at zero.
    common = before.flows.keys() & after.flows.keys()
    sent, requests = before.sums(order, common)
    sent_after, requests_after = after.sums(order, after.flows.keys())
    pairs: Iterable[Pair] = order.pairs
    sent, requests = list(map(sub, sent_after, sent)), list(map(sub, requests_after, requests))
    if len(order.pairs) >= MOST_PAIRS or len(order.coverages) >= MOST_NAMES:
        pairs, sent, requests = _fitting(zip(pairs, sent, requests, strict=True))
    bits_per_byte_s, per_s = 8 / span_s, 1 / span_s
    bps = _within([more * bits_per_byte_s for more in sent], MOST_BPS)
    rates = _within([asked * per_s for asked in requests], MOST_PER_S)
    flows: dict[str, dict[str, Flow]] = {}
    for (coverage, content), flow, more, asked in zip(
        pairs, map(Flow, bps, rates), sent, requests, strict=True
    ):
        if more > 0 or asked > 0:
            if coverage in flows:
                flows[coverage][content] = flow
            else:
                flows[coverage] = {content: flow}
    return flows


def _within(rates: list[float], most: float) -> list[float]:
    """Return rates, none of which is below zero or above what a report may say."""
    if not rates or (min(rates) >= 0.0 and max(rates) <= most):
        return rates
    return [min(max(rate, 0.0), most) for rate in rates]


def _fitting(
    grown: Iterable[tuple[Pair, int, int]],
) -> tuple[Collection[Pair], list[int], list[int]]:
    """Return what has room in a report: the largest as they are, the rest together."""
    some = [(pair, more, asked) for pair, more, asked in grown if more > 0 or asked > 0]
    if len(some) >= MOST_PAIRS or len({pair[0] for pair, _more, _asked in some}) >= MOST_NAMES:
        some.sort(key=lambda one: -one[1])
    found: dict[Pair, tuple[int, int]] = {}
    coverages = {OTHER}
    for pair, sent, requests in some:
        if len(found) >= MOST_PAIRS - 1 or (
            pair[0] not in coverages and len(coverages) >= MOST_NAMES
        ):
            pair = (OTHER, OTHER)  # noqa: PLW2901
        coverages.add(pair[0])
        known = found.get(pair, (0, 0))
        found[pair] = (known[0] + sent, known[1] + requests)
    numbers = list(found.values())
    return found, [sent for sent, _requests in numbers], [requests for _sent, requests in numbers]


def _players(after: Reading) -> dict[str, Players]:
    """Return what players said since the last time: workers forget it when they have told it."""
    parts: dict[str, list[PlayerCounts]] = {}
    for one in after.workers.values():
        for coverage, counts in one.players.items():
            name = coverage if len(parts) < MOST_NAMES - 1 or coverage in parts else OTHER
            parts.setdefault(name, []).append(counts)
    return {coverage: players_of(counts) for coverage, counts in parts.items()}


def _siblings(before: Reading, after: Reading) -> dict[str, Asked]:
    asked, failed = Counter[str](), Counter[str]()
    for instance, one in after.workers.items():
        known = before.workers.get(instance)
        for server, (count, bad) in one.siblings.items():
            earlier = (0, 0) if known is None else known.siblings.get(server, (0, 0))
            asked[server] += count - earlier[0]
            failed[server] += bad - earlier[1]
    return {
        server: Asked(count, max(0, failed[server]))
        for server, count in asked.most_common(MOST_NAMES)
        if count > 0 or failed[server] > 0
    }


def _decisions(
    before: Reading, after: Reading, span_s: float
) -> dict[str, dict[str, dict[str, float]]]:
    grown: Counter[tuple[str, str, str]] = Counter()
    for instance, one in after.workers.items():
        for *place, count in one.decisions:
            grown[tuple(place)] += count  # type: ignore[index]
        known = before.workers.get(instance)
        for *place, count in () if known is None else known.decisions:
            grown[tuple(place)] -= count  # type: ignore[index]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for (coverage, content, site), count in grown.most_common(MOST_PAIRS):
        if count > 0:
            found.setdefault(coverage, {}).setdefault(content, {})[site] = min(
                MOST_PER_S, count / span_s
            )
    return found
