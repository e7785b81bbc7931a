"""What a server announces at a moment, of all that it knows. Pure.

For each VIP, the first that applies:

0. `elsewhere`: this machine does not have the address that would be the next hop, so it is not the
   server that the description means: what it announces would lead to another machine, or nowhere.
1. `not_checked`, `failed`: without a check that passed nothing is announced, whoever wants it.
2. `forced`: an operator wants it out at once.
3. `withdrawn`: it is out, and others are known to serve it, or description or schedule withdraw all
   candidates, or orders to the loop the whole site. While neither is so it is announced as `last`,
   worse than all others.
4. `drains`: worse than all others, and marked as GRACEFUL_SHUTDOWN.
5. `degraded`, `seen_failed`, `damped`: worse than all that serve.
6. `joins`: a neighbour's VIP, worse than all that serve it, for a moment after routers hear this
   server. Of servers that start together, one would else take another's VIP for the moment until
   that one has it, and its connections with it, of which the owner does not know yet.
7. `leaving`: it was a candidate before the description changed; so that servers that do not have
   the new one yet and servers that have it never leave a VIP between them.
8. `lingers`, `owner`, `neighbour`: by its rank.

Nothing that is kept back here depends on what others are believed to do, except 3.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from headrace.bgp.announcement import Family, family_of
from headrace.damping import DampingRules
from headrace.topology.model import Server
from headrace.topology.view import NO_VIEW, View
from headrace.vip.plan.drain import first, next_drain
from headrace.vip.plan.floor import Neighbour, all_leave, others_serve
from headrace.vip.plan.health import HEALTH_RULES, Soundness, Verdict
from headrace.vip.plan.hearing import Hearing, counts, joins, next_hearings
from headrace.vip.plan.model import (
    Address,
    Drain,
    Held,
    Memory,
    Phase,
    Plan,
    PlannedVip,
    Standing,
    Why,
)
from headrace.vip.plan.order import Candidates, SiteOrder
from headrace.vip.plan.preference import announcement, block
from headrace.vip.plan.wanted import VIEW_AGE_S, Order, Wanted, believed, is_seen_failed, wanted

HOLD_S = 60.0
"""How long a VIP is held that the server is no candidate for any more: until all have the new
description."""

_NOT_CHECKED = Verdict(Soundness.UNKNOWN, why="not checked yet")
_MEMBER = Wanted()


@dataclass(frozen=True, slots=True)
class Known:
    """What a server knows when it plans. `verdicts` are those of its own checks of each VIP,
    `neighbours` of its checks of the others' own addresses; `view_age_s` is how old the view is;
    `own` is an operator's order to it; `connections` are how many clients it has (None: not known);
    `keeps`: neighbours pass on to it what they do not know, so its connections outlive a move. `up`
    are the families of which a router hears it (None: all, always), `rules` how flaps are damped.
    `stays`: routers keep its routes while it starts again, so it has had what it announces first.
    `elsewhere` are own addresses of the server that this machine does not have.
    """

    order: SiteOrder
    server: str
    verdicts: Mapping[Address, Verdict]
    neighbours: Mapping[str, Neighbour] = field(default_factory=dict)
    view: View = NO_VIEW
    view_age_s: float = 0.0
    own: Order | None = None
    connections: int | None = None
    keeps: bool = False
    up: Collection[Family] | None = None
    rules: DampingRules = HEALTH_RULES
    stays: bool = False
    elsewhere: Collection[Address] = ()


def plan(known: Known, memory: Memory | None, now: float) -> tuple[Plan, Memory]:
    """Return what to announce at a Unix time, and what to remember for the next plan.

    Without a memory, it has announced nothing yet.
    """
    order, me = known.order, known.server
    view = believed(known.view, known.view_age_s, me)
    wishes = wanted(order, view, now, me, known.own)
    mine = wishes.get(me, _MEMBER)
    drain = (
        first(mine, now)
        if memory is None
        else next_drain(
            memory.drain, mine, known.connections, order.site.announce, now, keeps=known.keeps
        )
    )
    ranks = order.ranks(me)
    held = {} if memory is None else _held(order, ranks, memory, now)
    hearings = _hearings(known, memory, now, told=is_seen_failed(me, view))
    planned = [
        _planned(known, wishes, view, drain, hearings, vip, owner, rank, vip in held, now)
        for vip, (owner, rank) in (
            *ranks.items(),
            *((vip, (one.owner, one.rank)) for vip, one in held.items()),
        )
    ]
    if known.view_age_s <= VIEW_AGE_S:  # an old one takes back nothing
        counted = {family_of(one.vip) for one in planned if one.why is Why.SEEN_FAILED}
        hearings = {of: replace(one, counted=of in counted) for of, one in hearings.items()}
    return Plan(me, tuple(planned)), Memory(ranks, held, drain, hearings)


def _hearings(
    known: Known, memory: Memory | None, now: float, *, told: bool
) -> Mapping[Family, Hearing]:
    if known.up is None:
        return {}
    before = {} if memory is None else memory.hearings
    return next_hearings(before, known.up, known.rules, now, told=told)


def _held(
    order: SiteOrder, ranks: Mapping[Address, tuple[str, int]], memory: Memory, now: float
) -> dict[Address, Held]:
    """Return the VIPs that a server was a candidate for, but for those whose prefixes have another
    VIP or a server in them by now: no prefix is announced in two ways, or for two."""
    found = {vip: one for vip, one in memory.held.items() if now < one.until <= now + HOLD_S}
    if memory.ranks is not ranks:
        for vip, (owner, rank) in memory.ranks.items():
            if vip not in ranks:
                found[vip] = Held(owner, rank, now + HOLD_S)
    if not found:
        return {}
    own = {one for server in order.servers.values() for one in (*server.ipv4, *server.ipv6)}
    kept: dict[Address, Held] = {}
    for vip, one in found.items():
        if vip in ranks or vip in own:
            continue
        around = block(order.site.announce, vip)
        others = (*order.vips, *own, *kept) if around.num_addresses > 1 else ()
        if not any(other in around and other != vip for other in others):
            kept[vip] = one
    return kept


def _planned(
    known: Known,
    wishes: Mapping[str, Wanted],
    view: View,
    drain: Drain,
    hearings: Mapping[Family, Hearing],
    vip: Address,
    owner: str,
    rank: int,
    is_held: bool,
    now: float,
) -> PlannedVip:
    verdict = known.verdicts.get(vip, _NOT_CHECKED)
    candidates = known.order.vips.get(vip) or Candidates(owner, 0, (owner, known.server))
    may_leave = drain.phase is Phase.OUT and (
        all_leave(candidates, wishes)
        or others_serve(known.server, vip, candidates, wishes, view, known.neighbours, now)
    )
    mine = wishes.get(known.server, _MEMBER)
    hearing = hearings.get(family_of(vip))
    seen_failed = is_seen_failed(known.server, view) and counts(
        hearing, verdict.for_s, known.view_age_s, now
    )
    is_new = not known.stays and joins(hearing, rank, now)
    next_hop = next_hop_of(known.order.servers.get(known.server), vip)
    if next_hop in known.elsewhere:
        return PlannedVip(vip, owner, rank, Standing.OUT, Why.ELSEWHERE, str(next_hop))
    standing, why, note = _leaving(verdict, mine, drain, may_leave=may_leave) or _staying(
        verdict, drain, rank, is_seen_failed=seen_failed, is_held=is_held, is_new=is_new
    )
    announced = None
    if standing is not Standing.OUT:
        announced = announcement(known.order.site.announce, vip, standing, rank, next_hop)
    return PlannedVip(vip, owner, rank, standing, why, note, announced)


_Judged = tuple[Standing, Why, str]


def _leaving(verdict: Verdict, mine: Wanted, drain: Drain, *, may_leave: bool) -> _Judged | None:
    """Return what holds of a VIP that may not be announced, or that its server leaves."""
    if verdict.soundness is Soundness.UNKNOWN:
        return Standing.OUT, Why.NOT_CHECKED, verdict.why
    if verdict.soundness is Soundness.FAILED:
        return Standing.OUT, Why.FAILED, verdict.why
    if drain.phase is Phase.OUT:
        if mine.force:
            return Standing.OUT, Why.FORCED, mine.note
        if may_leave:
            return Standing.OUT, Why.WITHDRAWN, mine.note
        return Standing.WORST, Why.LAST, mine.note
    if drain.phase is Phase.WORSE:
        return Standing.WORST, Why.DRAINS, mine.note
    return None


def _staying(
    verdict: Verdict,
    drain: Drain,
    rank: int,
    *,
    is_seen_failed: bool,
    is_held: bool,
    is_new: bool,
) -> _Judged:
    """Return what holds of a VIP that is served."""
    if verdict.soundness is Soundness.DEGRADED:
        return Standing.WORSE, Why.DEGRADED, verdict.why
    if is_seen_failed:
        return Standing.WORSE, Why.SEEN_FAILED, ""
    if verdict.damped:
        return Standing.WORSE, Why.DAMPED, ""
    if is_new:
        return Standing.WORSE, Why.JOINS, ""
    if is_held:
        return Standing.LEAVING, Why.LEAVING, ""
    if drain.phase is Phase.LINGERING:
        return Standing.SERVING, Why.LINGERS, ""
    return Standing.SERVING, Why.NEIGHBOUR if rank else Why.OWNER, ""


def next_hop_of(server: Server | None, vip: Address) -> Address | None:
    """Return the own address of a server by which routers reach it (None: the session's)."""
    if server is None:
        return None
    own = server.ipv4 if vip.version == 4 else server.ipv6
    return own[0] if own else None
