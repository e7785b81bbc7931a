"""Which prefixes that a router announces are taken as clients of a coverage. Pure."""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from headrace.topology.ancestors import Ancestors, parts_of
from headrace.topology.prefix_set import NO_PREFIXES, PrefixSet, record_of

_V4_BITS = 32


@dataclass(frozen=True, slots=True)
class LearntRules:
    """See `[coverage.learnt]`. `file` is where nodes keep the prefixes; communities are texts."""

    site: str
    file: str
    within: PrefixSet = field(default=NO_PREFIXES, repr=False)
    origin_as: tuple[int, ...] = ()
    communities: tuple[str, ...] = ()
    shortest_v4: int = 8
    longest_v4: int = 24
    shortest_v6: int = 20
    longest_v6: int = 48
    private: bool = False
    most: int = 50_000
    automatic: bool = True
    most_changed: float = 0.1
    most_prefixes: int = 1000
    settle_s: float = 30.0
    keep_s: float = 3600.0
    router_as: tuple[int, ...] = ()


class NotTaken(enum.StrEnum):
    """Why a prefix is not taken; the value is the word of metrics and pages."""

    DEFAULT_ROUTE = "default-route"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    NOT_GLOBAL = "not-global"
    NOT_WITHIN = "not-within"
    WRONG_ORIGIN = "wrong-origin"
    NO_COMMUNITY = "no-community"
    OTHERS_CLIENTS = "others-clients"
    TOO_MANY = "too-many"


REMEDIES = {
    NotTaken.DEFAULT_ROUTE: "take the default route out of what the router announces",
    NotTaken.TOO_SHORT: "let the router announce longer ones, or lower shortest_v4, shortest_v6",
    NotTaken.TOO_LONG: "let the router announce shorter ones, or raise longest_v4, longest_v6",
    NotTaken.NOT_GLOBAL: "let the router not announce it, or write private = true",
    NotTaken.NOT_WITHIN: "add the block to within if it is the ISP's; else see why it announces it",
    NotTaken.WRONG_ORIGIN: "add the AS number to origin_as if its clients are to be served so",
    NotTaken.NO_COMMUNITY: "let the router add one of the communities to what is meant",
    NotTaken.OTHERS_CLIENTS: "the description gives it to another network: correct it, or the ISP",
    NotTaken.TOO_MANY: "let the router announce less, or raise most",
}

_NOT_GLOBAL = (
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/3",
    "::/8", "100::/8", "2001::/23", "2002::/16", "fe80::/9", "ff00::/8",
)  # fmt: skip
_PRIVATE = (
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "192.0.2.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20", "fc00::/7",
)  # fmt: skip
_GLOBAL_V6 = record_of("2000::/3")

_special = Ancestors(
    [
        *((record_of(text), False) for text in _NOT_GLOBAL),
        *((record_of(text), True) for text in _PRIVATE),
    ]
)
_in_use = Ancestors([(_GLOBAL_V6, True)])


class Filter:
    """The rules, ready to be asked for many prefixes. `owners` has the names of the description's
    networks by their prefixes; the clients of those that are not `own` are not taken.
    """

    def __init__(
        self,
        rules: LearntRules,
        own: Sequence[str] = (),
        owners: Ancestors[str] | None = None,
    ) -> None:
        self._rules = rules
        self._own = frozenset(own)
        self._within = Ancestors([(record, True) for record in rules.within.records()])
        self._owners = owners
        self._communities = frozenset(rules.communities)

    def prefix(self, record: bytes) -> NotTaken | None:
        """Return why a prefix by itself is not taken."""
        rules = self._rules
        bits, _address, length = parts_of(record)
        v4 = bits == _V4_BITS
        if not length:
            return NotTaken.DEFAULT_ROUTE
        if length < (rules.shortest_v4 if v4 else rules.shortest_v6):
            return NotTaken.TOO_SHORT
        if length > (rules.longest_v4 if v4 else rules.longest_v6):
            return NotTaken.TOO_LONG
        private = _special.longest(record)
        unused = not v4 and private is None and not _in_use.longest(record)
        if private is False or unused or (private and not rules.private):
            return NotTaken.NOT_GLOBAL
        if rules.within and not self._within.longest(record):
            return NotTaken.NOT_WITHIN
        owner = None if self._owners is None else self._owners.longest(record)
        return None if owner is None or owner in self._own else NotTaken.OTHERS_CLIENTS

    def route(self, as_path: Sequence[int], communities: Collection[str]) -> NotTaken | None:
        """Return why an announcement is not taken, whatever its prefix is."""
        origins = self._rules.origin_as
        if origins and (not as_path or as_path[-1] not in origins):
            return NotTaken.WRONG_ORIGIN
        if self._communities and self._communities.isdisjoint(communities):
            return NotTaken.NO_COMMUNITY
        return None
