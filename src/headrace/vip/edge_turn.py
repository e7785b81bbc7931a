"""What a plan makes of the edge on this machine, and has it do."""

from __future__ import annotations

import msgspec

from headrace.vip.checks.judged import Judged
from headrace.vip.edge_admin import EdgeAdmin, edge_wish
from headrace.vip.kept import Keeper
from headrace.vip.plan.health import Found


def with_edge(judged: Judged, edge: EdgeAdmin | None) -> tuple[Found, str]:
    """Return what a check found, and why: one that passed counts less while the edge says that it
    is not ready, or that it is impaired.
    """
    if judged.found is Found.PASSED and edge is not None:
        if edge.unready:
            return Found.IMPAIRED, f"the edge is not ready: {edge.unready}"
        if edge.impaired:
            return Found.IMPAIRED, f"the edge is impaired: {edge.impaired}"
    return judged.found, judged.why


def tell_edge(edge: EdgeAdmin, keeper: Keeper, *, leaves: bool) -> None:
    """Let the edge drain while the server `leaves`, and only then; it is kept that it was told."""
    told = keeper.kept.drained_edge
    wants, tells = edge_wish(leaves=leaves, told=told, draining=edge.draining)
    if tells is not told:
        keeper.put(msgspec.structs.replace(keeper.kept, drained_edge=tells))
    edge.want(drained=wants)
