"""Small networks and what observers say of them, for the tests of the loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headrace.feedback.observation import Observations, Observer, Outcome, ProbeRecord, next_record
from headrace.feedback.states.rules import StateRules
from headrace.topology.model import ContentClass, Coverage, Server, Site, SiteChoice, Topology

OBSERVERS = ("ob1", "ob2", "ob3")
RULES = StateRules(OBSERVERS)


def network(sites: int = 3, servers: int = 4) -> Topology:
    """Return a network with so many sites `s0`, `s1` … and servers `s0a0`, `s0a1` … in each, and a
    coverage that has them all."""
    names = [f"s{site}" for site in range(sites)]
    return Topology(
        sites=tuple(Site(name) for name in names),
        servers=tuple(
            Server(f"{name}a{number}", name, f"{name}a{number}.example")
            for name in names
            for number in range(servers)
        ),
        coverage=(Coverage("all", tuple(SiteChoice(name) for name in names), default=True),),
        classes=(ContentClass("video"),),
    )


def probed(*outcomes: Outcome) -> ProbeRecord:
    """Return the record after probes that ended so."""
    record: ProbeRecord | None = None
    for outcome in outcomes:
        record = next_record(record, outcome)
    assert record is not None
    return record


WELL = probed(*[Outcome.OK] * 30)
REFUSED = probed(*[Outcome.OK] * 30, Outcome.REFUSED)
GONE = probed(*[Outcome.OK] * 30, *[Outcome.TIMEOUT] * 5)


def observed(
    topology: Topology,
    bad: Mapping[str, ProbeRecord] | None = None,
    observers: Iterable[str] = OBSERVERS,
    by: Mapping[str, Mapping[str, ProbeRecord]] | None = None,
) -> Observations:
    """Return what observers say: all is well but for `bad`, which all see, and `by`, which one
    sees alone."""
    return Observations(
        {
            name: Observer(
                name,
                0.0,
                {server.name: WELL for server in topology.servers}
                | dict(bad or {})
                | dict((by or {}).get(name, {})),
            )
            for name in observers
        }
    )
