"""A model of a site and its router: whoever drains, returns, dies, is cut off and comes again, in
any order, a connection to a server that lives keeps reaching it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.topology.model import AdminState
from headrace.topology.vips import Announce
from headrace.vip.handover.holding import (
    Failing,
    Holding,
    Port,
    but_for_cut,
    in_doubt,
    next_failing,
    next_holdings,
    next_ports,
    nobody_answers,
    onward,
    targets,
    with_ports,
)
from headrace.vip.handover.ruleset import MOST_PASSES
from headrace.vip.handover.silence import LATELY_S
from headrace.vip.plan.floor import Neighbour
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
    cut: set[str] = field(default_factory=set)
    half_open: set[str] = field(default_factory=set)
    misled: set[str] = field(default_factory=set)
    heard_at: dict[str, float] = field(default_factory=dict)
    silent_at: dict[str, float] = field(default_factory=dict)
    failing: dict[str, dict[str, Failing]] = field(default_factory=dict)
    ports: dict[str, dict[str, Port]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        servers = [a_server(name, 1) for name in names_of(self.count)]
        topology = a_site(servers, Announce(self.count - 1, linger_s=0.0, drain_s=6.0))
        self.site = AnnouncingSite(topology, NOW, says_vips=True)
        self.vips = [one for server in servers for vip in server.vips for one in vip.addresses][:1]
        self.settle()

    def check(self, name: str, asked: Iterable[str] | None = None) -> None:
        """Let a server ask the others, or some of them."""
        self.site.check(name, asked)
        known = self.site.servers[name].neighbours
        for other in known if asked is None else asked:
            takes = 8094 if other in self.targets else None  # it says so when its rules stand
            known[other] = replace(known[other], takes=takes)
            if other != name and self.cut & {name, other}:
                known[other] = Neighbour(Soundness.FAILED, self.site.now)

    def step(self, name: str) -> None:
        """Let a server plan, and pass on by it; then its announcements are out."""
        plan = self.site.step(name)
        if name in self.cut - self.half_open:
            plan = Plan(name)  # what no router hears is announced to nobody
        others, doubtful = self.others(name)
        order = self.site.servers[name].order
        before = self.holdings.get(name, {})
        if not before:  # its speaker begins when it has decided what to pass on
            before = next_holdings(order, Plan(name), others, {}, self.site.now, KEEP_S)
        found = next_holdings(order, plan, others, before, self.site.now, KEEP_S, doubtful)
        self.holdings[name] = found
        self.targets[name] = targets(order, name, found, others)
        self.onward[name] = onward(order, name, found, others)
        self.connect()

    def others(self, name: str) -> tuple[dict[str, Neighbour], set[str]]:
        """What a server makes of what it knows of the others, and whom it has to ask again."""
        now = self.site.now
        known = {k: v for k, v in self.site.servers[name].neighbours.items() if k != name}
        if nobody_answers(known):
            self.silent_at[name] = now
        lately = name in self.cut - self.half_open or now - self.heard_at.get(name, 0.0) <= LATELY_S
        silent_at = self.silent_at.get(name, 0.0)
        failing = next_failing(self.failing.get(name, {}), known, silent_at)
        self.failing[name] = failing
        doubtful = in_doubt(known, failing, silent_at) if lately else set()
        ports = self.ports.get(name, {})
        known = but_for_cut(known, doubtful, ports)
        self.ports[name] = next_ports(known, ports, now, 0.0)
        return with_ports(known, self.ports[name]), doubtful

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
        away = self.dead | self.cut
        routes = {name: its for name, its in self.site.routes().items() if name not in away}
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
        """End all of a server. Who is cut off does not hear of it before it asks twice."""
        self.misled |= self.cut
        self.dead.add(name)
        one = self.site.servers[name]
        one.verdict = Verdict(Soundness.FAILED)
        one.plan, one.memory, one.neighbours = Plan(name), None, {}
        for kept in (
            self.holdings,
            self.targets,
            self.onward,
            self.heard_at,
            self.silent_at,
            self.failing,
            self.ports,
        ):
            kept.pop(name, None)
        self.cut.discard(name)
        self.lose(name)

    def lose(self, name: str) -> None:
        """Forget the connections of a server: others answer them by resets."""
        self.connected = {
            vip: [at for at in known if at != name] for vip, known in self.connected.items()
        }
        self.connect()

    def cut_off(self, name: str, *, half_open: bool = False) -> None:
        """Let a server's line go down; all of it lives. `half_open`: it does not know yet."""
        self.cut.add(name)
        if half_open:
            self.half_open.add(name)
        self.check(name)
        self.step(name)
        self.lose(name)

    def heal(self, name: str, asked: Iterable[str] | None = None) -> None:
        """Let the line be up again, then the session, when it has asked some of the others."""
        if name not in self.cut:
            return
        self.site.now += 0.1
        cut = set(self.cut)
        self.cut.discard(name)
        self.check(name, asked)
        self.cut = cut
        self.half_open.discard(name)
        self.step(name)
        self.cut.discard(name)
        self.heard_at[name] = self.site.now
        self.step(name)

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
        what = data.draw(st.sampled_from(["drain", "return", "kill", "revive", "cut", "heal"]))
        name = data.draw(st.sampled_from(names))
        match what:
            case "drain" | "return":
                site.site.drain(name, AdminState.DRAINING if what == "drain" else None)
            case "kill" if len(site.alive()) > 1:
                site.kill(name)
            case "revive":
                site.revive(name)
            case "cut" if name in site.alive() and len(site.alive()) > 1 + len(site.cut):
                site.cut_off(name)
            case "heal":
                site.heal(name)
        # After a death nobody knows who is left until it has asked; else nothing is cut meanwhile.
        strictly = what not in ("kill", "cut") and not (what == "heal" and name in site.misled)
        site.misled -= {name} if what == "heal" else set()
        in_turn(site, data.draw(st.permutations(names)), strictly=strictly)
        site.site.now += data.draw(st.sampled_from([0.5, 7.0]))
        in_turn(site, data.draw(st.permutations(names)), strictly=strictly)
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


@pytest.mark.parametrize("asked", [(), (1,), (2,), (1, 2)])
@pytest.mark.parametrize("half_open", [False, True])
def test_what_came_while_the_owner_was_cut_off_is_found_by_it_at_once(
    asked: tuple[int, ...], half_open: bool
) -> None:
    """Whomever it has asked since its line is up again, when a router hears it. `half_open`: it
    took its session for up until then."""
    site = Site(3)
    (vip,) = site.vips
    names = site.site.servers["n1"].order.vips[vip].names
    owner, second, third = names
    site.cut_off(owner, half_open=half_open)
    site.settle()
    assert site.connected[vip] == [second]
    site.heal(owner, [names[rank] for rank in asked])
    assert site.route(vip) == owner
    kept(site)
    for order in ([third, second, owner], [owner, second, third]):
        in_turn(site, order, strictly=True)
    site.site.now += LATELY_S
    in_turn(site, [owner, third, second], strictly=True)
    assert site.holdings[owner][vip].past[0][0] == second
    assert site.connected[vip] == [second, owner]


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
