"""What operators tell the loop: wishes for servers and sites, and whether it may act at all. Pure.

Orders are told to one feedback process and reach the others; all merge what they know in any order
and come to the same. Of two orders about the same thing the one with the higher sequence counts.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError

MOST_WISHES = 2000
MOST_SEQUENCE = 2**53
LONGEST_REASON = 300
REMEMBERED_S = 7 * 86_400.0
"""How long it is remembered that a wish was taken back."""

Name = Annotated[str, Meta(min_length=1, max_length=512)]
Text = Annotated[str, Meta(max_length=LONGEST_REASON)]
Sequence = Annotated[int, Meta(ge=0, le=MOST_SEQUENCE)]
UnixTime = Annotated[float, Meta(ge=0.0, le=1e11)]


class Wish(enum.StrEnum):
    """What an operator wants of a server: that it serves whatever is observed; that it ends what it
    serves; that it is left alone; nothing any more.
    """

    ONLINE = "online"
    DRAINING = "draining"
    WITHDRAWN = "withdrawn"
    NONE = "none"


class Mode(enum.StrEnum):
    """What the loop does: states of servers alone; the balance between sites computed and shown
    beside, without effect; both."""

    STATES = "states"
    DRY_RUN = "dry_run"
    BOTH = "both"


class OperatorWish(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A wish of an operator (`by`). It ends at `until` (None: not by itself)."""

    wish: Wish
    sequence: Sequence
    reason: Text = ""
    by: Text = ""
    until: UnixTime | None = None


class Frozen(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whether the view is kept as it is while states are still observed."""

    frozen: bool
    sequence: Sequence
    reason: Text = ""
    by: Text = ""


class ModeOrder(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The mode that an operator wants (None: the configured one)."""

    mode: Mode | None
    sequence: Sequence
    by: Text = ""


class Orders(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All orders: wishes by server and by site."""

    servers: Annotated[dict[Name, OperatorWish], Meta(max_length=MOST_WISHES)] = {}
    sites: Annotated[dict[Name, OperatorWish], Meta(max_length=MOST_WISHES)] = {}
    freeze: Frozen | None = None
    mode: ModeOrder | None = None

    @property
    def frozen(self) -> bool:
        """Return whether the view is to be kept."""
        return self.freeze is not None and self.freeze.frozen

    @property
    def next_sequence(self) -> int:
        """Return the sequence for the next order."""
        known = [one.sequence for one in (*self.servers.values(), *self.sites.values())]
        known += [one.sequence for one in (self.freeze, self.mode) if one is not None]
        return min(max(known, default=0) + 1, MOST_SEQUENCE)


NO_ORDERS = Orders()

SEQUENCES_A_SECOND = 1000
SEQUENCES_AHEAD_S = 60.0
FIRST_SEQUENCES = 1_000_000
"""Sequences count up by one. One that is larger than time allows, as a broken observer may tell it,
is not believed: no later order could win against the largest. What time allows grows faster than
operators give orders, so that every order wins in the end against all that was believed."""

_Order = TypeVar("_Order", OperatorWish, Frozen, ModeOrder)


class OrderError(HeadraceError):
    """An order that cannot be taken."""


def wish_server(
    orders: Orders,
    server: str,
    wish: Wish,
    *,
    now: float,
    reason: str = "",
    by: str = "",
    until: float | None = None,
) -> Orders:
    """Return the orders with a wish for a server. `Wish.NONE` takes the last one back.

    Raises OrderError when there are too many.
    """
    made = _wish(orders, wish, now, reason, by, until)
    return msgspec.structs.replace(orders, servers=_with(orders.servers, server, made))


def wish_site(
    orders: Orders,
    site: str,
    wish: Wish,
    *,
    now: float,
    reason: str = "",
    by: str = "",
    until: float | None = None,
) -> Orders:
    """Return the orders with a wish for all servers of a site that have none of their own.

    Raises OrderError when there are too many.
    """
    made = _wish(orders, wish, now, reason, by, until)
    return msgspec.structs.replace(orders, sites=_with(orders.sites, site, made))


def freeze(orders: Orders, frozen: bool, *, reason: str = "", by: str = "") -> Orders:
    """Return the orders with the automation stopped, or running again."""
    made = Frozen(frozen, orders.next_sequence, reason[:LONGEST_REASON], by[:LONGEST_REASON])
    return msgspec.structs.replace(orders, freeze=made)


def choose_mode(orders: Orders, mode: Mode | None, *, by: str = "") -> Orders:
    """Return the orders with another mode (None: the configured one)."""
    made = ModeOrder(mode, orders.next_sequence, by[:LONGEST_REASON])
    return msgspec.structs.replace(orders, mode=made)


def merge(one: Orders, other: Orders) -> Orders:
    """Return what two that know orders know together; the order of the two is of no matter."""
    if one == other:
        return one
    return Orders(
        _merged(one.servers, other.servers),
        _merged(one.sites, other.sites),
        _later(one.freeze, other.freeze),
        _later(one.mode, other.mode),
    )


def believed(orders: Orders, now: float) -> Orders:
    """Return the orders whose sequence can be one at this time."""
    most = max(FIRST_SEQUENCES, int((now + SEQUENCES_AHEAD_S) * SEQUENCES_A_SECOND))
    if orders.next_sequence <= most:
        return orders
    return Orders(
        {name: one for name, one in orders.servers.items() if one.sequence < most},
        {name: one for name, one in orders.sites.items() if one.sequence < most},
        None if orders.freeze is None or orders.freeze.sequence >= most else orders.freeze,
        None if orders.mode is None or orders.mode.sequence >= most else orders.mode,
    )


def without_expired(orders: Orders, now: float) -> Orders:
    """Return the orders without the wishes that are over."""
    servers = {name: one for name, one in orders.servers.items() if not _is_over(one, now)}
    sites = {name: one for name, one in orders.sites.items() if not _is_over(one, now)}
    if len(servers) == len(orders.servers) and len(sites) == len(orders.sites):
        return orders
    return msgspec.structs.replace(orders, servers=servers, sites=sites)


def _wish(
    orders: Orders, wish: Wish, now: float, reason: str, by: str, until: float | None
) -> OperatorWish:
    end = now + REMEMBERED_S if wish is Wish.NONE else until
    return OperatorWish(
        wish, orders.next_sequence, reason[:LONGEST_REASON], by[:LONGEST_REASON], end
    )


def _with(
    wishes: dict[str, OperatorWish], name: str, wish: OperatorWish
) -> dict[str, OperatorWish]:
    if name not in wishes and len(wishes) >= MOST_WISHES:
        raise OrderError(f"there are {MOST_WISHES} wishes already: take some back")
    return {**wishes, name: wish}


def _is_over(wish: OperatorWish, now: float) -> bool:
    return wish.until is not None and wish.until <= now


def _merged(
    one: dict[str, OperatorWish], other: dict[str, OperatorWish]
) -> dict[str, OperatorWish]:
    merged = {
        name: wish
        for name in sorted(one.keys() | other.keys())
        if (wish := _later(one.get(name), other.get(name))) is not None
    }
    if len(merged) <= MOST_WISHES:
        return merged
    latest = sorted(merged, key=lambda name: (-merged[name].sequence, name))[:MOST_WISHES]
    return {name: merged[name] for name in sorted(latest)}


def _later(one: _Order | None, other: _Order | None) -> _Order | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other, key=lambda order: (order.sequence, msgspec.json.encode(order)))


def wish_in_force(orders: Orders, server: str, site: str, now: float) -> OperatorWish | None:
    """Return the wish that counts for a server now: its own, else its site's."""
    for one in (orders.servers.get(server), orders.sites.get(site)):
        if one is not None and one.wish is not Wish.NONE and not is_over(one, now):
            return one
    return None


def is_over(wish: OperatorWish, now: float) -> bool:
    """Return whether a wish has ended by itself."""
    return wish.until is not None and wish.until <= now


def new_orders(before: Orders, after: Orders) -> Iterator[dict[str, object]]:
    """Yield the orders that were not there before, as fields of a log's line."""
    for known, given in ((before.servers, after.servers), (before.sites, after.sites)):
        for subject, wish in given.items():
            if known.get(subject) != wish:
                yield {"subject": subject, **msgspec.to_builtins(wish)}
    if after.freeze is not None and after.freeze != before.freeze:
        yield {"subject": "view", **msgspec.to_builtins(after.freeze)}
    if after.mode is not None and after.mode != before.mode:
        yield {"subject": "mode", **msgspec.to_builtins(after.mode)}
