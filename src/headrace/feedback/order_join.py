"""What several observers know of orders together. Pure.

Knowledge is joined: in whatever order, however often and over whatever ways observers hear of
orders, they come to the same, and an order leaves only by one that was given in knowledge of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from headrace.feedback.orders import (
    MOST_BESIDE,
    MOST_BYTES,
    MOST_WISHES,
    REMEMBERED_S,
    OperatorWish,
    Order,
    Orders,
    OrderT,
    Wish,
    bytes_of,
    overruled,
)
from headrace.topology.model import Topology

SEQUENCES_A_SECOND: Final = 1000
SEQUENCES_AHEAD_S: Final = 60.0
FIRST_SEQUENCES: Final = 2**33
"""Sequences begin with the Unix time in seconds, and count up by one. One that is larger than time
allows, as a broken observer may tell it, is not believed: no later order could win against the
largest. What time allows grows faster than operators give orders, so that every order wins in the
end against all that was believed; and a clock that was never set believes what others give."""


def merge(one: Orders, other: Orders) -> Orders:
    """Return what two that know orders know together; the order of the two is of no matter."""
    if one == other:
        return one
    return _bounded(
        Orders(
            _merged(one.servers, other.servers),
            _merged(one.sites, other.sites),
            joined(one.freezes, other.freezes),
            joined(one.modes, other.modes),
        )
    )


def joined(one: tuple[OrderT, ...], other: tuple[OrderT, ...]) -> tuple[OrderT, ...]:
    """Return the orders about one thing that are left of two that know some."""
    if one == other:
        return one
    known: dict[tuple[str, int], OrderT] = {}
    for order in (*one, *other):
        dot = (order.observer, order.sequence)
        known[dot] = order if dot not in known else _same(known[dot], order)
    left: list[OrderT] = []
    # The latest first: whoever replaces what replaced another replaces that too, so that it is of
    # no matter which of them was heard first.
    for order in sorted(known.values(), key=_place, reverse=True):
        covering = [place for place, one in enumerate(left) if replaces(one, order)]
        for place in covering:
            left[place] = _inherited(left[place], order)
        if not covering:
            left.append(order)
    return tuple(reversed(left[:MOST_BESIDE]))


def replaces(one: Order, other: Order) -> bool:
    """Return whether an order was given in knowledge of another, or of one that replaced it."""
    known = one.seen.get(other.observer, -1) >= other.sequence
    return known and one.sequence > other.sequence


def knows(orders: Orders, kind: str, name: str, order: Order) -> bool:
    """Return whether whoever knows these orders about a thing has heard of this one."""
    beside: Sequence[Order]
    match kind:
        case "server":
            beside = orders.servers.get(name, ())
        case "site":
            beside = orders.sites.get(name, ())
        case "view":
            beside = orders.freezes
        case _:
            beside = orders.modes
    return any(_dot(one) == _dot(order) or replaces(one, order) for one in beside)


def believed(orders: Orders, now: float) -> Orders:
    """Return the orders whose sequence can be one at this time."""
    most = max(FIRST_SEQUENCES, int((now + SEQUENCES_AHEAD_S) * SEQUENCES_A_SECOND))
    if orders.last_sequence < most:
        return orders
    return Orders(
        _where(orders.servers, most),
        _where(orders.sites, most),
        tuple(one for one in orders.freezes if one.sequence < most),
        tuple(one for one in orders.modes if one.sequence < most),
    )


def heard(known: Orders, told: Orders, topology: Topology, now: float) -> Orders:
    """Return what whoever knows some orders knows when others are told. Wishes for what neither is
    described nor known count for nothing: those of a broken observer would leave no room for what
    operators want.
    """
    servers = known.servers.keys() | {one.name for one in topology.servers}
    sites = known.sites.keys() | {one.name for one in topology.sites}
    told = msgspec.structs.replace(
        told,
        servers={name: one for name, one in told.servers.items() if name in servers},
        sites={name: one for name, one in told.sites.items() if name in sites},
    )
    # What is forgotten here is told again and again by those whose clocks are behind.
    return without_forgotten(merge(known, told), now)


def without_forgotten(orders: Orders, now: float) -> Orders:
    """Return the orders without the wishes that were over for so long that nobody can have been
    away since.
    """
    servers, sites = _remembered(orders.servers, now), _remembered(orders.sites, now)
    if servers == orders.servers and sites == orders.sites:
        return orders
    return msgspec.structs.replace(orders, servers=servers, sites=sites)


def new_orders(before: Orders, after: Orders) -> Iterator[dict[str, object]]:
    """Yield the orders that were not there before, as fields of a log's line."""
    known = {(kind, name, _dot(one)) for kind, name, one, _beside in before.each()}
    for kind, name, one, _beside in after.each():
        if (kind, name, _dot(one)) not in known:
            yield {"subject": name, **_fields(one)}


def newly_overruled(before: Orders, after: Orders, now: float) -> Iterator[dict[str, object]]:
    """Yield the orders that are overruled and were not before, as fields of a log's line."""
    known = {(kind, name, _dot(one)) for kind, name, one, _other in overruled(before, now)}
    for kind, name, one, other in overruled(after, now):
        if (kind, name, _dot(one)) not in known:
            yield {"subject": name, **_fields(one), "overruled_by": _fields(other)}


def seen_of_both(one: Order, other: Order) -> dict[str, int]:
    """Return what two orders have seen together; of too much, what one has seen."""
    seen = dict(one.seen)
    for observer, last in other.seen.items():
        seen[observer] = max(last, seen.get(observer, 0))
    return dict(sorted(seen.items())) if len(seen) <= MOST_BESIDE else one.seen


def _inherited(heir: OrderT, order: OrderT) -> OrderT:
    """Return an order that replaces another, with what that one replaces: but nothing of it where
    that is more than there is room for, as no observer tells that is sound.
    """
    most = order.sequence - 1
    seen = {name: min(last, most) for name, last in order.seen.items() if most >= 0}
    both = seen_of_both(heir, msgspec.structs.replace(order, seen=seen))
    return heir if both == heir.seen else msgspec.structs.replace(heir, seen=both)


def _same(one: OrderT, other: OrderT) -> OrderT:
    """Return one of two that claim to be the same order, the same for all."""
    if one == other:
        return one
    one, other = sorted((one, other), key=msgspec.json.encode, reverse=True)
    seen = seen_of_both(one, other)
    same = (msgspec.structs.replace(each, seen=seen) for each in (one, other))
    return max(same, key=msgspec.json.encode)


def _dot(order: Order) -> tuple[str, int]:
    return order.observer, order.sequence


def _place(order: Order) -> tuple[int, str]:
    return order.sequence, order.observer


def _fields(order: Order) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(order)
    return {name: value for name, value in fields.items() if name != "seen"}


def _merged(
    one: Mapping[str, tuple[OperatorWish, ...]], other: Mapping[str, tuple[OperatorWish, ...]]
) -> dict[str, tuple[OperatorWish, ...]]:
    return {
        name: joined(one.get(name, ()), other.get(name, ()))
        for name in sorted(one.keys() | other.keys())
    }


def _bounded(orders: Orders) -> Orders:
    """Return the orders, without the oldest wishes where there are more than any operator may
    give: a broken observer tells of them.
    """
    servers = _latest(orders.servers, MOST_BYTES // 2)
    sites = _latest(orders.sites, MOST_BYTES // 2)
    if servers is orders.servers and sites is orders.sites:
        return orders
    return msgspec.structs.replace(orders, servers=servers, sites=sites)


def _latest(
    wishes: dict[str, tuple[OperatorWish, ...]], most_bytes: int
) -> dict[str, tuple[OperatorWish, ...]]:
    all_wishes = [(name, one) for name, beside in wishes.items() for one in beside]
    sizes = [bytes_of(name, one) for name, one in all_wishes]
    if len(all_wishes) <= MOST_WISHES and sum(sizes) <= most_bytes:
        return wishes
    latest = sorted(
        zip(all_wishes, sizes, strict=True), key=lambda one: (*_place(one[0][1]), one[0][0])
    )
    kept: set[tuple[str, tuple[str, int]]] = set()
    for (name, one), size in reversed(latest[-MOST_WISHES:]):
        most_bytes -= size
        if most_bytes < 0:
            break
        kept.add((name, _dot(one)))
    return _left(
        (name, [one for one in beside if (name, _dot(one)) in kept], beside)
        for name, beside in wishes.items()
    )


def _where(
    wishes: Mapping[str, tuple[OperatorWish, ...]], most: int
) -> dict[str, tuple[OperatorWish, ...]]:
    return _left(
        (name, [one for one in beside if one.sequence < most], beside)
        for name, beside in wishes.items()
    )


def _remembered(
    wishes: Mapping[str, tuple[OperatorWish, ...]], now: float
) -> dict[str, tuple[OperatorWish, ...]]:
    return _left(
        (name, [one for one in beside if not _is_forgotten(one, now)], beside)
        for name, beside in wishes.items()
    )


def _is_forgotten(wish: OperatorWish, now: float) -> bool:
    if wish.until is None:
        return False
    # One that takes others back says itself until when it is remembered.
    return wish.until + (0.0 if wish.wish is Wish.NONE else REMEMBERED_S) <= now


def _left(
    wishes: Iterable[tuple[str, list[OperatorWish], tuple[OperatorWish, ...]]],
) -> dict[str, tuple[OperatorWish, ...]]:
    return {
        name: beside if len(left) == len(beside) else tuple(left)
        for name, left, beside in wishes
        if left
    }
