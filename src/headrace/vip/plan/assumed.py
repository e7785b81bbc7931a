"""The plans of all servers of a site in a state that is assumed, and what they come to. Pure.

It is the plan that servers make, asked with what they would know: all is sound, but for what is
said to have failed, to drain or to be withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.topology.model import AdminState, Server
from headrace.vip.plan.floor import Neighbour
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.model import Address, Drain, Memory, Phase, Plan, Standing
from headrace.vip.plan.order import SiteOrder
from headrace.vip.plan.plan import Known, plan
from headrace.vip.plan.wanted import Order


@dataclass(frozen=True, slots=True)
class Assumed:
    """Names of servers that failed, that drain (and are worse than their neighbours already), and
    that have drained to the end."""

    failed: tuple[str, ...] = ()
    draining: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


ALL_WELL = Assumed()


def assumed_plans(
    order: SiteOrder,
    assumed: Assumed,
    now: float,
    but_for_failed: Mapping[str, Plan] | None = None,
) -> dict[str, Plan]:
    """Return the plan of each server of a site at a Unix time.

    `but_for_failed` are the plans before some of them failed, of which those are taken that do not
    depend on others: all but those of servers that leave.
    """
    known = but_for_failed or {}
    leaving = {*assumed.draining, *assumed.withdrawn}
    neighbours = {
        name: Neighbour(
            Soundness.FAILED if name in assumed.failed else Soundness.SOUND, now, name in leaving
        )
        for name in order.servers
    }
    return {
        name: known[name]
        if name in known and name not in assumed.failed and _stays(known[name])
        else _planned(order, name, assumed, neighbours, now)
        for name in order.servers
    }


def _stays(plan: Plan) -> bool:
    return all(one.standing < Standing.WORST for one in plan.vips)


def _planned(
    order: SiteOrder,
    name: str,
    assumed: Assumed,
    neighbours: Mapping[str, Neighbour],
    now: float,
) -> Plan:
    verdict = Verdict(Soundness.SOUND)
    own, memory = None, None
    if name in assumed.failed:
        verdict = Verdict(Soundness.FAILED, why="assumed")
    if name in assumed.withdrawn:
        own = Order(AdminState.WITHDRAWN, "assumed")
    elif name in assumed.draining:
        own = Order(AdminState.DRAINING, "assumed")
        memory = Memory(drain=Drain(Phase.WORSE, now))
    known = Known(order, name, dict.fromkeys(order.vips, verdict), neighbours, own=own)
    return plan(known, memory, now)[0]


def holders(plans: Mapping[str, Plan]) -> dict[Address, str]:
    """Return who has each VIP by these plans: whose announcement is the best. It lacks those that
    nobody announces."""
    best: dict[Address, tuple[Standing, int, str]] = {}
    for name, each in plans.items():
        for one in each.vips:
            found = (one.standing, one.rank, name)
            if one.standing is not Standing.OUT and (one.vip not in best or found < best[one.vip]):
                best[one.vip] = found
    return {vip: name for vip, (_standing, _rank, name) in best.items()}


def load_of(server: Server) -> float:
    """Return what a server is assumed to send: clients are spread by capacity."""
    return float(server.capacity_bps)


def carried(order: SiteOrder, plans: Mapping[str, Plan]) -> dict[str, dict[str, float]]:
    """Return whose load each server carries ("": what nobody does), in bits per second.

    Clients of a server are spread evenly over its VIPs. Those of a server without VIPs are nobody
    else's, and are not counted.
    """
    found: dict[str, dict[str, float]] = {}
    who = holders(plans)
    for server in order.servers.values():
        for vip in server.vips:
            addresses = vip.addresses
            for address in addresses:
                name = who.get(address, "")
                share = load_of(server) / len(server.vips) / len(addresses)
                by_owner = found.setdefault(name, {})
                by_owner[server.name] = by_owner.get(server.name, 0.0) + share
    return found
