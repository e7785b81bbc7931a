"""A model of a site and its router: whoever drains, returns, dies and comes again, in any order, a
connection to a server that lives keeps reaching it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.topology.model import AdminState
from headrace.topology.vips import Announce
from headrace.vip.handover.holding import Holding, next_holdings, onward, targets
from headrace.vip.handover.ruleset import MOST_PASSES
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.model import Address, Plan
from tests.harness.announcing import AnnouncingSite
from tests.harness.best_path import Router
from tests.unit.vip.plan.sites import NOW, a_server, a_site, names_of

KEEP_S = 10_000.0
ROUTER = Router()


@dataclass
class Site:
    """Servers that plan and pass on, and who has connections of a VIP, the latest last."""

    count: int
    site: AnnouncingSite = field(init=False)
    vips: list[Address] = field(init=False)
    holdings: dict[str, dict[Address, Holding]] = field(default_factory=dict)
    targets: dict[str, dict[Address, str]] = field(default_factory=dict)
    onward: dict[str, dict[Address, str]] = field(default_factory=dict)
    connected: dict[Address, list[str]] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        servers = [a_server(name, 1) for name in names_of(self.count)]
        topology = a_site(servers, Announce(self.count - 1, linger_s=0.0, drain_s=6.0))
        self.site = AnnouncingSite(topology, NOW, says_vips=True)
        self.vips = [one for server in servers for vip in server.vips for one in vip.addresses][:1]
        self.settle()

    def check(self, name: str) -> None:
        """Let a server ask the others."""
        self.site.check(name)
        known = self.site.servers[name].neighbours
        for other in known:
            takes = 8094 if other in self.targets else None  # it says so when its rules stand
            known[other] = replace(known[other], takes=takes)

    def step(self, name: str) -> None:
        """Let a server plan, and pass on by it; then its announcements are out."""
        plan = self.site.step(name)
        others = {k: v for k, v in self.site.servers[name].neighbours.items() if k != name}
        order = self.site.servers[name].order
        before = self.holdings.get(name, {})
        if not before:  # its speaker begins when it has decided what to pass on
            before = next_holdings(order, Plan(name), others, {}, self.site.now, KEEP_S)
        found = next_holdings(order, plan, others, before, self.site.now, KEEP_S)
        self.holdings[name] = found
        self.targets[name] = targets(order, name, found, others)
        self.onward[name] = onward(order, name, found, others)
        self.connect()

    def settle(self) -> None:
        """Let everybody who lives ask and plan."""
        for _round in range(2):
            for name in self.alive():
                self.check(name)
                self.step(name)

    def alive(self) -> list[str]:
        """Those that run."""
        return [name for name in self.site.servers if name not in self.dead]

    def route(self, vip: Address) -> str | None:
        """Where the router sends a VIP's packets."""
        routes = {name: its for name, its in self.site.routes().items() if name not in self.dead}
        best = ROUTER.equally_good(vip, routes)
        return min(best) if best else None

    def connect(self) -> None:
        """Let a client open a connection to each VIP, where the router sends it."""
        for vip in self.vips:
            at, known = self.route(vip), self.connected.setdefault(vip, [])
            if at is not None and (not known or known[-1] != at):
                self.connected[vip] = [one for one in known if one != at] + [at]

    def reached(self, vip: Address, server: str) -> bool:
        """Whether a packet of a connection that a server has reaches it."""
        at, passes = self.route(vip), 0
        while at is not None and at != server and passes < MOST_PASSES:
            at = (self.onward if passes else self.targets).get(at, {}).get(vip)
            passes += 1
        return at == server

    def kill(self, name: str) -> None:
        """End all of a server."""
        self.dead.add(name)
        one = self.site.servers[name]
        one.verdict = Verdict(Soundness.FAILED)
        one.plan, one.memory, one.neighbours = Plan(name), None, {}
        self.holdings.pop(name, None)
        self.targets.pop(name, None)
        self.onward.pop(name, None)
        self.connected = {
            vip: [at for at in known if at != name] for vip, known in self.connected.items()
        }
        self.connect()

    def revive(self, name: str) -> None:
        """Start it again: it knows nothing, and asks first."""
        if name in self.dead:
            self.dead.discard(name)
            self.site.servers[name].verdict = Verdict(Soundness.SOUND, for_s=100.0)
            self.check(name)


def in_turn(site: Site, order: list[str], *, strictly: bool) -> None:
    """Let servers learn and plan in an order; `strictly`: what holds must hold all the while."""
    for name in order:
        if name in site.alive():
            site.check(name)
            site.step(name)
            if strictly:
                kept(site, latest=2)


def kept(site: Site, latest: int = 100) -> None:
    """The servers that have the latest connections of a VIP are reached, one by the other. Until
    each has heard of a move, a packet for a server that had the VIP still earlier may go in a
    circle.
    """
    for vip in site.vips:
        for server in site.connected[vip][-latest:]:
            assert site.route(vip) is None or site.reached(vip, server), (
                vip, server, site.route(vip), site.connected[vip],
                *({at: found.get(vip) for at, found in one.items()}
                  for one in (site.holdings, site.targets, site.onward)),
            )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(2, 3))
def test_a_connection_to_a_living_server_keeps_reaching_it(data: st.DataObject, count: int) -> None:
    site, names = Site(count), names_of(count)
    for _event in range(data.draw(st.integers(1, 5))):
        what = data.draw(st.sampled_from(["drain", "return", "kill", "revive"]))
        name = data.draw(st.sampled_from(names))
        match what:
            case "drain" | "return":
                site.site.drain(name, AdminState.DRAINING if what == "drain" else None)
            case "kill" if len(site.alive()) > 1:
                site.kill(name)
            case "revive":
                site.revive(name)
        # After a death nobody knows who is left until it has asked; else nothing is cut meanwhile.
        in_turn(site, data.draw(st.permutations(names)), strictly=what != "kill")
        site.site.now += data.draw(st.sampled_from([0.5, 7.0]))
        in_turn(site, data.draw(st.permutations(names)), strictly=what != "kill")
        site.settle()
        kept(site)


@pytest.mark.parametrize(
    ("count", "events"),
    [
        (2, [("drain", "n2"), ("kill", "n1"), ("revive", "n1")]),
        (3, [("drain", "n1"), ("drain", "n2"), ("kill", "n3"), ("revive", "n3")]),
    ],
)
def test_what_came_to_a_server_that_drains_is_found_when_the_owner_is_back(
    count: int, events: list[tuple[str, str]]
) -> None:
    site, names = Site(count), names_of(count)
    for what, name in events:
        match what:
            case "drain":
                site.site.drain(name, AdminState.DRAINING)
            case "kill":
                site.kill(name)
            case "revive":
                site.revive(name)
        in_turn(site, names, strictly=what != "kill")
        site.settle()
        kept(site)
    assert len(site.connected[site.vips[0]]) == 2


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(2, 3))
def test_nothing_is_passed_to_oneself_or_to_the_dead_for_long(
    data: st.DataObject, count: int
) -> None:
    site, names = Site(count), names_of(count)
    for _event in range(data.draw(st.integers(1, 8))):
        name = data.draw(st.sampled_from(names))
        match data.draw(st.sampled_from(["drain", "return", "kill", "revive", "step", "check"])):
            case "drain":
                site.site.drain(name)
            case "return":
                site.site.drain(name, None)
            case "kill" if len(site.alive()) > 1:
                site.kill(name)
            case "revive":
                site.revive(name)
            case "step" if name in site.alive():
                site.step(name)
            case "check" if name in site.alive():
                site.check(name)
        for each in (site.targets, site.onward):
            assert all(to != name for name, found in each.items() for to in found.values())
    site.settle()
    for found in (*site.targets.values(), *site.onward.values()):
        assert not site.dead & set(found.values())
