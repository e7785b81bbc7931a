"""Small networks and what observers say of them, for the tests of the loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headrace.feedback.control.controller import Controller, ControllerRules, Step
from headrace.feedback.control.memory import NO_MEMORY
from headrace.feedback.observation import Observations, Observer, Outcome, ProbeRecord, next_record
from headrace.feedback.orders import NO_ORDERS, Mode
from headrace.feedback.states.model import State
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


class Loop:
    """A controller that steps each second over what it is shown."""

    def __init__(
        self, topology: Topology, rules: StateRules = RULES, mode: Mode = Mode.STATES
    ) -> None:
        self.topology = topology
        self.controller = Controller(topology, ControllerRules(rules, mode))
        self.memory = NO_MEMORY
        self.now = 1_000_000.0
        self.orders = NO_ORDERS
        self.last: Step | None = None

    def see(self, observations: Observations, seconds: int = 1) -> Step:
        """Step over the same observations for so many seconds."""
        for _second in range(seconds):
            self.now += 1.0
            self.last = self.controller.step(self.memory, observations, self.now, 1.0, self.orders)
            self.memory = self.last.memory
        assert self.last is not None
        return self.last

    def well(self, seconds: int = 1) -> Step:
        """Step while all is well."""
        return self.see(observed(self.topology), seconds)

    def states(self) -> dict[str, State]:
        """Return the states of all servers that are not online."""
        return {
            name: record.state
            for name, record in self.memory.states.servers.items()
            if record.state is not State.ONLINE
        }

    def state(self, server: str) -> State:
        """Return the state of a server."""
        return self.memory.states.servers[server].state
