"""What operators want of a server now: by their orders, the schedule, the description. Pure.

An order for the server comes before one for its site, both before the schedule. None of them makes
a server better than its description says: nodes go by that themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.feedback.orders import Orders, Wish, wish_in_force
from headrace.feedback.states.model import Why
from headrace.topology.model import AdminState, Server, Topology
from headrace.topology.schedule import scheduled_state


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a server, by whom, their words for it, and until when, in Unix time (None:
    it does not end by itself).
    """

    wish: Wish
    by: Why
    note: str = ""
    until: float | None = None


NOTHING_WANTED = Wanted(Wish.NONE, Why.DESCRIPTION)
_DESCRIBED: Mapping[AdminState, Wanted] = {
    AdminState.ONLINE: NOTHING_WANTED,
    AdminState.DRAINING: Wanted(Wish.DRAINING, Why.DESCRIPTION),
    AdminState.WITHDRAWN: Wanted(Wish.WITHDRAWN, Why.DESCRIPTION),
}
_WISHES: Mapping[AdminState, Wish] = {
    AdminState.ONLINE: Wish.NONE,
    AdminState.DRAINING: Wish.DRAINING,
    AdminState.WITHDRAWN: Wish.WITHDRAWN,
}
_ENDS: Mapping[Wish, int] = {Wish.ONLINE: 0, Wish.NONE: 1, Wish.DRAINING: 2, Wish.WITHDRAWN: 3}


def wanted(topology: Topology, orders: Orders, now: float) -> dict[str, Wanted]:
    """Return what is wanted of each server of which anything is, at a Unix time."""
    found: dict[str, Wanted] = {}
    of_servers, of_sites = _scheduled(topology, now)
    for server in topology.servers:
        order = _order(orders, server, now)
        if order is None:
            order = _severer(of_servers.get(server.name), of_sites.get(server.site))
        described = _DESCRIBED[server.state]
        one = described if order is None else _severer(order, described)
        if one is not None and one.wish is not Wish.NONE:
            found[server.name] = one
    return found


def _order(orders: Orders, server: Server, now: float) -> Wanted | None:
    wish = wish_in_force(orders, server.name, server.site, now)
    return None if wish is None else Wanted(wish.wish, Why.OPERATOR, wish.reason, wish.until)


def _scheduled(topology: Topology, now: float) -> tuple[dict[str, Wanted], dict[str, Wanted]]:
    """Return what the schedule wants now, by server and by site."""
    servers: dict[str, Wanted] = {}
    sites: dict[str, Wanted] = {}
    for one in topology.withdrawals:
        wish = _WISHES[scheduled_state(one, now)]
        if wish is Wish.NONE:
            continue
        by_name, name = (servers, one.server) if one.server else (sites, one.site)
        found = Wanted(wish, Why.SCHEDULE, one.reason, one.end)
        severer = _severer(by_name.get(name), found)
        if severer is not None:
            by_name[name] = severer
    return servers, sites


def _severer(one: Wanted | None, other: Wanted | None) -> Wanted | None:
    """Return what ends more of what a server does; of two that are alike the one that ends later,
    for so long it lasts.
    """
    if one is None or other is None:
        return other if one is None else one
    if one.wish is Wish.ONLINE and other.wish is Wish.NONE:
        return one
    if one.wish is other.wish:
        return other if _end(other) > _end(one) else one
    return other if _ENDS[other.wish] > _ENDS[one.wish] else one


def _end(one: Wanted) -> float:
    return math.inf if one.until is None else one.until
