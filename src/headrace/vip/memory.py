"""What a plan remembers and what operators ordered, to and from what is kept. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address

import msgspec

from headrace.vip.kept import Kept, KeptOrder, KeptVip
from headrace.vip.plan.model import Address, Drain, Held, Memory, Phase
from headrace.vip.plan.wanted import Order


def order_of(kept: Kept) -> Order | None:
    """Return the operator's order that was kept."""
    one = kept.order
    return None if one is None else Order(one.state, one.reason, one.until, one.force)


def order_line(order: Order | None, by: str) -> str:
    """Return an order as events have it; None takes one back."""
    by = by or "somebody"
    if order is None:
        return f"return by {by}"
    end = "until it is taken back"
    if order.until is not None:
        end = f"until {datetime.fromtimestamp(order.until, UTC):%Y-%m-%d %H:%M:%SZ}"
    reason = f": {order.reason}" if order.reason else ""
    return f"{order.state.value} by {by}, {end}{reason}"


def memory_of(kept: Kept) -> Memory | None:
    """Return what the last plan left; None where there was none.

    What is announced first is worked out by it as if there had been no pause: a server that had
    withdrawn stays withdrawn.
    """
    if kept.phase is None:
        return None
    ranks, held = {}, {}
    for one in kept.vips:
        try:
            vip = ip_address(one.vip)
        except ValueError:
            continue
        if one.until is None:
            ranks[vip] = (one.owner, one.rank)
        else:
            held[vip] = Held(one.owner, one.rank, one.until)
    return Memory(ranks, held, Drain(kept.phase, kept.since))


def with_memory(kept: Kept, memory: Memory | None) -> Kept:
    """Return what is kept with what the last plan left."""
    if memory is None:
        return kept
    vips = [_kept_vip(vip, owner, rank, None) for vip, (owner, rank) in memory.ranks.items()]
    vips += [_kept_vip(vip, one.owner, one.rank, one.until) for vip, one in memory.held.items()]
    drain = memory.drain
    # In the phase of serving, since when does not matter, and would be written at each start.
    since = 0.0 if drain.phase is Phase.SERVING else drain.since
    return msgspec.structs.replace(kept, phase=drain.phase, since=since, vips=tuple(vips))


@lru_cache(maxsize=4096)  # the same ones are put several times a second
def _kept_vip(vip: Address, owner: str, rank: int, until: float | None) -> KeptVip:
    return KeptVip(str(vip), owner, rank, until)


def with_order(kept: Kept, order: Order | None, by: str, now: float) -> Kept:
    """Return what is kept with an operator's order."""
    written = None
    if order is not None:
        written = KeptOrder(order.state, order.reason, order.until, order.force, by[:300], now)
    return msgspec.structs.replace(kept, order=written)
