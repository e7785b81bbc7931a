"""Networks and streams for tests of the balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace.feedback.observation import NodeReport
from headrace.telemetry.load_report import Flow, LoadReport
from headrace.topology.model import ContentClass, Coverage, Server, Site, SiteChoice, Topology

GBPS = 10**9
VOD = ContentClass("vod", ttl_s=10.0)
INSIDE = ContentClass("inside", ttl_s=10.0, external=False)


def network(
    coverage: Mapping[str, Sequence[Sequence[str]]],
    *,
    servers: int = 6,
    sites: Sequence[Site] = (),
    classes: tuple[ContentClass, ...] = (VOD,),
) -> Topology:
    """Return a network of sites with servers of 10 Gb/s, and coverage by orders of sites."""
    names = {name for orders in coverage.values() for order in orders for name in order}
    known = {site.name: site for site in sites}
    made = tuple(known.get(name, Site(name)) for name in sorted(names | known.keys()))
    return Topology(
        (),
        made,
        tuple(
            Server(f"{site.name}-{number}", site.name, f"{site.name}-{number}.example")
            for site in made
            if not site.base_url
            for number in range(servers)
        ),
        tuple(
            Coverage(
                name,
                tuple(
                    SiteChoice(site, None, number)
                    for number, order in enumerate(orders, 1)
                    for site in order
                ),
            )
            for name, orders in coverage.items()
        ),
        classes,
    )


def ring(size: int = 3, *, servers: int = 6, ttl_s: float = 10.0) -> Topology:
    """Return sites in a ring: the clients of each have the next ones after it."""
    coverage = {
        f"c{number}": [[f"s{(number + step) % size}"] for step in range(size)]
        for number in range(size)
    }
    return network(coverage, servers=servers, classes=(ContentClass("vod", ttl_s=ttl_s),))


def told(
    topology: Topology, flows: Mapping[str, Mapping[tuple[str, str], float]], *, age_s: float = 0.0
) -> dict[str, NodeReport]:
    """Return reports that say what each site sends, in Gb/s by coverage and class."""
    found = {}
    for server in topology.servers:
        part = GBPS / len(topology.servers_of(server.site))
        told_flows: dict[str, dict[str, Flow]] = {}
        for (coverage, content), gbps in flows.get(server.site, {}).items():
            told_flows.setdefault(coverage, {})[content] = Flow(gbps * part, 1.0)
        total = sum(flow.bps for one in told_flows.values() for flow in one.values())
        report = LoadReport(
            node=server.name, role="edge", interval_s=5.0, egress_bps=total, flows=told_flows
        )
        found[server.name] = NodeReport(age_s, report)
    return found
