"""A site whose servers plan for themselves: what each knows, when it learns it, what it announces.

Nothing happens by itself: a test says which server checks its neighbours, which one plans, and how
time passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from headrace.bgp.announcement import Announcement
from headrace.topology.model import AdminState, Topology
from headrace.topology.view import NO_VIEW, View
from headrace.vip.plan.floor import Neighbour, announces_worse, said_to_neighbours
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.model import Address, Memory, Plan, Standing
from headrace.vip.plan.order import SiteOrder, site_order
from headrace.vip.plan.plan import Known, plan
from headrace.vip.plan.wanted import Order

SITE = "north"


@dataclass(slots=True)
class Planner:
    """One server. `verdict` is what its checks of all VIPs say; what it knows else may be old."""

    name: str
    order: SiteOrder
    verdict: Verdict
    view: View = NO_VIEW
    own: Order | None = None
    connections: int | None = None
    neighbours: dict[str, Neighbour] = field(default_factory=dict)
    memory: Memory | None = None
    plan: Plan = field(default_factory=lambda: Plan(""))


class AnnouncingSite:
    """A site with all of its servers."""

    def __init__(self, topology: Topology, now: float, *, says_vips: bool = False) -> None:
        self.now = now
        self.says_vips = says_vips
        order = site_order(topology, SITE)
        sound = Verdict(Soundness.SOUND, for_s=100.0)
        self.servers = {name: Planner(name, order, sound) for name in order.servers}

    def check(self, name: str, others: Iterable[str] | None = None) -> None:
        """Let a server check its neighbours: it learns how they are now."""
        one = self.servers[name]
        for other in self.servers if others is None else others:
            seen = self.servers[other]
            leaving, announces = said_to_neighbours(seen.plan, seen.memory or Memory())
            one.neighbours[other] = Neighbour(
                seen.verdict.soundness,
                self.now,
                leaving,
                announces if self.says_vips else None,
                worse=frozenset(vip.vip for vip in seen.plan.vips if announces_worse(vip)),
            )

    def step(self, name: str) -> Plan:
        """Let a server plan."""
        one = self.servers[name]
        order = one.order
        known = Known(
            order,
            name,
            dict.fromkeys(order.vips, one.verdict),
            dict(one.neighbours),
            one.view,
            0.0,
            one.own,
            one.connections,
        )
        one.plan, one.memory = plan(known, one.memory, self.now)
        return one.plan

    def settle(self) -> None:
        """Let all servers plan, check, and plan again: twice, so that each has seen the others."""
        for _round in range(2):
            for name in self.servers:
                self.check(name)
                self.step(name)

    def drain(self, name: str, state: AdminState | None = AdminState.DRAINING) -> None:
        """Let an operator order it on the server itself (None: take it back)."""
        self.servers[name].own = None if state is None else Order(state)

    def routes(self) -> dict[str, frozenset[Announcement]]:
        """Return what is announced now, by server."""
        return {name: one.plan.announcements for name, one in self.servers.items()}

    def announcers(self, vip: Address) -> dict[str, Standing]:
        """Return who announces a VIP, and how."""
        return {
            name: each.standing
            for name, one in self.servers.items()
            for each in one.plan.vips
            if each.vip == vip and each.announcement is not None
        }
