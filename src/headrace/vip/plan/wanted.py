"""What is wanted of each server of a site: by description, schedule, view and operator. Pure.

The severest counts. The loop's view says which servers drain or are withdrawn, by whose wish, and
until when; an operator on the server itself says it of that server alone.

What the loop does since a server's VIPs are away is passed over: it follows from what is announced,
and must not lead to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from headrace.topology.model import AdminState, Server
from headrace.topology.schedule import scheduled_state
from headrace.topology.view import Cause, ServerState, ServerView, View
from headrace.vip.plan.order import SiteOrder

VIEW_AGE_S = 60.0
"""How old a view may be that is believed about what was observed."""

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
    """What is wanted of a server, and whose words say so. `planned`: by description or schedule, or
    by orders to the loop for the whole site, which all servers read.
    """

    state: AdminState = AdminState.ONLINE
    note: str = ""
    planned: bool = False
    force: bool = False


def wanted(
    order: SiteOrder, view: View, now: float, me: str = "", own: Order | None = None
) -> dict[str, Wanted]:
    """Return what is wanted of each server of a site at a Unix time; `own` is an order for `me`."""
    whole = _is_whole_out(order, view, now)
    return {
        name: _severest(_each(order, one, view, now, own if name == me else None, whole=whole))
        for name, one in order.servers.items()
    }


def wanted_of(order: SiteOrder, view: View, now: float, me: str, own: Order | None) -> Wanted:
    """Return what is wanted of one server at a Unix time, by an order for it too."""
    whole = _is_whole_out(order, view, now)
    return _severest(_each(order, order.servers[me], view, now, own, whole=whole))


def _is_whole_out(order: SiteOrder, view: View, now: float) -> bool:
    return all(_is_ordered_out(view.servers.get(name), now) for name in order.servers)


def _severest(found: Sequence[Wanted]) -> Wanted:
    return max(found, key=lambda one: (_ENDS[one.state], one.force, one.planned))


def _each(
    order: SiteOrder, server: Server, view: View, now: float, own: Order | None, *, whole: bool
) -> list[Wanted]:
    found = [Wanted(server.state, "by the description", planned=True)]
    for one in order.withdrawals:
        if one.server in ("", server.name):
            note = f"maintenance: {one.reason}" if one.reason else "maintenance"
            note = f"{note}, until {_time(one.end)}"
            found.append(Wanted(scheduled_state(one, now), note, planned=True))
    # Before the loop, which sees the server drain by this very order: of equals the first counts.
    if own is not None and (own.until is None or now < own.until):
        found.append(Wanted(own.state, own.reason or "by an operator", force=own.force))
    by_loop = _by_loop(view.servers.get(server.name), now, whole)
    if by_loop is not None:
        found.append(by_loop)
    return found


def believed(view: View, age_s: float, me: str = "") -> View:
    """Return what `me` believes of a view. Of one that nobody renews, what was ordered, and that
    others drain: nobody is relied on in doubt.
    """
    if age_s <= VIEW_AGE_S:
        return view
    kept = {
        name: one
        for name, one in view.servers.items()
        if one.cause is Cause.ORDERED or (name != me and one.state is ServerState.DRAINING)
    }
    return replace(view, servers=kept)


def only_ordered(view: View) -> View:
    """Return what a view says of servers because somebody wants it."""
    ordered = {name: one for name, one in view.servers.items() if one.cause is Cause.ORDERED}
    return replace(view, servers=ordered)


def is_seen_failed(server: str, view: View) -> bool:
    """Return whether a server is seen to fail: one that is to be left alone is not."""
    seen = view.servers.get(server)
    return seen is not None and seen.state is ServerState.FAILED and seen.cause is not Cause.ORDERED


def _is_ordered_out(seen: ServerView | None, now: float) -> bool:
    return (
        seen is not None
        and seen.state is ServerState.FAILED
        and seen.cause is Cause.ORDERED
        and not seen.is_over(now)
    )


def _by_loop(seen: ServerView | None, now: float, whole: bool) -> Wanted | None:
    if seen is None or seen.is_over(now):
        return None
    if _is_ordered_out(seen, now):
        return Wanted(AdminState.WITHDRAWN, _words(seen), planned=whole)
    if seen.state is ServerState.DRAINING and seen.cause is not Cause.AWAY:
        return Wanted(AdminState.DRAINING, _words(seen))
    return None


def _words(seen: ServerView) -> str:
    if seen.cause is not Cause.ORDERED:
        return "by the feedback loop, which sees it drain"
    if seen.until is None:
        return "by an order to the feedback loop"
    return f"by an order to the feedback loop, until {_time(seen.until)}"


def _time(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%SZ}"
