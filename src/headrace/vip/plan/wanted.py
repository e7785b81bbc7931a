"""What is wanted of each server of a site: by description, schedule, view and operator. Pure.

The severest counts. The loop's view says which servers drain, whoever ordered it; an operator on
the server itself says it of that server alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.topology.model import AdminState, Server
from headrace.topology.schedule import scheduled_state
from headrace.topology.view import ServerState, View
from headrace.vip.plan.order import SiteOrder

_ENDS: Mapping[AdminState, int] = {
    AdminState.ONLINE: 0,
    AdminState.DRAINING: 1,
    AdminState.WITHDRAWN: 2,
}


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator wants of the server itself, until a Unix time (None: until it is taken
    back). `force`: at once, whoever else serves.
    """

    state: AdminState
    reason: str = ""
    until: float | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a server, and whose words say so. `planned`: by description or schedule,
    which all servers read."""

    state: AdminState = AdminState.ONLINE
    note: str = ""
    planned: bool = False
    force: bool = False


def wanted(
    order: SiteOrder, view: View, now: float, me: str = "", own: Order | None = None
) -> dict[str, Wanted]:
    """Return what is wanted of each server of a site at a Unix time; `own` is an order for `me`."""
    return {
        name: max(
            _each(order, server, view, now, own if name == me else None),
            key=lambda one: (_ENDS[one.state], one.force),
        )
        for name, server in order.servers.items()
    }


def _each(
    order: SiteOrder, server: Server, view: View, now: float, own: Order | None
) -> list[Wanted]:
    found = [Wanted(server.state, "by the description", planned=True)]
    for one in order.withdrawals:
        if one.server in ("", server.name):
            note = f"maintenance: {one.reason}" if one.reason else "maintenance"
            found.append(Wanted(scheduled_state(one, now), note, planned=True))
    seen = view.servers.get(server.name)
    if seen is not None and seen.state is ServerState.DRAINING:
        found.append(Wanted(AdminState.DRAINING, "by the feedback loop"))
    if own is not None and (own.until is None or now < own.until):
        found.append(Wanted(own.state, own.reason or "by an operator", force=own.force))
    return found
