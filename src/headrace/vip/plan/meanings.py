"""What each word of a plan means, for those who read it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from headrace.vip.plan.hearing import JOINS_S
from headrace.vip.plan.model import Why

MEANINGS: Mapping[Why, str] = MappingProxyType(
    {
        Why.OWNER: "its own VIP",
        Why.NEIGHBOUR: "a neighbour's VIP, for when that one fails",
        Why.LEAVING: "no neighbour of the owner any more; announced until all know that",
        Why.LINGERS: "it drains: its connections end by themselves, its VIPs stay for now",
        Why.DEGRADED: "served, but a check found something wrong",
        Why.DAMPED: "sound, but it failed again and again",
        Why.SEEN_FAILED: "sound for itself, but the feedback loop sees it fail",
        Why.JOINS: f"a neighbour's VIP, left to whoever has it until a router has heard this "
        f"server for {JOINS_S:.0f} s, at rank 2 for twice as long, and so on",
        Why.DRAINS: "it drains: worse than all others, before it is withdrawn",
        Why.LAST: "to be withdrawn, but nobody else is known to serve it",
        Why.NOT_CHECKED: "too few checks in a row have found it served",
        Why.FAILED: "a check failed",
        Why.WITHDRAWN: "withdrawn",
        Why.ELSEWHERE: "this machine lacks the address to which routers would send its packets: "
        "correct the description, or `server` in [network]",
        Why.FORCED: "withdrawn at once, by an operator",
    }
)
