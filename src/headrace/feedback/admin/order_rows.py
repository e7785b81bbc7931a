"""The orders of operators as rows: which are in force, which are overruled, and who knows them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal, cast

from headrace.feedback.admin.models import OrderList, OrderRow
from headrace.feedback.loop import FeedbackLoop
from headrace.feedback.order_join import knows
from headrace.feedback.orders import ModeOrder, OperatorWish, Order, in_force, is_over

Kind = Literal["server", "site", "view", "mode"]


def order_list(loop: FeedbackLoop) -> OrderList:
    """Return all orders as this observer knows them now."""
    now, own = time.time(), loop.config.node_id
    heard = set(loop.hears())
    told = {
        name: one.document.orders
        for name, one in loop.others.received.items()
        if name in heard and name not in loop.others.problems
    }
    rows = []
    for kind, name, one, beside in loop.orders.each():
        row = _row(kind, name, one, beside, now)
        knowing = [each for each, orders in told.items() if knows(orders, kind, name, one)]
        row.known_by = sorted([own, *knowing])
        row.heard_without = sorted(told.keys() - set(knowing))
        rows.append(row)
    rows.sort(key=lambda row: (-row.at, -row.sequence, row.subject))
    writes = loop.keeper.writes("orders")
    problem = "" if writes else loop.keeper.problems.get("orders", "")
    return OrderList(
        rows,
        [name for name in loop.deciding.order if name not in {own, *told}],
        loop.deciding.aside.is_aside(loop.now_s()),
        not problem and not writes,
        problem,
    )


def in_words(order: Order) -> str:
    """Return who gave an order, and when: `ann@desk, at observer-a, 2026-11-26T08:13:00Z`."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(order.at))
    place = f"at {order.observer}, {at}" if order.observer else f"order {order.sequence}"
    return f"{order.by or 'somebody'}, {place}"


def reason_of(order: Order) -> str:
    """Return why an order was given, in the words of who gave it."""
    return "" if isinstance(order, ModeOrder) else order.reason


def _row(kind: str, name: str, one: Order, beside: Sequence[Order], now: float) -> OrderRow:
    counts = in_force(beside, now)
    row = OrderRow(
        cast(Kind, kind),
        name,
        one.wants or "none",
        "in_force",
        one.by,
        reason_of(one),
        one.observer,
        one.sequence,
        one.at,
        one.until if isinstance(one, OperatorWish) and one.wants else None,
    )
    if not one.wants:
        row.state = "taken_back"
    elif is_over(one, now):
        row.state = "over"
    if counts is not None and counts is not one and row.state != "over":
        if one.wants:
            row.state = "overruled"
        reason = reason_of(counts)
        row.overruled_by = f"{in_words(counts)}: {counts.wants}" + (f": {reason}" if reason else "")
    return row
