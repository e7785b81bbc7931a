"""What clients want, and what sites send, as the servers' reports say it. Pure.

The demand of a coverage for a class is the sum over all servers: it does not depend on where the
weights send its clients, so that weights that follow it cannot chase themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from headrace.feedback.balance.rules import BalanceRules
from headrace.feedback.observation import NodeReport
from headrace.telemetry.load_report import LoadReport
from headrace.topology.model import AdminState, Server, Topology
from headrace.topology.view import ServerState, ServerView

MOST_OF_CAPACITY = 1.25
"""No server is believed to send more than so much of what its interface carries."""


_PLAIN = ServerView()


@dataclass(slots=True)
class Measured:
    """What reports say together. By coverage and class, `flows`; by site, `load` is all that its
    servers send, `clients` what of that goes to clients whose coverage and class are known. All in
    bits per second. `told` is by site what share of its servers, by capacity, has reported;
    `others` what of `clients` are those of the default coverage.
    """

    flows: dict[str, dict[str, float]] = field(default_factory=dict)
    load: dict[str, float] = field(default_factory=dict)
    clients: dict[str, float] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    others: dict[str, float] = field(default_factory=dict)


def measure(
    topology: Topology,
    servers: Mapping[str, ServerView],
    reports: Mapping[str, NodeReport],
    rules: BalanceRules,
) -> Measured:
    """Return what the reports of a topology's servers say, those of others passed over.

    What a failed server said last does not count: its clients are at others by now.
    """
    found = Measured()
    coverages = {one.name: one.default for one in topology.coverage}
    classes = {one.name for one in topology.classes}
    serving: dict[str, float] = {}
    heard: dict[str, float] = {}
    for server in topology.servers:
        if (
            server.state is AdminState.WITHDRAWN
            or servers.get(server.name, _PLAIN).state is ServerState.FAILED
        ):
            continue
        serving[server.site] = serving.get(server.site, 0.0) + server.capacity_bps
        known = reports.get(server.name)
        counts = 0.0 if known is None else _counts(known.whole_age_s, rules)
        if known is not None and counts > 0.0:
            heard[server.site] = heard.get(server.site, 0.0) + server.capacity_bps * counts
            _add(found, server, known.report, counts, coverages, classes)
    found.told = {site: heard.get(site, 0.0) / bps for site, bps in serving.items()}
    return found


def _add(
    found: Measured,
    server: Server,
    report: LoadReport,
    counts: float,
    coverages: Mapping[str, bool],
    classes: Collection[str],
) -> None:
    total_bps = sum(flow.bps for one in report.flows.values() for flow in one.values())
    sent_bps = max(report.egress_bps, total_bps)
    if sent_bps <= 0.0:
        return
    scale = counts * min(1.0, MOST_OF_CAPACITY * server.capacity_bps / sent_bps)
    site = server.site
    found.load[site] = found.load.get(site, 0.0) + sent_bps * scale
    for coverage, by_class in report.flows.items():
        if coverage not in coverages:
            continue
        flows = found.flows.setdefault(coverage, {})
        for content, flow in by_class.items():
            if content in classes and flow.bps > 0:
                bps = flow.bps * scale
                flows[content] = flows.get(content, 0.0) + bps
                found.clients[site] = found.clients.get(site, 0.0) + bps
                if coverages[coverage]:
                    found.others[site] = found.others.get(site, 0.0) + bps


def _counts(age_s: float, rules: BalanceRules) -> float:
    """Return how much of a report counts at its age."""
    over_s = age_s - rules.hold_s
    if over_s <= 0:
        return 1.0
    counts: float = 0.5 ** (over_s / rules.decay_s)
    return counts if counts > 0.01 else 0.0
