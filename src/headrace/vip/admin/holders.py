"""Who has each VIP now, as far as a server knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.vip.handover.holding import who_has
from headrace.vip.plan.floor import Neighbour, announces_worse
from headrace.vip.plan.health import Soundness
from headrace.vip.plan.model import Address, Plan, Standing
from headrace.vip.plan.order import SiteOrder

_SILENT = (Soundness.UNKNOWN, Soundness.DEGRADED)
"""Of such others it is not known what they announce: they were not asked, or did not answer."""


def holders(
    order: SiteOrder, told: Plan, neighbours: Mapping[str, Neighbour]
) -> dict[Address, str]:
    """Return who has each VIP that a server is a candidate for: whose announcement is the best of
    those that it knows ("": nobody's). `told` is what routers hear of its plan.
    """
    serves = {one.vip for one in told.vips if one.standing <= Standing.LEAVING}
    worse = {one.vip for one in told.vips if announces_worse(one)}
    leaves = any(one.standing is Standing.WORST for one in told.vips)
    return {
        vip: who_has(order.vips[vip], told.server, vip, serves, worse, neighbours, leaves=leaves)
        for vip in order.ranks(told.server)
    }


def unless(
    order: SiteOrder, me: str, has: Mapping[Address, str], neighbours: Mapping[str, Neighbour]
) -> dict[Address, tuple[str, ...]]:
    """Return which others may have a VIP rather than who has it as far as `me` knows: they come
    before that one, and it is not known what they announce. VIPs without such are left out.
    """
    found = {}
    for vip, holder in has.items():
        names = order.vips[vip].names
        before = names[: names.index(holder)] if holder in names else names
        silent = tuple(one for one in before if one != me and _is_silent(neighbours.get(one)))
        if silent:
            found[vip] = silent
    return found


def _is_silent(other: Neighbour | None) -> bool:
    return other is None or other.soundness in _SILENT
