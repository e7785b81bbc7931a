"""Whether others would serve a VIP if this server left it. Pure, and in doubt: no.

A server knows its neighbours by what is wanted of them, by the view, and by its own checks of their
addresses. It relies on one only when all of these agree, and its check is younger than the time
for which it was worse than its neighbours itself: of two that leave at once, each has then seen the
other drain, and both stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace.topology.model import AdminState
from headrace.topology.view import View
from headrace.vip.plan.drain import LEAST_S
from headrace.vip.plan.health import Soundness
from headrace.vip.plan.model import Address, Memory, Phase, Plan, PlannedVip, Standing
from headrace.vip.plan.order import Candidates
from headrace.vip.plan.wanted import Wanted, is_seen_failed

NEIGHBOUR_AGE_S = LEAST_S - 2.0
"""How old a check of a neighbour may be: less than the time that it announces what it withdraws."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What a server's own checks say of another one, at a Unix time. `leaving`: it says that it
    drains. `announces` are the VIPs that it says it announces to serve them, neither as one that
    drains nor as one that is impaired (None: it does not say), `worse` those that it announces
    nevertheless, for want of others. `takes` is the UDP port at which it
    takes packets that it may know (None: it takes none), `passes` to whom it passes on what it
    does not know, by VIP. `clients` are the connections that it counts while it leaves. `heard_at`
    is the Unix time at which it last asked this server.
    """

    soundness: Soundness
    at: float
    leaving: bool = False
    announces: frozenset[Address] | None = None
    takes: int | None = None
    passes: Mapping[Address, str] = field(default_factory=dict)
    clients: int | None = None
    worse: frozenset[Address] = frozenset()
    heard_at: float = -math.inf


def announces_worse(one: PlannedVip) -> bool:
    """Return whether a VIP is announced by a server that drains or is impaired: it has what comes
    where nobody serves it better.
    """
    return one.announcement is not None and one.standing > Standing.LEAVING


def said_to_neighbours(plan: Plan, memory: Memory) -> tuple[bool, frozenset[Address]]:
    """Return what a server says of itself for others' `Neighbour`: `leaving` and `announces`."""
    serves = frozenset(one.vip for one in plan.vips if one.standing <= Standing.LEAVING)
    return memory.drain.phase is not Phase.SERVING, serves


def others_serve(
    me: str,
    vip: Address,
    candidates: Candidates,
    wishes: Mapping[str, Wanted],
    view: View,
    neighbours: Mapping[str, Neighbour],
    now: float,
) -> bool:
    """Return whether another candidate is known to serve a VIP. Of a view that is too old, there is
    nothing in `view`."""
    return any(
        name != me
        and name in wishes
        and wishes[name].state is AdminState.ONLINE
        and not is_seen_failed(name, view)
        and _checked(neighbours.get(name), vip, now)
        for name in candidates.names
    )


def all_leave(candidates: Candidates, wishes: Mapping[str, Wanted]) -> bool:
    """Return whether what all servers read withdraws all candidates: then nobody is to stay."""
    return all(
        name in wishes and wishes[name].state is AdminState.WITHDRAWN and wishes[name].planned
        for name in candidates.names
    )


def _checked(neighbour: Neighbour | None, vip: Address, now: float) -> bool:
    return (
        neighbour is not None
        and neighbour.soundness is Soundness.SOUND
        and not neighbour.leaving
        and abs(now - neighbour.at) <= NEIGHBOUR_AGE_S
        and (neighbour.announces is None or vip in neighbour.announces)
    )
