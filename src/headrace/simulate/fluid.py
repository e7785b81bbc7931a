"""A network as a fluid: quick, for what concerns loads and the time that traffic takes to move.

Clients of a coverage and class are a stream that follows the weights of the view with the time
constant of their class, through the routing's own ranks of sites. Servers report what they send
after a delay; reports are lost, and they lie. There are no requests here, and no caches.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.feedback.observation import NodeReport
from headrace.reasons import Reason
from headrace.routing.sites import Level, Sites
from headrace.telemetry.load_report import Flow, LoadReport
from headrace.topology.model import ContentClass, Coverage, Server, SiteKind, Topology
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View

Stream = tuple[str, str]
"""The clients of a coverage with a class."""

Demand = Callable[[float], Mapping[Stream, float]]
"""What streams want, in bits per second, at a time."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is between the network and who steers it. Reports are made each `report_s`, arrive
    after `delay_s`, a share `loss` of them never; what they say is wrong by up to `lie`: by chance
    each time, or, `steadily`, by the whole of it for each server always in the same direction.
    `follow_s` is how long clients take to follow a weight (None: the class's `ttl_s`).
    """

    report_s: float = 5.0
    delay_s: float = 0.0
    loss: float = 0.0
    lie: float = 0.0
    steadily: bool = False
    follow_s: float | None = None
    seed: int = 1


class Policy:
    """Who steers the network. This one does nothing."""

    def step(
        self,
        servers: Mapping[str, ServerView],
        reports: Mapping[str, NodeReport],
        elapsed_s: float,
    ) -> View:
        """Return the view that follows from what is known now, `elapsed_s` after the last one."""
        return View(servers=servers)


@dataclass(slots=True)
class Record:
    """What happened: by site, its load as a share of its capacity at each step; how much of the
    traffic changed its site in each step; how much was wanted."""

    times_s: list[float] = field(default_factory=list)
    used: dict[str, list[float]] = field(default_factory=dict)
    moved_bps: list[float] = field(default_factory=list)
    wanted_bps: list[float] = field(default_factory=list)
    beyond_bps: list[float] = field(default_factory=list)


class Fluid:
    """A network of streams, from a time 0 on."""

    def __init__(
        self,
        topology: Topology,
        demand: Demand,
        policy: Policy,
        conditions: Conditions,
        step_s: float = 1.0,
        near: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        """Begin at time 0. `near` says by coverage which share of its clients is nearest to which
        site, where their place decides and not weights alone.
        """
        self.topology = topology
        self.step_s = step_s
        self.now_s = 0.0
        self.down: set[str] = set()
        self.record = Record()
        self._demand = demand
        self._policy = policy
        self._conditions = conditions
        self._chance = random.Random(conditions.seed)
        self._coverage = {one.name: one for one in topology.coverage}
        self._classes = {one.name: one for one in topology.classes}
        self._near = near or {}
        self._where: dict[Stream, dict[str, float]] = {}
        self._targets: dict[Stream, dict[str, float]] = {}
        self._view = NO_VIEW
        self._sites = Sites(topology, NO_VIEW)
        self._arriving: list[tuple[float, NodeReport]] = []
        self._reports: dict[str, tuple[float, LoadReport]] = {}
        self._next_report_s = 0.0
        self._bias = {
            server.name: 1.0 + conditions.lie * self._chance.choice((-1, 1))
            for server in topology.servers
        }

    def run(self, until_s: float) -> Record:
        """Let time pass. Return all that has happened since the beginning."""
        while self.now_s < until_s - 1e-9:
            self._step()
        return self.record

    def loads(self) -> dict[str, float]:
        """Return what each site sends now."""
        found = dict.fromkeys((site.name for site in self.topology.sites), 0.0)
        for stream, bps in self._demand(self.now_s).items():
            for site, share in self._where.get(stream, {}).items():
                found[site] += share * bps
        return found

    def shares(self, stream: Stream) -> Mapping[str, float]:
        """Return where a stream is served from now."""
        return self._where.get(stream, {})

    def capacities(self) -> dict[str, float]:
        """Return what each site can send now."""
        found: dict[str, float] = {}
        for server in self._serving():
            found[server.site] = found.get(server.site, 0.0) + server.capacity_bps
        for site in self.topology.sites:
            if site.capacity_bps is not None:
                found[site.name] = min(found.get(site.name, site.capacity_bps), site.capacity_bps)
        return found

    def _serving(self) -> Iterator[Server]:
        return (server for server in self.topology.servers if server.name not in self.down)

    def _step(self) -> None:
        servers = {name: ServerView(ServerState.FAILED) for name in sorted(self.down)}
        self._report()
        view = self._policy.step(servers, self._known(), self.step_s if self.now_s else 0.0)
        if (view.coverage, view.by_class, view.servers) != (
            self._view.coverage,
            self._view.by_class,
            self._view.servers,
        ) or not self._targets:
            self._view = view
            self._sites = Sites(self.topology, view)
            self._targets = {}
        moved = self._follow()
        self._write(moved)
        self.now_s += self.step_s

    def _follow(self) -> float:
        """Let streams follow their weights. Return how much of them changed its site."""
        moved = 0.0
        for stream, bps in self._demand(self.now_s).items():
            target = self._targets.get(stream)
            if target is None:
                target = self._targets[stream] = self._target(stream)
            before = self._where.get(stream)
            if before is None:
                self._where[stream] = dict(target)
                continue
            if before == target:
                continue
            part = 1.0 - math.exp(-self.step_s / max(self._follow_s(stream), 1e-9))
            levels = self._sites.levels(None)
            alive = {site for site, level in levels.items() if level is not Level.DEAD}
            after = {}
            lost = sum(share for site, share in before.items() if site not in alive)
            for site in sorted(before.keys() | target.keys()):
                old = before.get(site, 0.0) if site in alive else 0.0
                # Those whose site is gone ask again at once.
                old += lost * target.get(site, 0.0)
                share = old + (target.get(site, 0.0) - old) * part
                if share > 1e-9:
                    after[site] = share
            moved += bps * sum(
                max(after.get(site, 0.0) - before.get(site, 0.0), 0.0) for site in after
            )
            self._where[stream] = after
        return moved

    def _target(self, stream: Stream) -> dict[str, float]:
        """Return where a stream is sent, as routers do it."""
        coverage: Coverage = self._coverage[stream[0]]
        content: ContentClass = self._classes[stream[1]]
        levels = self._sites.levels(None)
        if coverage.name in self._near:
            return self._nearest(coverage, content)
        for rank in self._sites.of_coverage(coverage, Reason.BY_COVERAGE, content):
            good = {
                share.site.name: share.weight
                for share in rank.shares
                if share.weight and levels[share.site.name] is Level.GOOD
            }
            if good:
                total = sum(good.values())
                return {site: weight / total for site, weight in good.items()}
        return {}

    def _nearest(self, coverage: Coverage, content: ContentClass) -> dict[str, float]:
        """Return where clients are whose place decides: at the nearest site that serves, or where
        those go whom it passes on."""
        levels = self._sites.levels(None)
        ranks = self._sites.near_of_coverage(coverage, Reason.BY_DEFAULT, content)
        keeps: dict[str, float] = {}
        takes: dict[str, float] = {}
        for rank in ranks:
            for share in rank.shares:
                if share.weight and levels[share.site.name] is Level.GOOD:
                    if rank.passed_on:
                        takes[share.site.name] = share.weight
                    else:
                        keeps[share.site.name] = share.keeps
        found: dict[str, float] = {}
        total = sum(takes.values())
        for nearest, part in self._near[coverage.name].items():
            if nearest not in keeps and not keeps:
                continue
            site = nearest if nearest in keeps else next(iter(keeps))
            left = part * (1.0 - keeps[site]) if total else 0.0
            found[site] = found.get(site, 0.0) + part - left
            for taker, weight in takes.items():
                found[taker] = found.get(taker, 0.0) + left * weight / total
        return {site: share for site, share in found.items() if share > 0.0}

    def _follow_s(self, stream: Stream) -> float:
        follow_s = self._conditions.follow_s
        return self._classes[stream[1]].ttl_s if follow_s is None else follow_s

    def _report(self) -> None:
        """Make reports, and take those that arrive."""
        known = self._conditions
        if self.now_s >= self._next_report_s:
            self._next_report_s += known.report_s
            for report in self._make_reports():
                if self._chance.random() >= known.loss:
                    self._arriving.append((self.now_s + known.delay_s, NodeReport(0.0, report)))
        still = []
        for due_s, heard in self._arriving:
            if due_s <= self.now_s:
                made_s = due_s - known.delay_s
                before = self._reports.get(heard.report.node)
                if before is None or before[0] <= made_s:
                    self._reports[heard.report.node] = (made_s, heard.report)
            else:
                still.append((due_s, heard))
        self._arriving = still

    def _make_reports(self) -> Iterator[LoadReport]:
        """Yield what servers say: those of a site share what it sends by their capacities."""
        sums: dict[str, float] = {}
        for server in self._serving():
            sums[server.site] = sums.get(server.site, 0.0) + server.capacity_bps
        demand = self._demand(self.now_s)
        at: dict[str, dict[Stream, float]] = {}
        for stream, bps in demand.items():
            for site, share in self._where.get(stream, {}).items():
                at.setdefault(site, {})[stream] = share * bps
        for server in self._serving():
            part = server.capacity_bps / sums[server.site] * self._lie(server)
            flows: dict[str, dict[str, Flow]] = {}
            total = 0.0
            for (coverage, content), bps in at.get(server.site, {}).items():
                flows.setdefault(coverage, {})[content] = Flow(bps * part, 0.0)
                total += bps * part
            yield LoadReport(
                node=server.name,
                role="edge",
                interval_s=self._conditions.report_s,
                egress_bps=total,
                flows=flows,
            )

    def _lie(self, server: Server) -> float:
        known = self._conditions
        if known.steadily:
            return self._bias[server.name]
        return 1.0 + known.lie * self._chance.uniform(-1.0, 1.0) if known.lie else 1.0

    def _known(self) -> dict[str, NodeReport]:
        return {
            name: NodeReport(self.now_s - made_s, report)
            for name, (made_s, report) in self._reports.items()
        }

    def _write(self, moved: float) -> None:
        record, capacities = self.record, self.capacities()
        loads = self.loads()
        record.times_s.append(self.now_s)
        record.moved_bps.append(moved)
        record.wanted_bps.append(sum(self._demand(self.now_s).values()))
        beyond = 0.0
        for site in self.topology.sites:
            capacity = capacities.get(site.name, 0.0)
            used = loads[site.name] / capacity if capacity else 0.0
            record.used.setdefault(site.name, []).append(used)
            if site.kind is not SiteKind.EXTERNAL:
                beyond += max(loads[site.name] - capacity, 0.0)
        record.beyond_bps.append(beyond)


def highest(record: Record, sites: Sequence[str], from_s: float) -> float:
    """Return the highest use of any of these sites from a time on."""
    return max(
        used
        for site in sites
        for at_s, used in zip(record.times_s, record.used[site], strict=True)
        if at_s >= from_s
    )
