"""From a plan to what a speaker and others are told, and what changed between two plans. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from headrace.bgp.announcement import Announcement, Family, IPNetwork
from headrace.topology.announced_document import Approved, Said
from headrace.vip.events import Event
from headrace.vip.plan.floor import Neighbour, announces_worse
from headrace.vip.plan.model import Address, Phase, Plan, Standing

CHANGES = ("announced", "withdrawn", "changed", "planned", "reason")
"""The kinds of events that `changed` yields."""


def announceable(plan: Plan, families: Collection[Family]) -> frozenset[Announcement]:
    """Return the announcements that have a session of their family. Of several for one prefix, as
    short prefixes may be that cover several VIPs, the best counts.
    """
    best: dict[IPNetwork, Announcement] = {}
    for one in plan.announcements:
        known = best.get(one.prefix)
        if one.family in families and (known is None or _worth(one) < _worth(known)):
            best[one.prefix] = one
    return frozenset(best.values())


def heard(plan: Plan, up: Collection[Family]) -> Plan:
    """Return what of a plan comes true while there are sessions `up` of these families: what no
    router hears is announced to nobody.
    """
    return Plan(
        plan.server,
        tuple(
            one
            for one in plan.vips
            if one.announcement is not None and one.announcement.family in up
        ),
    )


def said_of(
    plan: Plan,
    phase: Phase,
    up: Collection[Family],
    takes: int | None = None,
    passes: Mapping[Address, str] = {},
    approved: tuple[Approved, ...] = (),
    clients: int | None = None,
) -> Said:
    """Return what a plan comes to for others, while there are sessions `up` of these families;
    what is passed on to whom; and what was approved here.
    """
    by_server: dict[str, list[str]] = {}
    for vip, name in passes.items():
        by_server.setdefault(name, []).append(str(vip))
    return Said(
        plan.server,
        phase.value,
        tuple(str(one.vip) for one in heard(plan, up).vips if one.standing <= Standing.LEAVING),
        takes,
        {name: tuple(vips) for name, vips in by_server.items()},
        approved,
        clients,
        tuple(str(one.vip) for one in heard(plan, up).vips if announces_worse(one)),
    )


def changed(before: Plan, after: Plan, now: float) -> Iterator[Event]:
    """Yield what changed, VIP by VIP, with the reason of the new state."""
    former = {one.vip: one for one in before.vips}
    for one in after.vips:
        was = former.pop(one.vip, None)
        if was is not None and (was.standing, was.why, was.rank, was.announcement) == (
            one.standing,
            one.why,
            one.rank,
            one.announcement,
        ):
            continue
        announced, was_announced = one.announcement is not None, _is_announced(was)
        if not announced and not was_announced and was is not None:
            kind = "reason"
        elif not announced and was is None:
            kind = "planned"
        elif announced and not was_announced:
            kind = "announced"
        else:
            kind = "changed" if announced else "withdrawn"
        note = f": {one.note}" if one.note else ""
        standing = "" if one.standing is Standing.OUT else f", {one.standing.name.lower()}"
        yield Event(now, kind, str(one.vip), f"{one.why}{note}{standing}")
    for was in former.values():
        if was.announcement is not None:
            yield Event(now, "withdrawn", str(was.vip), "no candidate for it any more")


def heard_of(
    name: str, before: Neighbour | None, after: Neighbour, problem: str, now: float
) -> Iterator[Event]:
    """Yield it if a neighbour is now otherwise than it was."""
    if before is not None and (before.soundness, before.leaving) == (
        after.soundness,
        after.leaving,
    ):
        return
    drains = ", drains" if after.leaving else ""
    why = f": {problem}" if problem else ""
    yield Event(now, "neighbour", name, f"{after.soundness.value}{drains}{why}")


def _is_announced(one: object) -> bool:
    return getattr(one, "announcement", None) is not None


def _worth(one: Announcement) -> tuple[int, int, str]:
    return one.med or 0, one.prepend, str(one)
