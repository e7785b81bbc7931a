"""Who has each VIP now, as far as a server knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.vip.handover.holding import who_has
from headrace.vip.plan.floor import Neighbour, announces_worse
from headrace.vip.plan.model import Address, Plan, Standing
from headrace.vip.plan.order import SiteOrder


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
