"""What operators tell the loop: wishes for servers and sites, and whether it may act at all. Pure.

Orders are told to one feedback process and reach the others (see `order_join`). Each is known by
the observer that took it and by its sequence, and says which orders about the same thing its
operator could know of (`seen`): those it replaces. Orders that were given without knowledge of each
other stand beside each other, and the most careful of them is in force; nothing is lost.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError

MOST_WISHES: Final = 2000
"""For servers, and for sites."""
MOST_BESIDE: Final = 32
"""Orders about the same thing: one of each observer."""
MOST_BYTES: Final = 4 * 1024**2
MOST_SEQUENCE: Final = 2**53
LONGEST_REASON: Final = 300
REMEMBERED_S: Final = 7 * 86_400.0
"""How long an order is remembered after it was taken back, or after it was over: so long an
observer that was away does not bring back what it replaced."""

Name = Annotated[str, Meta(min_length=1, max_length=512)]
Giver = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=LONGEST_REASON)]
Number = Annotated[int, Meta(ge=0, le=MOST_SEQUENCE)]
UnixTime = Annotated[float, Meta(ge=0.0, le=1e11)]
Seen = Annotated[dict[Giver, Number], Meta(max_length=MOST_BESIDE)]


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
    """A wish of an operator (`by`), taken by an `observer` at a Unix time. It ends at `until`
    (None: not by itself). `seen`: by observer, the last order of each that it replaces.
    """

    wish: Wish
    sequence: Number
    reason: Text = ""
    by: Text = ""
    until: UnixTime | None = None
    observer: Giver = ""
    at: UnixTime = 0.0
    seen: Seen = {}

    @property
    def wants(self) -> str:
        """Return what is wanted, in a word; "" for nothing any more."""
        return "" if self.wish is Wish.NONE else self.wish.value


class Frozen(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whether the view is kept as it is while states are still observed."""

    frozen: bool
    sequence: Number
    reason: Text = ""
    by: Text = ""
    observer: Giver = ""
    at: UnixTime = 0.0
    seen: Seen = {}

    @property
    def wants(self) -> str:
        """Return what is wanted, in a word; "" for nothing any more."""
        return "frozen" if self.frozen else ""


class ModeOrder(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The mode that an operator wants (None: the configured one)."""

    mode: Mode | None
    sequence: Number
    by: Text = ""
    observer: Giver = ""
    at: UnixTime = 0.0
    seen: Seen = {}

    @property
    def wants(self) -> str:
        """Return what is wanted, in a word; "" for nothing any more."""
        return "" if self.mode is None else self.mode.value


Order = OperatorWish | Frozen | ModeOrder
OrderT = TypeVar("OrderT", bound=Order)
Wishes = Annotated[
    dict[Name, Annotated[tuple[OperatorWish, ...], Meta(max_length=MOST_BESIDE)]],
    Meta(max_length=MOST_WISHES),
]


class Orders(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """All orders: wishes by server and by site; of each thing those that none replaced."""

    servers: Wishes = {}
    sites: Wishes = {}
    freezes: Annotated[tuple[Frozen, ...], Meta(max_length=MOST_BESIDE)] = ()
    modes: Annotated[tuple[ModeOrder, ...], Meta(max_length=MOST_BESIDE)] = ()

    @property
    def frozen(self) -> bool:
        """Return whether the view is to be kept."""
        return any(one.frozen for one in self.freezes)

    @property
    def freeze(self) -> Frozen | None:
        """Return the order by which the view is kept, if it is."""
        return in_force(self.freezes, 0.0)

    @property
    def mode(self) -> ModeOrder | None:
        """Return the order for a mode that is in force."""
        return in_force(self.modes, 0.0)

    def each(self) -> Iterator[tuple[str, str, Order, Sequence[Order]]]:
        """Yield each order: the kind of thing that it is about (`server`, `site`, `view` or
        `mode`), its name, the order, and all about the same thing.
        """
        for kind, wishes in (("server", self.servers), ("site", self.sites)):
            for name, beside in wishes.items():
                for wish in beside:
                    yield kind, name, wish, beside
        for freeze in self.freezes:
            yield "view", "view", freeze, self.freezes
        for mode in self.modes:
            yield "mode", "mode", mode, self.modes

    @property
    def last_sequence(self) -> int:
        """Return the largest sequence of all orders; 0 without any."""
        return max((one.sequence for _kind, _name, one, _beside in self.each()), default=0)


NO_ORDERS = Orders()

_CARE = {
    "": 0,
    Wish.ONLINE.value: 1,
    Wish.DRAINING.value: 2,
    Wish.WITHDRAWN.value: 3,
    "frozen": 1,
    Mode.BOTH.value: 1,
    Mode.DRY_RUN.value: 2,
    Mode.STATES.value: 3,
}


class OrderError(HeadraceError):
    """An order that cannot be taken."""


def is_over(order: Order, now: float) -> bool:
    """Return whether an order has ended by itself."""
    return isinstance(order, OperatorWish) and order.until is not None and order.until <= now


def in_force(beside: Sequence[OrderT], now: float) -> OrderT | None:
    """Return which of the orders about one thing counts now: of those that want something the most
    careful one, then the latest. Whoever takes an order back takes back what he could know of.
    """
    wanting = [one for one in beside if one.wants and not is_over(one, now)]
    return max(
        wanting, key=lambda one: (_CARE[one.wants], one.sequence, one.observer), default=None
    )


def wish_in_force(orders: Orders, server: str, site: str, now: float) -> OperatorWish | None:
    """Return the wish that counts for a server now: its own, else its site's."""
    own = in_force(orders.servers.get(server, ()), now)
    return in_force(orders.sites.get(site, ()), now) if own is None else own


def overruled(orders: Orders, now: float) -> Iterator[tuple[str, str, Order, Order]]:
    """Yield the orders that would count if another had not been given without knowledge of them:
    the kind and the name of what they are about, and both orders.
    """
    for kind, name, one, beside in orders.each():
        if not one.wants or is_over(one, now):
            continue
        counts = in_force(beside, now)
        if counts is not None and counts is not one:
            yield kind, name, one, counts


def wish_server(
    orders: Orders,
    server: str,
    wish: Wish,
    *,
    now: float,
    reason: str = "",
    by: str = "",
    until: float | None = None,
    observer: str = "",
) -> Orders:
    """Return the orders with a wish for a server, taken by an observer. `Wish.NONE` takes back all
    that are known.

    Raises OrderError when there are too many.
    """
    beside = orders.servers.get(server, ())
    made = _wish(orders, beside, wish, now, (reason, by, until, observer))
    return _checked(msgspec.structs.replace(orders, servers={**orders.servers, server: (made,)}))


def wish_site(
    orders: Orders,
    site: str,
    wish: Wish,
    *,
    now: float,
    reason: str = "",
    by: str = "",
    until: float | None = None,
    observer: str = "",
) -> Orders:
    """Return the orders with a wish for all servers of a site that have none of their own.

    Raises OrderError when there are too many.
    """
    beside = orders.sites.get(site, ())
    made = _wish(orders, beside, wish, now, (reason, by, until, observer))
    return _checked(msgspec.structs.replace(orders, sites={**orders.sites, site: (made,)}))


def freeze(
    orders: Orders,
    frozen: bool,
    *,
    now: float = 0.0,
    reason: str = "",
    by: str = "",
    observer: str = "",
) -> Orders:
    """Return the orders with the automation stopped, or running again."""
    made = Frozen(
        frozen,
        _next_sequence(orders, now),
        reason[:LONGEST_REASON],
        by[:LONGEST_REASON],
        observer,
        now,
        seen_of(orders.freezes),
    )
    return msgspec.structs.replace(orders, freezes=(made,))


def choose_mode(
    orders: Orders, mode: Mode | None, *, now: float = 0.0, by: str = "", observer: str = ""
) -> Orders:
    """Return the orders with another mode (None: the configured one)."""
    sequence = _next_sequence(orders, now)
    made = ModeOrder(mode, sequence, by[:LONGEST_REASON], observer, now, seen_of(orders.modes))
    return msgspec.structs.replace(orders, modes=(made,))


def seen_of(beside: Sequence[Order]) -> dict[str, int]:
    """Return what an order has seen that is given in knowledge of these: them before all, and what
    they had seen, the latest of that where it is too much.
    """
    seen: dict[str, int] = {}
    for one in sorted(beside, key=lambda one: one.sequence)[-MOST_BESIDE:]:
        seen[one.observer] = max(one.sequence, seen.get(one.observer, 0))
    inherited: dict[str, int] = {}
    for one in beside:
        for observer, last in one.seen.items():
            # None replaces what has its own sequence or a later one, whatever it says.
            known = min(last, max(one.sequence - 1, 0))
            inherited[observer] = max(known, inherited.get(observer, 0))
    for observer in sorted(inherited, key=lambda name: (-inherited[name], name)):
        if observer in seen or len(seen) < MOST_BESIDE:
            seen[observer] = max(inherited[observer], seen.get(observer, 0))
    return dict(sorted(seen.items()))


def bytes_of(name: str, order: Order) -> int:
    """Return about how many bytes an order takes on the wire."""
    return 4 * len(name) + len(msgspec.json.encode(order))


def _wish(
    orders: Orders,
    beside: Sequence[OperatorWish],
    wish: Wish,
    now: float,
    told: tuple[str, str, float | None, str],
) -> OperatorWish:
    reason, by, until, observer = told
    return OperatorWish(
        wish,
        _next_sequence(orders, now),
        reason[:LONGEST_REASON],
        by[:LONGEST_REASON],
        now + REMEMBERED_S if wish is Wish.NONE else until,
        observer,
        now,
        seen_of(beside),
    )


def _next_sequence(orders: Orders, now: float) -> int:
    """Return the sequence for the next order: larger than all that are known, and than those that
    this observer gave before it lost what it had kept.
    """
    return min(max(orders.last_sequence + 1, int(now)), MOST_SEQUENCE)


def too_many(orders: Orders) -> str:
    """Return why these are more than are kept; "" if they are not."""
    for wishes in (orders.servers, orders.sites):
        if sum(map(len, wishes.values())) > MOST_WISHES:
            return f"there are more than {MOST_WISHES} wishes"
        size = sum(bytes_of(name, one) for name, beside in wishes.items() for one in beside)
        if size > MOST_BYTES // 2:
            return f"all wishes together have more than {MOST_BYTES // 2} bytes"
    return ""


def _checked(orders: Orders) -> Orders:
    """Return the orders, if there are no more than are kept. Raises OrderError."""
    problem = too_many(orders)
    if problem:
        raise OrderError(f"{problem}: take some back, those that headrace feedback orders lists")
    return orders
