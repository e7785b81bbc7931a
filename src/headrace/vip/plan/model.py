"""What a server plans to announce, and the words that say why. Values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from headrace.bgp.announcement import Announcement, Family
from headrace.vip.plan.hearing import Hearing

Address = IPv4Address | IPv6Address


class Standing(enum.IntEnum):
    """How good an announcement is among those of the same VIP: each of a standing is better than
    all of the next. `LEAVING` is one that a change of the description takes back, for a while.
    Operators read these names, in lower case."""

    SERVING = 0
    LEAVING = 1
    WORSE = 2
    WORST = 3
    OUT = 4


class Why(enum.StrEnum):
    """Why a VIP is announced as it is, or is not; `meanings` says what each means."""

    OWNER = "owner"
    NEIGHBOUR = "neighbour"
    LEAVING = "leaving"
    LINGERS = "lingers"
    DEGRADED = "degraded"
    DAMPED = "damped"
    SEEN_FAILED = "seen_failed"
    JOINS = "joins"
    DRAINS = "drains"
    LAST = "last"
    NOT_CHECKED = "not_checked"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    FORCED = "forced"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class PlannedVip:
    """What a server does with one VIP: `rank` is its place among the candidates (0: it owns the
    VIP). `note` are the words of a check or of an operator.
    """

    vip: Address
    owner: str
    rank: int
    standing: Standing
    why: Why
    note: str = ""
    announcement: Announcement | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a server announces: `vips` are all that it may have to announce, its own first."""

    server: str
    vips: tuple[PlannedVip, ...] = ()

    @property
    def announcements(self) -> frozenset[Announcement]:
        """All that is to be announced, and nothing else."""
        return frozenset(one.announcement for one in self.vips if one.announcement is not None)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses to bind: a VIP is bound and checked before it is announced."""
        return tuple(one.vip for one in self.vips)


@dataclass(frozen=True, slots=True)
class Held:
    """A VIP that the server was a candidate for, until a Unix time."""

    owner: str
    rank: int
    until: float


class Phase(enum.Enum):
    """How far a server is on its way out: it serves; its connections end by themselves; its
    neighbours are better; it announces nothing."""

    SERVING = "serving"
    LINGERING = "lingering"
    WORSE = "worse"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Drain:
    """The phase of a server, and since when, in Unix time."""

    phase: Phase = Phase.SERVING
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What a plan leaves for the next one: the VIPs that the server was a candidate for, with
    owner and rank; those that it still holds though it is none any more; how far it drains; how
    routers hear it, by family.
    """

    ranks: Mapping[Address, tuple[str, int]] = field(default_factory=dict)
    held: Mapping[Address, Held] = field(default_factory=dict)
    drain: Drain = Drain()
    hearings: Mapping[Family, Hearing] = field(default_factory=dict)
