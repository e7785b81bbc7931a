"""Whether a server that was cut off keeps back what its VIPs would send. Pure.

While its line is down, routers send its VIPs to a neighbour, which gives it up after some seconds.
When the line is up again, the kernel sends at once what was open; the client's answers go to that
neighbour, which resets them. So nothing leaves until the neighbour says that it passes on to this
server, or routers hear it again. TCP sends it again then: the client sees a pause, and no end.

Only who is cut off is silent: no router hears it, and none of the servers that may have its VIPs
answers, though one of them did once. Whoever is heard by neighbours is passed on to, whatever its
speaker does: so a graceful restart stops nothing, nor does the loss of one family or of one router.
The kernel ends it too, as soon as a packet comes to a VIP.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from headrace.bgp.announcement import Family
from headrace.bgp.session import Session
from headrace.vip.handover.holders import may_be_better, who_has
from headrace.vip.plan.floor import Neighbour
from headrace.vip.plan.health import Soundness
from headrace.vip.plan.hearing import Hearing
from headrace.vip.plan.model import Address
from headrace.vip.plan.order import Candidates, SiteOrder

SETTLES_S = 1.0
"""So long after its session is up, a router has the routes."""
MOST_S = 5.0
"""So long after others are reached again it is over, whatever they say."""
LATELY_S = 3.0
"""Sessions of one line, with one router or several, end and begin within so long of each other; and
by then a server has asked its neighbours again."""

_NO_ANSWER = (Soundness.UNKNOWN, Soundness.FAILED)


@dataclass(frozen=True, slots=True)
class Silence:
    """Of one VIP: others are reached again since the Unix time `back_at` (None: they are not).
    `broken`: a packet came to the VIP, so it is over until the server is cut off anew.
    """

    back_at: float | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of the lines to a family's routers: the Unix time at which all were last seen
    to be down (None: never), and after which time a router that hears nothing ends its session.
    """

    down_at: float | None = None
    hold_s: float = 0.0


NEVER_DOWN = Line()
Silences = Mapping[Address, Silence]


def heard_since(hearing: Hearing | None, line: Line, now: float) -> float | None:
    """Return since when routers hear a family; None where they do not. A session that was up when
    the line went down may have ended at the router's end alone: it counts when it had the time to
    end here.
    """
    up_since = None if hearing is None else hearing.up_since
    if up_since is None or line.down_at is None or up_since > line.down_at:
        return up_since
    return up_since if not 0 <= now - line.down_at <= line.hold_s + SETTLES_S else None


def heard_lately(since: Collection[float | None], now: float) -> bool:
    """Return whether no router hears any family, or did so a moment ago. `since` says of each since
    when it is heard."""
    return all(at is None or now - at <= LATELY_S for at in since)


def next_lines(
    before: Mapping[Family, Line],
    sessions: Collection[Session],
    up: Collection[Address] | None,
    now: float,
) -> dict[Family, Line]:
    """Return what is known of the lines, of which those with the addresses `up` are up (None: it
    is not known)."""
    found = {}
    for family in Family:
        of_it = [one for one in sessions if one.family is family]
        is_down = bool(of_it) and up is not None and all(one.local not in up for one in of_it)
        down_at = now if is_down else before.get(family, NEVER_DOWN).down_at
        found[family] = Line(down_at, max((one.hold_time_s for one in of_it), default=0))
    return found


def next_silences(
    order: SiteOrder,
    me: str,
    before: Silences,
    neighbours: Mapping[str, Neighbour],
    partners: Collection[str],
    since: Mapping[Family, float | None],
    broken: Collection[Address],
    now: float,
) -> dict[Address, Silence]:
    """Return the VIPs of which nothing leaves. `neighbours` is what was found of the others,
    `partners` are those that have said once that they take packets, `since` says since when routers
    hear each family, and to the `broken` VIPs a packet came.
    """
    found = {}
    for vip in order.ranks(me):
        was = before.get(vip)
        heard = since.get(Family.IPV4 if vip.version == 4 else Family.IPV6)
        if was is None and heard is not None:
            continue
        candidates = order.vips[vip]
        others = [name for name in candidates.names if name != me and name in partners]
        if not others:
            continue
        if heard is None and not any(_answers(neighbours.get(name)) for name in others):
            if was is None or was.back_at is not None:
                was = Silence()
            found[vip] = replace(was, broken=was.broken or vip in broken)
        elif was is not None and not was.broken and vip not in broken:
            back_at = now if was.back_at is None else was.back_at
            is_heard = heard is not None and now - heard >= SETTLES_S
            if (
                0 <= now - back_at < MOST_S
                and not is_heard
                and not _passes(candidates, me, vip, neighbours, others, back_at)
            ):
                found[vip] = Silence(back_at)
    return found


def silent(silences: Silences) -> frozenset[Address]:
    """Return the VIPs of which nothing is to leave."""
    return frozenset(vip for vip, one in silences.items() if not one.broken)


def _answers(neighbour: Neighbour | None) -> bool:
    return neighbour is not None and neighbour.soundness not in _NO_ANSWER


def _passes(
    candidates: Candidates,
    me: str,
    vip: Address,
    neighbours: Mapping[str, Neighbour],
    others: Collection[str],
    back_at: float,
) -> bool:
    """Return whether the one that has a VIP has said since that it passes on to this server."""
    asked = {name: one for name, one in neighbours.items() if name != me and one.at >= back_at}
    best = who_has(candidates, me, vip, (), (), asked)
    unasked = [name for name in others if name not in asked]
    if not best or may_be_better(candidates, best, me, unasked):
        return False
    return asked[best].passes.get(vip) == me
