"""What a VIP process says of itself, as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from headrace.cli.admin_client import harmless
from headrace.cli.tables import part, utc
from headrace.cli.vip_complaints import complaints, is_unasked, named, span
from headrace.vip.admin.models import Done, EventRow, NeighbourRow, SessionRow, Status, VipRow

_NARROWEST = 20
_BFD = {True: "up", False: "down", None: "waits"}


def status_lines(found: Status, width: int) -> list[str]:
    """Return the whole state as lines, none wider than `width`: sentences are wrapped, for their
    ends say what helps, and tables cut.
    """
    lines = planned_lines(found, width)
    lines += part(
        ["ROUTER", "NAME", "SESSION", "SINCE", "BFD", "PREFIXES", "WHY"],
        [_session(one) for one in found.sessions],
        width,
        prose=True,
    )
    lines += part(
        ["NEIGHBOUR", "EDGE", "DRAINS", "ANNOUNCES", "ASKED", "WHY"],
        [_neighbour(one) for one in found.neighbours],
        width,
        prose=True,
    )
    return [line[:width] for line in lines]


def planned_lines(found: Status, width: int) -> list[str]:
    """Return what is announced as lines, and what is wrong; without routers and neighbours."""
    lines = [
        part
        for one in (
            *_head(found),
            *_edge(found),
            *_handover(found),
            *_carried(found),
            *_alone(found),
            *complaints(found),
        )
        for part in wrap(harmless(one), max(width, _NARROWEST), subsequent_indent="  ")
    ]
    lines += part(
        ["VIP", "OF", "RANK", "STANDING", "ANNOUNCED", "CHECKS", "WHY"],
        [_vip(one) for one in found.vips],
        width,
        prose=True,
    )
    return [line[:width] for line in lines]


def done_lines(done: Done, *, leaves: bool) -> Iterator[str]:
    """Yield what an order came to, and until when it counts: of one to leave that stands in place
    of another, also when that one would have ended.
    """
    note = f" ({done.note})" if done.note else ""
    yield f"in force: wanted {done.wanted}{note}; now {done.phase}"
    if leaves:
        back = "headrace vip return takes it back"
        end = f"it ends by itself at {utc(done.until)}" if done.until else "it has no end"
        yield f"{end}; {back}"
    former = done.replaced
    if leaves and former is not None:
        end = f"would have ended at {utc(former.until)}" if former.until else "had no end"
        yield f"it replaces the order by {former.by or 'somebody'}, which {end}"
    if done.state_problem:
        yield (
            f"it is not kept: state_dir cannot be written ({done.state_problem}): make room, or "
            "the next restart forgets it"
        )


def event_line(one: EventRow) -> str:
    """Return an event as a line of text."""
    at = utc(one.at)
    about = f" {one.about}" if one.about else ""
    detail = f": {one.detail}" if one.detail else ""
    return harmless(f"{at}  {one.kind}{about}{detail}")


def _head(found: Status) -> Iterator[str]:
    served = sum(one.announced != "" for one in found.vips)
    up = sum(one.up for one in found.sessions)
    yield (
        f"{found.server} in {found.site}: {found.phase} for {span(found.phase_s)}; "
        f"{served} of {len(found.vips)} VIPs announced, {up} of {len(found.sessions)} sessions up"
        f"{': no router hears it' if found.sessions and not up else ''}"
    )
    if found.wanted != "online":
        left = "" if found.clients is None else f"; {found.clients} connections left"
        yield f"wanted: {found.wanted}: {found.wanted_note}{left}"
    if found.order is not None:
        until = ""
        if found.order.until is not None:
            until = f" until {utc(found.order.until)}"
        reason = f": {found.order.reason}" if found.order.reason else ""
        by = found.order.by or "somebody"
        yield f"ordered by {by}{until}{reason}; headrace vip return takes it back"


def _edge(found: Status) -> Iterator[str]:
    edge = found.edge
    if edge is None or edge.problem:
        return
    state = "draining" if edge.draining else "serving"
    counted = "" if edge.connections is None else f", {edge.connections} connections"
    unready = f", not ready: {edge.unready}" if edge.unready else ""
    yield f"edge: {state}{counted}{unready}"


def _handover(found: Status) -> Iterator[str]:
    handover = found.handover
    if handover is None or (handover.port is None and handover.problem and handover.wanted):
        return
    if handover.port is None:
        yield f"handover: off{': ' if handover.problem else ''}{handover.problem}"
        return
    names = sorted(set(handover.to.values()))
    to = f"of {len(handover.to)} VIPs to {', '.join(names)}" if names else "of no VIP"
    taken_too = ", and takes it as well: SYNs are answered with cookies"
    cookies = taken_too if handover.cookies else ""
    passed = _counted(handover.passed, handover.passed_bytes, handover.passed_s)
    taken = _counted(handover.taken, handover.taken_bytes, handover.taken_s)
    yield f"handover: passes on what is not known here {to}{cookies}"
    yield f"handover: passed on {passed}; taken {taken}"
    if handover.silent:
        for_s, vips = span(handover.silent_s or 0.0), ", ".join(handover.silent)
        yield (
            f"handover: cut off for {for_s}: nothing of {vips} leaves until a router or a "
            "neighbour is reached: look for the line"
        )
    if handover.problem and not handover.wanted:
        yield f"handover: {handover.problem}"


def _carried(found: Status) -> Iterator[str]:
    """Say whose VIPs this server has, and why they have not."""
    carried: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in found.vips:
        if one.rank and one.holder == found.server:
            carried.setdefault((one.owner, tuple(one.unless)), []).append(one.vip)
    known = {one.server: one for one in found.neighbours}
    for (owner, others), vips in carried.items():
        them = "it" if len(vips) == 1 else "them"
        but = f", unless {' or '.join(others)} has {them}" if others else ""
        why = "; ".join(
            f"{name} {_why_not(known.get(name), them)}" for name in dict.fromkeys((owner, *others))
        )
        yield f"has {named(vips)} of {owner} now{but}: {why}"


def _why_not(owner: NeighbourRow | None, them: str) -> str:
    if owner is None:
        return "is not known"
    if owner.leaving:
        return "drains"
    problem = f": {owner.problem}" if owner.problem else ""
    return f"does not announce {them}" if owner.soundness == "sound" else owner.soundness + problem


def _alone(found: Status) -> Iterator[str]:
    """Say it where no other server would have the VIPs if this one failed. That is no complaint of
    this server, and may be what somebody wants.
    """
    others = found.neighbours
    is_heard = not found.sessions or any(one.up for one in found.sessions)
    serves = any(one.announces or is_unasked(one) for one in others)
    if others and is_heard and not serves:
        states = ", ".join(f"{one.server} {_state(one)}" for one in others)
        yield f"neighbours: none is known to serve, should this server fail: {states}"


def _state(one: NeighbourRow) -> str:
    if one.leaving:
        return "drains"
    return "announces nothing" if one.soundness == "sound" else one.soundness


def _counted(packets: int, size_bytes: int, ago_s: float | None) -> str:
    last = "" if ago_s is None else f", the last {span(ago_s)} ago"
    return f"{packets} packets ({size_bytes / 1e6:.1f} MB){last}"


def _vip(one: VipRow) -> list[str]:
    taken = "" if one.acknowledged or not one.announced else " (not taken yet)"
    damped = ", damped" if one.damped else ""
    why = one.why + (f": {one.note}" if one.note else "")
    if one.check and one.check not in why:
        why += f" ({one.check})"
    return [
        one.vip,
        one.owner,
        str(one.rank),
        one.standing,
        (one.announced or "-") + taken,
        f"{one.soundness} {span(one.for_s)}{damped}",
        harmless(why),
    ]


def _session(one: SessionRow) -> list[str]:
    why = ": ".join(part for part in (one.reason, one.detail) if part)
    return [
        one.router,
        one.name or "-",
        "up" if one.up else "down",
        span(one.for_s),
        "-" if one.bfd is None else _BFD[one.bfd.up],
        str(one.received),
        harmless(why),
    ]


def _neighbour(one: NeighbourRow) -> list[str]:
    return [
        one.server,
        one.soundness,
        _drains(one),
        str(len(one.announces)),
        f"{one.age_s:.1f} s ago",
        harmless(one.problem),
    ]


def _drains(one: NeighbourRow) -> str:
    if not one.leaving:
        return "no"
    return "yes" if one.clients is None else f"yes, {one.clients} connections left"
