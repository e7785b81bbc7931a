"""What is measured of a simulation: series by interval, and totals once it is warm.

Bytes and requests are multiplied by what the model is a part of, so that all figures are the whole
network's.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.simulate.network import Origins, Source
from headrace.simulate.node import Node
from headrace.topology.model import Site, SiteKind, Topology

BITS = 8


@dataclass(slots=True)
class SiteSeries:
    """A site by interval: what it sends to clients, what it sends in all, what it can send; the
    requests of clients and of servers, and those that its stores answered; how full its fullest
    server is.
    """

    site: str
    kind: SiteKind
    target: float
    clients_bps: array[float] = field(default_factory=lambda: array("d"))
    sent_bps: array[float] = field(default_factory=lambda: array("d"))
    able_bps: array[float] = field(default_factory=lambda: array("d"))
    requests: array[float] = field(default_factory=lambda: array("d"))
    hits: array[float] = field(default_factory=lambda: array("d"))
    fullest: array[float] = field(default_factory=lambda: array("d"))

    def load(self) -> list[float]:
        """Return the share of what it can send, by interval."""
        pairs = zip(self.sent_bps, self.able_bps, strict=True)
        return [sent / able if able else (1.0 if sent else 0.0) for sent, able in pairs]


@dataclass(slots=True)
class Series:
    """All of it by interval; `at_s` is when each begins."""

    interval_s: float
    at_s: array[float] = field(default_factory=lambda: array("d"))
    sites: dict[str, SiteSeries] = field(default_factory=dict)
    requests: array[float] = field(default_factory=lambda: array("d"))
    hits: array[float] = field(default_factory=lambda: array("d"))
    origin_bps: array[float] = field(default_factory=lambda: array("d"))
    origin_requests: array[float] = field(default_factory=lambda: array("d"))
    failed: array[float] = field(default_factory=lambda: array("d"))
    viewers: array[float] = field(default_factory=lambda: array("d"))
    starved: array[float] = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class Totals:
    """What is counted after the warm-up. `played_s` is the time for which viewers were served;
    `starved_s` the part of it that they would have waited, since a server, a site or the origins
    were above what they can send; `waited_s` the time in which they got nothing at all. Those
    whose patience ended are in `gave_up`.
    """

    requests: int = 0
    by_source: dict[Source, int] = field(default_factory=lambda: dict.fromkeys(Source, 0))
    client_bytes: int = 0
    origin_requests: int = 0
    origin_bytes: int = 0
    origin_refused: int = 0
    failed: int = 0
    gave_up: int = 0
    played_s: float = 0.0
    starved_s: float = 0.0
    waited_s: float = 0.0
    sessions: int = 0
    edge_requests: int = 0
    edge_hits: int = 0
    mid_requests: int = 0
    mid_hits: int = 0
    site_client_bytes: dict[str, int] = field(default_factory=dict)
    site_sent_bytes: dict[str, int] = field(default_factory=dict)


class Tally:
    """Counts. The engine counts requests here as they come; all else is taken from the nodes at
    the end of each interval.
    """

    def __init__(
        self,
        topology: Topology,
        nodes: Sequence[Node],
        *,
        interval_s: float,
        warm_up_s: float,
        scale: float,
        origin_bps: int | None = None,
    ) -> None:
        self.series = Series(interval_s)
        self.totals = Totals()
        self.by_source = [0] * len(Source)
        self.failed = 0
        self.gave_up = 0
        self.waited_s = 0.0
        self.sessions = 0
        self.warm_up_s = warm_up_s
        self._whole = 1 / scale
        self._origin_bps = origin_bps
        self._nodes: list[tuple[Site, list[Node]]] = []
        for site in topology.sites:
            here = [node for node in nodes if node.site == site.name]
            if here:
                self._nodes.append((site, here))
                self.series.sites[site.name] = SiteSeries(
                    site.name, site.kind, site.target_utilisation
                )

    def end_interval(self, now: float, origins: Origins, viewers: int) -> None:
        """Take all counters of the interval that began at `now`."""
        series, whole, length_s = self.series, self._whole, self.series.interval_s
        counts = now >= self.warm_up_s
        series.at_s.append(now)
        series.viewers.append(viewers * whole)
        origin_bps = origins.bytes * BITS * whole / length_s
        series.origin_bps.append(origin_bps)
        series.origin_requests.append(origins.requests * whole / length_s)
        series.failed.append(self.failed * whole / length_s)
        series.requests.append(sum(self.by_source) * whole / length_s)
        series.hits.append(self.by_source[Source.HIT] * whole / length_s)
        played_s = starved_s = 0.0
        for site, nodes in self._nodes:
            played, starved = self._end_of_site(site, nodes, counts=counts)
            played_s += played
            starved_s += starved
        series.starved.append(starved_s / played_s if played_s else 0.0)
        if counts:
            self._count(origins, played_s, starved_s)
        for _site, nodes in self._nodes:
            for node in nodes:
                node.reset()
        origins.reset()
        self.by_source = [0] * len(Source)
        self.failed = self.gave_up = self.sessions = 0
        self.waited_s = 0.0

    def _end_of_site(self, site: Site, nodes: list[Node], *, counts: bool) -> tuple[float, float]:
        """Take the counters of a site; return the seconds played there, and those that starved."""
        whole, length_s = self._whole, self.series.interval_s
        bps = BITS * whole / length_s
        able_bps = sum(node.able_bps for node in nodes)
        if site.capacity_bps is not None:
            able_bps = min(able_bps, site.capacity_bps)
        asked_bps = gone_bps = played_s = fullest = 0.0
        shares = []
        for node in nodes:
            sent_bps = (node.client_bytes + node.peer_bytes) * bps
            able = node.able_bps
            share = min(1.0, able / sent_bps) if sent_bps else 1.0
            asked_bps += sent_bps
            gone_bps += sent_bps * share
            fullest = max(fullest, sent_bps / able if able else float(sent_bps > 0))
            shares.append(share)
        site_share = min(1.0, able_bps / gone_bps) if gone_bps else 1.0
        starved_s = 0.0
        for node, share in zip(nodes, shares, strict=True):
            played_s += node.played_s
            starved_s += node.played_s * (1 - share * site_share)
        one = self.series.sites[site.name]
        client_bytes = sum(node.client_bytes for node in nodes)
        requests = sum(node.client_requests + node.peer_requests for node in nodes)
        hits = sum(node.client_hits + node.peer_hits for node in nodes)
        one.clients_bps.append(client_bytes * bps)
        one.sent_bps.append(asked_bps)
        one.able_bps.append(able_bps)
        one.requests.append(requests * whole / length_s)
        one.hits.append(hits * whole / length_s)
        one.fullest.append(fullest)
        if counts:
            self._count_site(site, requests, hits, client_bytes, asked_bps)
        return played_s, starved_s

    def _count_site(
        self, site: Site, requests: int, hits: int, client_bytes: int, asked_bps: float
    ) -> None:
        totals, whole = self.totals, self._whole
        if site.kind is SiteKind.MID:
            totals.mid_requests += round(requests * whole)
            totals.mid_hits += round(hits * whole)
        elif site.kind is SiteKind.EDGE:
            totals.edge_requests += round(requests * whole)
            totals.edge_hits += round(hits * whole)
        _add(totals.site_client_bytes, site.name, round(client_bytes * whole))
        _add(totals.site_sent_bytes, site.name, round(asked_bps * self.series.interval_s / BITS))

    def _count(self, origins: Origins, played_s: float, starved_s: float) -> None:
        totals, whole = self.totals, self._whole
        share = 1.0
        if self._origin_bps is not None and origins.bytes:
            origin_bps = origins.bytes * BITS * whole / self.series.interval_s
            share = min(1.0, self._origin_bps / origin_bps)
        requests = sum(self.by_source)
        for source in Source:
            totals.by_source[source] += round(self.by_source[source] * whole)
        totals.requests += round(requests * whole)
        totals.client_bytes += round(
            whole * sum(node.client_bytes for _site, nodes in self._nodes for node in nodes)
        )
        totals.origin_requests += round(origins.requests * whole)
        totals.origin_bytes += round(origins.bytes * whole)
        totals.origin_refused += round(origins.refused * whole)
        totals.failed += round(self.failed * whole)
        totals.gave_up += round(self.gave_up * whole)
        totals.played_s += played_s * whole
        # What came in time from its server may have come late from the origins.
        from_origins = self.by_source[Source.ORIGIN] / max(1, requests)
        late = (played_s - starved_s) * (1 - share) * from_origins
        totals.starved_s += (starved_s + late) * whole
        totals.waited_s += self.waited_s * whole
        totals.sessions += round(self.sessions * whole)


def _add(known: dict[str, int], name: str, more: int) -> None:
    known[name] = known.get(name, 0) + more


def peaks(sites: Mapping[str, SiteSeries], from_interval: int) -> dict[str, float]:
    """Return the highest load of each site from an interval on."""
    return {name: max(_load(one)[from_interval:], default=0.0) for name, one in sites.items()}


def _load(one: SiteSeries) -> Sequence[float]:
    return one.load()


def mean(values: Iterable[float]) -> float:
    """Return the mean; 0 of nothing."""
    found = list(values)
    return sum(found) / len(found) if found else 0.0
