"""How long one step of the feedback loop's controller takes: `python -m bench.feedback_step`.

Processor time of a step over so many servers, as three observers see them, with reports of all:
while all is well, when a tenth of each site fails at once, and when everything does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

from headrace.feedback.control.controller import Controller, ControllerRules
from headrace.feedback.control.memory import NO_MEMORY, encode_memory
from headrace.feedback.observation import (
    NodeReport,
    Observations,
    Observer,
    Outcome,
    ProbeRecord,
    next_record,
)
from headrace.feedback.states.rules import StateRules
from headrace.telemetry.load_report import Asked, LoadReport
from headrace.topology.model import ContentClass, Coverage, Server, Site, SiteChoice, Topology

OBSERVERS = ("north", "south", "west")
SERVERS_OF_A_SITE = 10


def network(servers: int) -> Topology:
    """Return a network of sites with ten servers each, and a coverage for each three sites."""
    sites = [f"site{number}" for number in range(max(1, servers // SERVERS_OF_A_SITE))]
    return Topology(
        sites=tuple(map(Site, sites)),
        servers=tuple(
            Server(f"{site}-{number}", site, f"{site}-{number}.example")
            for site in sites
            for number in range(SERVERS_OF_A_SITE)
        ),
        coverage=tuple(
            Coverage(
                f"coverage{first}",
                tuple(map(SiteChoice, sites[first : first + 3])),
                default=not first,
            )
            for first in range(0, len(sites), 3)
        ),
        classes=(ContentClass("programmes"),),
    )


def observed(topology: Topology, failing: Mapping[str, ProbeRecord]) -> Observations:
    """Return what all observers see, and what all servers report."""
    well: ProbeRecord | None = None
    for _probe in range(10):
        well = next_record(well, Outcome.OK, 0.002, 0.003)
    assert well is not None
    probes = {server.name: failing.get(server.name, well) for server in topology.servers}
    siblings = {f"-{number}": Asked(20, 0) for number in range(SERVERS_OF_A_SITE)}
    reports = {
        server.name: NodeReport(
            0.3,
            LoadReport(
                node=server.name,
                role="edge",
                interval_s=1.0,
                egress_bps=4e9,
                siblings={server.site + name: asked for name, asked in siblings.items()},
            ),
        )
        for server in topology.servers
    }
    return Observations({name: Observer(name, 0.2, probes) for name in OBSERVERS}, reports)


def main() -> None:
    """Print a line for each number of servers."""
    line = argparse.ArgumentParser(description=__doc__)
    line.add_argument("--steps", type=int, default=10, help="of each kind")
    steps = line.parse_args().steps
    silent = next_record(next_record(None, Outcome.TIMEOUT), Outcome.TIMEOUT)
    print("servers  well ms  a tenth fails ms  all fail ms  memory kB")
    for count in (100, 1000, 10_000):
        topology = network(count)
        controller = Controller(topology, ControllerRules(StateRules(OBSERVERS)))
        tenth = {one.name: silent for one in topology.servers if one.name.endswith("-3")}
        every = {one.name: silent for one in topology.servers}
        took, memory = [], controller.step(NO_MEMORY, observed(topology, {}), 1e9, 1.0).memory
        for failing in ({}, tenth, every):
            seen, spent_s = observed(topology, failing), 0.0
            for _step in range(steps):
                begun = time.process_time()
                step = controller.step(memory, seen, 1e9, 1.0)
                spent_s += time.process_time() - begun
            took.append(spent_s / steps * 1000)
        size = len(encode_memory(step.memory)) / 1000
        print(f"{count:7}  {took[0]:7.1f}  {took[1]:16.1f}  {took[2]:11.1f}  {size:9.0f}")


if __name__ == "__main__":
    main()
