"""Which server may know the connections of a VIP that this one does not know. Pure.

Of each VIP a server remembers who had it last, by what it announces itself and by what the others
say. Packets of connections that it does not know go to whoever has the VIP; where that is the
server itself, to who had it before. Never to two, and never to one that does not serve. Who gets a
packet from another server, and does not know it either, asks who had the VIP before itself.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from headrace.vip.handover.holders import SILENT, best_that_serves, holders, may_be_better, who_has
from headrace.vip.plan.floor import Neighbour, announces_worse
from headrace.vip.plan.health import Soundness
from headrace.vip.plan.model import Address, Plan
from headrace.vip.plan.order import Candidates, SiteOrder

STARTING_S = 5.0
"""Servers of a site that start together have each other's VIPs for a moment, as long as they do not
know of each other. That is not remembered."""
LATER_S = 0.3
"""A line may fail while a question is under way, and others asked meanwhile have answered."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Who has a VIP ("": not known), and who had it before, the latest first, each until the Unix
    time at which it is forgotten. `starting` is the time until which the holder may have it only
    because the others have not started yet. `unsure`: no router has heard the holder since, which
    is this server, and nobody has said who has it meanwhile.
    """

    holder: str = ""
    past: tuple[tuple[str, float], ...] = ()
    starting: float = 0.0
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """The port at which a server takes packets, or took them when it was last reached, and the time
    at which it was known to live. `given_up`: it does not seem to any more.
    """

    number: int
    at: float
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Failing:
    """A server that does not answer, for questions since a Unix time. `gone`: another one was asked
    `LATER_S` after that, and answered.
    """

    since: float
    gone: bool = False


NOBODY = Holding()
_NO_CANDIDATES = Candidates("", 0, ())

_NO_ANSWER = (Soundness.UNKNOWN, Soundness.FAILED)

Holdings = Mapping[Address, Holding]


def next_holdings(
    order: SiteOrder,
    plan: Plan,
    neighbours: Mapping[str, Neighbour],
    before: Holdings,
    now: float,
    keep_s: float,
    doubtful: Collection[str] = (),
) -> dict[Address, Holding]:
    """Return who has and had each VIP that this server is a candidate for. Of the `doubtful` others
    it is not known whether they have it: this server may be, or have been, cut off.

    A server that starts takes it that others had what they announce: it had nothing itself.
    """
    me, found = plan.server, {}
    worse = frozenset(one.vip for one in plan.vips if announces_worse(one))
    for vip, has in holders(order, plan, neighbours).items():
        candidates, holding = order.vips[vip], before.get(vip, NOBODY)
        doubted = has != me and may_be_better(candidates, has, me, doubtful)
        best = "" if doubted else has
        known = holding
        last = neighbours.get(holding.holder)
        lives = last is not None and last.soundness is not Soundness.FAILED
        returns = best == me and holding.holder != me and vip in worse and not lives
        # Who starts, was cut off, or comes back for want of others, had nothing: the best of
        # the others had it.
        if not holding.holder or holding.unsure or returns:
            other = who_has(candidates, me, vip, (), (), neighbours)
            if may_be_better(candidates, other, me, doubtful):
                other = ""
            known = next_holding(holding, other, now, keep_s)
        after = next_holding(known, best, now, keep_s)
        if best == me and not known.holder:
            after = replace(after, starting=now + STARTING_S)
        if not best and after.holder == me:
            after = replace(after, unsure=True)
        found[vip] = after
    return found


def next_holding(before: Holding, best: str, now: float, keep_s: float) -> Holding:
    """Return who has a VIP, and who had it. Where nobody is known to have it, the last one does."""
    past = [(name, until) for name, until in before.past if now < until <= now + keep_s]
    if not best or best == before.holder:
        return before if len(past) == len(before.past) else replace(before, past=tuple(past))
    if before.holder and not now < before.starting <= now + STARTING_S:
        past.insert(0, (before.holder, now + keep_s))
    seen = {best}
    kept = []
    for name, until in past:
        if name not in seen:
            seen.add(name)
            kept.append((name, until))
    return Holding(best, tuple(kept))


def targets(
    order: SiteOrder, me: str, holdings: Holdings, neighbours: Mapping[str, Neighbour]
) -> dict[Address, str]:
    """Return for each VIP whom to pass on to what this server does not know.

    A server that has just started does not know who had a VIP that it has: it takes the owner, who
    has it as long as all is well. The owner itself has nobody to ask then. One that was cut off
    takes the next in order, until it has heard who it was.
    """
    found = {}
    for vip, holding in holdings.items():
        candidates = order.vips.get(vip, _NO_CANDIDATES)
        likely = candidates.names if holding.unsure else ()
        past = (name for name, _until in holding.past)
        for name in (holding.holder, *likely, *past, candidates.owner):
            if name != me and takes_packets(name, vip, candidates, neighbours):
                found[vip] = name
                break
    return found


def onward(
    order: SiteOrder, me: str, holdings: Holdings, neighbours: Mapping[str, Neighbour]
) -> dict[Address, str]:
    """Return for each VIP whom to pass on to what another server has passed on to this one, which
    does not know it either: who had the VIP before this server.

    A server that does not remember having had it takes it that who has it was asked already.
    """
    found = {}
    for vip, holding in holdings.items():
        names = [holding.holder, *(name for name, _until in holding.past)]
        earlier = names[names.index(me) + 1 :] if me in names else names[1:]
        candidates = order.vips.get(vip, _NO_CANDIDATES)
        for name in (*earlier, candidates.owner):
            others = name not in (me, holding.holder)
            if others and takes_packets(name, vip, candidates, neighbours):
                found[vip] = name
                break
    return found


def takes_packets(
    name: str, vip: Address, candidates: Candidates, neighbours: Mapping[str, Neighbour]
) -> bool:
    """Return whether another server serves, and takes what is passed on of a VIP. One that is no
    candidate for it any more, by a new description, takes it while it announces it yet; then it
    would drop it.
    """
    one = neighbours.get(name)
    return (
        one is not None
        and one.soundness is not Soundness.FAILED
        and one.takes is not None
        and (name in candidates.names or vip in (one.announces or ()) or vip in one.worse)
    )


def next_ports(
    neighbours: Mapping[str, Neighbour], before: Mapping[str, Port], now: float, patience_s: float
) -> dict[str, Port]:
    """Return the ports that others have named. One whose edge serves, but who says nothing now, has
    its connections still. So has one that was late with an answer, or answered with an error, until
    it has failed for `patience_s`, and for twice that while it asks itself; then it is given up.
    """
    found = {}
    for name, one in neighbours.items():
        known = before.get(name)
        if one.takes is not None:
            found[name] = Port(one.takes, one.at)
        elif known is None:
            continue
        elif known.given_up:
            found[name] = known
        elif one.soundness in SILENT:
            found[name] = Port(known.number, one.at)
        elif one.soundness is Soundness.FAILED and (
            0 <= now - known.at < patience_s
            or (0 <= now - one.heard_at < patience_s and now - known.at < 2 * patience_s)
        ):
            found[name] = known
        else:
            found[name] = replace(known, given_up=True)
    return found


def with_ports(
    neighbours: Mapping[str, Neighbour], ports: Mapping[str, Port]
) -> dict[str, Neighbour]:
    """Return what is known of others, with the ports of those that are not given up."""
    return {
        name: replace(one, takes=ports[name].number, soundness=_less_sure(one.soundness))
        if one.takes is None and name in ports and not ports[name].given_up
        else one
        for name, one in neighbours.items()
    }


def _less_sure(soundness: Soundness) -> Soundness:
    return Soundness.UNKNOWN if soundness is Soundness.FAILED else soundness


def nobody_answers(neighbours: Mapping[str, Neighbour]) -> bool:
    """Return whether a server reaches none of the others, so that it may be cut off itself."""
    return all(one.soundness in _NO_ANSWER for one in neighbours.values())


def next_failing(
    before: Mapping[str, Failing], neighbours: Mapping[str, Neighbour], cut_at: float
) -> dict[str, Failing]:
    """Return the others that do not answer. What began until `cut_at`, the Unix time at which this
    server last reached nobody, says nothing of them. But who was known to be gone by then is so
    until it answers: a server that comes back passes nothing on to one that is dead for days.
    """
    answered_at = max(
        (one.at for one in neighbours.values() if one.soundness not in _NO_ANSWER),
        default=-math.inf,
    )
    found = {}
    for name, one in neighbours.items():
        was = before.get(name)
        if one.soundness not in _NO_ANSWER:
            continue
        if was is not None and was.gone:
            found[name] = was
        elif one.at > cut_at:
            since = one.at if was is None else min(was.since, one.at)
            found[name] = Failing(since, gone=answered_at - since >= LATER_S)
    return found


def in_doubt(
    neighbours: Mapping[str, Neighbour], failing: Mapping[str, Failing], cut_at: float
) -> set[str]:
    """Return the others of which a server that no router hears does not know whether they serve:
    those last asked until `cut_at`, the Unix time at which it last reached nobody, and those that
    do not answer, unless they are known to be gone. It may be cut off itself.
    """
    return {
        name
        for name, one in neighbours.items()
        if (one.at <= cut_at or one.soundness in _NO_ANSWER)
        and not (name in failing and failing[name].gone)
    }


def but_for_cut(
    neighbours: Mapping[str, Neighbour], doubtful: Collection[str], ports: Mapping[str, Port]
) -> dict[str, Neighbour]:
    """Return what is known of others by a server that was cut off, or may be: that it does not
    reach the `doubtful` says nothing of them, and they take packets where they did.
    """
    return {
        name: replace(
            one,
            soundness=Soundness.UNKNOWN,
            takes=ports[name].number if name in ports else None,
        )
        if one.soundness is Soundness.FAILED and name in doubtful
        else one
        for name, one in neighbours.items()
    }


def keeps_connections(
    order: SiteOrder,
    me: str,
    holdings: Holdings,
    neighbours: Mapping[str, Neighbour],
    now: float,
    age_s: float,
) -> bool:
    """Return whether what is open here stays open when this server lets its VIPs go: of each that
    it has, the one that has it next says that it passes on to here what it does not know; where it
    has none any more, so says one that has a VIP now. What a neighbour said longer than `age_s` ago
    does not count.

    Of a VIP that another has already, and does not pass on to here, nothing is left to be kept.
    One that a new description does not have any more nobody has next.
    """
    found = False
    for vip, holding in holdings.items():
        is_here = holding.holder == me
        following = holding.holder
        if is_here:
            candidates = order.vips.get(vip, _NO_CANDIDATES)
            following = best_that_serves(candidates, me, vip, (), neighbours)
        elif not any(name == me for name, _until in holding.past):
            continue
        known = neighbours.get(following)
        if known is not None and abs(now - known.at) <= age_s and known.passes.get(vip) == me:
            found = True
        elif is_here:
            return False
    return found
