"""What operators are shown, of what the process knows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping

from headrace.bgp.announcement import Announcement, Family, community_text, family_of
from headrace.vip.admin.models import (
    BfdRow,
    EdgeRow,
    HandoverRow,
    NeighbourRow,
    OrderRow,
    SessionRow,
    Status,
    VipRow,
)
from headrace.vip.announced import heard
from headrace.vip.announcing import Announcing
from headrace.vip.checks.judged import UNBOUND
from headrace.vip.handover.holders import holders, unless
from headrace.vip.handover.running import CUT_OFF
from headrace.vip.plan.health import Health
from headrace.vip.plan.meanings import MEANINGS
from headrace.vip.plan.model import Address, PlannedVip
from headrace.vip.speak.said import BfdFacts


def status(server: Announcing) -> Status:
    """Return all that this server knows of its VIPs."""
    now = time.time()
    wish = server.wish(now)
    memory, learnt = server.memory, server.learning.counts()
    has = _holders(server, now)
    but = _unless(server, has, now)
    return Status(
        server=server.me,
        site=server.order.site.name,
        phase=server.phase.value,
        # After a restart it is not known since when it served before.
        phase_s=0.0 if memory is None else max(0.0, now - (memory.drain.since or server.began)),
        order=ordered(server),
        wanted=wish.state.value,
        wanted_note=wish.note,
        speaker="not started" if server.said.state is None else server.said.state.value,
        speaker_problem=server.speaker_problem or server.said.detail,
        addresses_problem=server.bound.problem,
        state_problem=server.keeper.problem,
        plan_age_s=server.age_s(),
        view=server.view.version,
        clients=server.clients.count(),
        edge=_edge(server),
        vips=[
            _vip(server, one, has.get(one.vip, ""), but.get(one.vip, ()))
            for one in server.plan.vips
        ],
        sessions=_sessions(server, now),
        neighbours=[_neighbour(server, name) for name in _others(server)],
        handover=_handover(server),
        view_age_s=server.view_age_s(now) if server.view.made_at else None,
        coverage_waiting=learnt.waiting,
        coverage_alarms=learnt.alarms,
    )


def explain(server: Announcing, vip: Address) -> list[str] | None:
    """Return why a VIP is announced from here as it is; None for what is no VIP of the site."""
    candidates = server.order.vips.get(vip)
    planned = next((one for one in server.plan.vips if one.vip == vip), None)
    if candidates is None and planned is None:
        return None
    lines = []
    if candidates is not None:
        names = " > ".join(candidates.names)
        lines.append(f"{vip} is VIP {candidates.index + 1} of {candidates.owner}: {names}")
    if planned is None:
        lines.append(f"{server.me} is no candidate for it, and announces nothing")
        return lines
    note = f" ({planned.note})" if planned.note else ""
    what = route_text(planned.announcement) or "nothing"
    lines.append(f"{server.me} announces {what}")
    if planned.announcement is not None and not _is_heard(server, vip):
        lines.append(f"no router hears it: no session of IPv{vip.version} is up")
    lines.append(f"because {planned.why.value}: {MEANINGS[planned.why]}{note}")
    lines += _holder_line(server, vip, time.time())
    lines += _check_lines(server, vip)
    wish = server.wish(time.time())
    by = f" ({wish.note})" if wish.note else ""
    lines.append(f"wanted of {server.me}: {wish.state.value}{by}")
    lines.append(f"phase: {server.phase.value}")
    if vip in server.handover.kept_back:
        for_s = server.handover.kept_back_s(time.time()) or 0.0
        lines.append(f"nothing of it leaves {server.me} for {for_s:.0f} s: {CUT_OFF}")
    to = server.handover.passes.get(vip)
    if to is not None:
        lines.append(f"packets of connections that {server.me} does not know go to {to}")
    for name in () if candidates is None else candidates.names:
        if name != server.me:
            lines.append(_neighbour_line(server, name, vip))
    return lines


def _is_heard(server: Announcing, vip: Address) -> bool:
    return not server.said.sessions or family_of(vip) in server.said.up


def _holders(server: Announcing, now: float) -> dict[Address, str]:
    up = server.said.up if server.said.sessions else set(Family)
    return holders(server.order, heard(server.plan, up), server.neighbours.at(now))


def _unless(
    server: Announcing, has: Mapping[Address, str], now: float
) -> dict[Address, tuple[str, ...]]:
    return unless(server.order, server.me, has, server.neighbours.at(now))


def _holder_line(server: Announcing, vip: Address, now: float) -> list[str]:
    has = _holders(server, now)
    if vip not in has:
        return []
    names = _unless(server, has, now).get(vip)
    but = f", unless {' or '.join(names)} has" if names else ""
    return [f"as far as {server.me} knows, {has[vip] or 'nobody'} has it{but}"]


def _check_lines(server: Announcing, vip: Address) -> list[str]:
    health = server.health.get(vip)
    if health is None:
        return ["checks: none has ended yet"]
    found = server.verdict(health)
    why = f": {found.why}" if found.why else ""
    lines = [f"checks: {found.soundness.value} for {found.for_s:.1f} s{why}"]
    if found.damped:
        lines.append(f"damped: penalty {health.flaps.penalty:.0f}, it failed again and again")
    return lines


def _neighbour_line(server: Announcing, name: str, vip: Address) -> str:
    known = server.neighbours.known.get(name)
    if known is None:
        return f"{name}: not asked yet"
    age_s = _age_s(known.at)
    problem = server.neighbours.problems.get(name, "")
    has = "does not announce it"
    if vip in (known.announces or ()):
        has = "announces it"
    elif vip in known.worse:
        has = "announces it, behind all that serve it"
    leaving = ", drains" if known.leaving else ""
    told = f": {problem}" if problem else f", {has}{leaving}"
    return f"{name}: {known.soundness.value}{told}; {age_s:.1f} s ago"


def route_text(route: Announcement | None) -> str:
    """Return a route in words; "" for none."""
    if route is None:
        return ""
    words = [str(route.prefix)]
    if route.med is not None:
        words.append(f"med {route.med}")
    if route.prepend:
        words.append(f"prepend {route.prepend}")
    words += [community_text(one) for one in sorted(route.communities)]
    words += [community_text(one) for one in sorted(route.large_communities)]
    return " ".join(words)


def _handover(server: Announcing) -> HandoverRow | None:
    found = server.handover
    if not found.enabled:
        return None
    passed_at, taken_at = found.last(taken=False), found.last(taken=True)
    now = time.time()
    return HandoverRow(
        found.asked_for,
        found.takes,
        found.problem,
        {str(vip): name for vip, name in found.passes.items()},
        found.passed,
        found.taken,
        found.over,
        found.passed_bytes,
        found.taken_bytes,
        None if passed_at is None else max(0.0, now - passed_at),
        None if taken_at is None else max(0.0, now - taken_at),
        found.refused,
        found.is_flooded,
        sorted(map(str, found.kept_back)),
        found.kept_back_s(now),
    )


def ordered(server: Announcing) -> OrderRow | None:
    """Return the operator's order that is in force."""
    kept = server.keeper.kept.order
    if kept is None or server.own is None:
        return None
    return OrderRow(kept.state.value, kept.reason, kept.by, kept.at, kept.until, kept.force)


def _edge(server: Announcing) -> EdgeRow | None:
    edge = server.edge
    if edge is None:
        return None
    return EdgeRow(edge.draining, edge.connections, edge.unready, edge.problem)


def _vip(server: Announcing, one: PlannedVip, holder: str, but: Collection[str]) -> VipRow:
    health = server.health.get(one.vip, Health())
    found = server.verdict(health)
    route = one.announcement
    return VipRow(
        vip=str(one.vip),
        owner=one.owner,
        rank=one.rank,
        standing=one.standing.name.lower(),
        why=one.why.value,
        meaning=MEANINGS[one.why],
        note=one.note,
        announced=route_text(route),
        acknowledged=route is not None and route.prefix in server.said.acknowledged,
        soundness=found.soundness.value,
        damped=found.damped,
        check=found.why,
        checked_s=None if health.at is None else _age_s(health.at),
        for_s=found.for_s,
        bound=health.at is not None and health.why != UNBOUND,
        holder=holder,
        unless=list(but),
    )


def _sessions(server: Announcing, now: float) -> list[SessionRow]:
    names = {one.address: one.name for one in server.config.routers}
    return [
        SessionRow(
            str(key),
            names.get(key.peer, ""),
            one.up,
            max(0.0, now - one.since),
            one.reason,
            one.detail,
            one.remedy,
            one.received,
            _bfd(server.said.bfd.get(key), now),
        )
        for key, one in server.said.sessions.items()
    ]


def _bfd(found: BfdFacts | None, now: float) -> BfdRow | None:
    if found is None:
        return None
    return BfdRow(found.up, max(0.0, now - found.since), found.detail, found.remedy)


def _others(server: Announcing) -> list[str]:
    return [name for name in server.order.servers if name != server.me]


def _neighbour(server: Announcing, name: str) -> NeighbourRow:
    known = server.neighbours.known.get(name)
    problem = server.neighbours.problems.get(name, "")
    if known is None:
        return NeighbourRow(name, "unknown", False, [], 0.0, problem or "not asked yet")
    announces = sorted(str(one) for one in known.announces or ())
    age_s = _age_s(known.at)
    return NeighbourRow(
        *(name, known.soundness.value, known.leaving, announces, age_s, problem, known.clients)
    )


def _age_s(at_s: float) -> float:
    return max(0.0, asyncio.get_running_loop().time() - at_s)
