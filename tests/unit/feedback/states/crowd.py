"""Servers of sites as a fluid: clients that follow the view with a delay, by the real placement."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from headrace.feedback.observation import NodeReport, Observations
from headrace.feedback.orders import Mode
from headrace.telemetry.load_report import Flow, LoadReport
from headrace.topology.model import ContentClass, Coverage, Server, Site, SiteChoice, Topology
from headrace.topology.placement_site import SiteRing, Standing, conditions_of
from headrace.topology.view import NO_VIEW, View
from tests.unit.feedback.networks import RULES, Loop, observed

MBPS = 10**6


def network(capacities: Sequence[Sequence[int]], ttl_s: float = 10.0) -> Topology:
    """Return sites with servers of so many Mbit/s, and clients whom all sites share."""
    sites = tuple(Site(f"s{number}") for number in range(len(capacities)))
    servers = tuple(
        Server(
            f"{site.name}a{number}",
            site.name,
            f"{site.name}a{number}.example",
            capacity_bps=mbps * MBPS,
        )
        for site, each in zip(sites, capacities, strict=True)
        for number, mbps in enumerate(each)
    )
    choices = tuple(SiteChoice(site.name) for site in sites)
    return Topology(
        sites=sites,
        servers=servers,
        coverage=(Coverage("all", choices, default=True),),
        classes=(ContentClass("video", ttl_s=ttl_s),),
    )


class Crowd:
    """Clients of a network under a controller, second by second.

    `heavy` says by server how much more what it holds draws than its share of the ring. Clients
    follow the view with a time constant of `follow_s`, or, with `sessions`, each stays for so long.
    Reports come each `report_s`, and are wrong by up to `noise`.
    """

    def __init__(
        self,
        topology: Topology,
        demand_bps: float,
        *,
        heavy: Mapping[str, float],
        follow_s: float,
        sessions: bool = False,
        mode: Mode = Mode.STATES,
        report_s: int = 5,
        noise: float = 0.0,
        seed: int = 1,
        first: str | None = None,
    ) -> None:
        """Begin. `first` is where all clients are at the beginning (None: where they belong)."""
        self.loop = Loop(topology, RULES, mode)
        self.topology = topology
        self.demand_bps = demand_bps
        self.used: list[dict[str, float]] = []
        self._heavy = heavy
        self._follow_s = follow_s
        self._report_s = report_s
        self._noise = noise
        self._chance = random.Random(seed)
        self._rings = {
            site.name: SiteRing(topology.servers_of(site.name)) for site in topology.sites
        }
        self._shares = self._sent(NO_VIEW)
        if first is not None:
            self._shares = {name: float(name == first) for name in self._shares}
        self._recent: deque[dict[str, float]] | None = None
        if sessions:
            self._recent = deque([self._shares] * int(follow_s), maxlen=int(follow_s))
        self._reports: dict[str, NodeReport] = {}
        self._capacity = {server.name: server.capacity_bps for server in topology.servers}

    def run(self, seconds: int) -> None:
        """Let time pass."""
        for _second in range(seconds):
            second = len(self.used)
            loads = {name: share * self.demand_bps for name, share in self._shares.items()}
            self.used.append({name: bps / self._capacity[name] for name, bps in loads.items()})
            if second % self._report_s == 0:
                self._reports = {name: self._report(name, bps) for name, bps in loads.items()}
            seen = replace(observed(self.topology), reports=self._reports)
            view = self._step(seen)
            self._follow(self._sent(view))

    def _step(self, seen: Observations) -> View:
        return self.loop.see(seen).view

    def _report(self, name: str, bps: float) -> NodeReport:
        bps *= 1.0 + self._noise * self._chance.uniform(-1.0, 1.0)
        flows = {"all": {"video": Flow(bps, 1.0)}}
        return NodeReport(
            0.0, LoadReport(node=name, role="edge", interval_s=5.0, egress_bps=bps, flows=flows)
        )

    def _follow(self, sent: dict[str, float]) -> None:
        if self._recent is not None:
            self._recent.append(sent)
            many = len(self._recent)
            self._shares = {name: sum(one[name] for one in self._recent) / many for name in sent}
            return
        part = 1.0 - math.exp(-1.0 / self._follow_s)
        self._shares = {name: old + (sent[name] - old) * part for name, old in self._shares.items()}

    def _sent(self, view: View) -> dict[str, float]:
        """Return where clients are sent: to sites by weight, there by the ring."""
        found: dict[str, float] = {}
        for site, weight in self._sites(view).items():
            ring = self._rings[site]
            conditions = conditions_of(ring.servers, view)
            loads = ring.arcs_under(conditions).loads
            draws = {
                server.name: load * self._heavy.get(server.name, 1.0)
                for server, load in zip(ring.servers, loads, strict=True)
            }
            total = sum(draws.values())
            found |= {name: weight * draw / total for name, draw in draws.items()}
        return found

    def _sites(self, view: View) -> dict[str, float]:
        weights = dict(view.weights("video", "all"))
        if not weights:
            weights = {
                site.name: sum(one.capacity_bps for one in self.topology.servers_of(site.name))
                for site in self.topology.sites
            }
        good = {
            site: weight
            for site, weight in weights.items()
            if Standing.USABLE in conditions_of(self._rings[site].servers, view).standings
        }
        good = good or weights
        total = sum(good.values())
        return {site: good.get(site, 0.0) / total for site in weights}


def swing(used: Sequence[Mapping[str, float]]) -> float:
    """Return by how much the load of that server changed that changed most."""
    return max(
        max(moment[name] for moment in used) - min(moment[name] for moment in used)
        for name in used[0]
    )
