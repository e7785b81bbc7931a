"""Who has each VIP now, as far as a server knows. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from headrace.vip.plan.floor import Neighbour, announces_worse
from headrace.vip.plan.health import Soundness
from headrace.vip.plan.model import Address, Plan, Standing
from headrace.vip.plan.order import Candidates, SiteOrder

SILENT = (Soundness.UNKNOWN, Soundness.DEGRADED)
"""Of such others it is not known what they announce: they were not asked, or did not answer."""


def holders(
    order: SiteOrder, told: Plan, neighbours: Mapping[str, Neighbour]
) -> dict[Address, str]:
    """Return who has each VIP that a server is a candidate for: whose announcement is the best of
    those that it knows ("": nobody's). `told` is what routers hear of its plan.
    """
    me, serves = told.server, _serves(told)
    worse = frozenset(one.vip for one in told.vips if announces_worse(one))
    leaves = any(one.standing is Standing.WORST for one in told.vips)
    return {
        vip: who_has(order.vips[vip], me, vip, serves, worse, neighbours, leaves=leaves)
        for vip in order.ranks(me)
    }


def unless(
    order: SiteOrder, me: str, has: Mapping[Address, str], neighbours: Mapping[str, Neighbour]
) -> dict[Address, tuple[str, ...]]:
    """Return which others may have a VIP rather than who has it as far as `me` knows: they come
    before that one, and it is not known what they announce. VIPs without such are left out.
    """
    found = {}
    for vip, holder in has.items():
        better = _better(order.vips[vip], holder, me)
        silent = tuple(one for one in better if _is_silent(neighbours.get(one)))
        if silent:
            found[vip] = silent
    return found


def _is_silent(other: Neighbour | None) -> bool:
    return other is None or other.soundness in SILENT


def _serves(plan: Plan) -> frozenset[Address]:
    return frozenset(
        one.vip
        for one in plan.vips
        if one.announcement is not None and one.standing <= Standing.LEAVING
    )


def best_that_serves(
    candidates: Candidates,
    me: str,
    vip: Address,
    mine: Collection[Address],
    neighbours: Mapping[str, Neighbour],
) -> str:
    """Return the first of the candidates that announces a VIP to serve it; "" for none."""
    for name in candidates.names:
        if name == me:
            if vip in mine:
                return me
            continue
        known = neighbours.get(name)
        if (
            known is not None
            and known.soundness is Soundness.SOUND
            and vip in (known.announces or ())
        ):
            return name
    return ""


def who_has(
    candidates: Candidates,
    me: str,
    vip: Address,
    mine: Collection[Address],
    worse: Collection[Address],
    neighbours: Mapping[str, Neighbour],
    *,
    leaves: bool = False,
) -> str:
    """Return who has a VIP: the best of those that serve it, else of those that announce it
    worse, else of those that leave, as this server does if it `leaves`.
    """
    best = best_that_serves(candidates, me, vip, mine, neighbours)
    if best:
        return best
    leaving = {
        name: one.leaving
        for name, one in neighbours.items()
        if vip in one.worse and one.soundness is not Soundness.FAILED
    }
    if vip in worse:
        leaving[me] = leaves
    stay = (name for name, goes in leaving.items() if not goes)
    return _best(candidates, stay) or _best(candidates, leaving)


def may_be_better(candidates: Candidates, found: str, me: str, doubtful: Collection[str]) -> bool:
    """Return whether one of which it is not known may have a VIP rather than who was found."""
    return any(name in doubtful for name in _better(candidates, found, me))


def _better(candidates: Candidates, found: str, me: str) -> list[str]:
    """Return the others that come before who was found; all where nobody was."""
    names = candidates.names
    before = names[: names.index(found)] if found in names else names
    return [name for name in before if name != me]


def _best(candidates: Candidates, announcers: Iterable[str]) -> str:
    names = set(announcers)
    return next((name for name in candidates.names if name in names), "")
