"""What a speaker reports: its sessions, its answers to what it was told, and what routers announce.

Values only. Whatever a router can make a speaker say is bounded before it becomes one of these.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from headrace.bgp.announcement import (
    Community,
    Family,
    IPAddress,
    IPNetwork,
    LargeCommunity,
)


@dataclass(frozen=True, slots=True, order=True)
class SessionKey:
    """Which session: the router's address. One session carries one family, its address's own."""

    peer: IPAddress

    @property
    def family(self) -> Family:
        """Return the family that the session carries."""
        return Family.IPV4 if self.peer.version == 4 else Family.IPV6

    def __str__(self) -> str:
        """Return the router's address."""
        return str(self.peer)


class DownReason(enum.Enum):
    """Why a session is not up; the value is the word of logs and metrics."""

    CONNECTING = "connecting"
    PEER_CLOSED = "peer-closed"
    NOTIFIED = "notified"
    HOLD_TIMER = "hold-timer"
    WRONG_AS = "wrong-as"
    MALFORMED = "malformed"
    TOO_MANY_PREFIXES = "too-many-prefixes"
    BFD = "bfd"
    SPEAKER = "speaker-ended"
    CLOSED = "closed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SessionUp:
    """A session is established: what is announced goes to that router now."""

    session: SessionKey


@dataclass(frozen=True, slots=True)
class SessionDown:
    """A session ended, or could not be established: what the speaker says, and what helps."""

    session: SessionKey
    reason: DownReason
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class BfdUp:
    """A router answers to BFD: when it is gone, that is noticed within the time of BFD."""

    session: SessionKey


@dataclass(frozen=True, slots=True)
class BfdDown:
    """A router does not answer to BFD, though it is to: only the hold time of BGP counts."""

    session: SessionKey
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The speaker took an announcement (or, without one to be made, a withdrawal) of a prefix."""

    prefix: IPNetwork
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The speaker did not do what it was told; without `prefix` it was its whole configuration."""

    prefix: IPNetwork | None
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a router said of a prefix. The path is cut to its first `MOST_PATH` numbers."""

    as_path: tuple[int, ...] = ()
    med: int | None = None
    local_preference: int | None = None
    communities: frozenset[Community] = frozenset()
    large_communities: frozenset[LargeCommunity] = frozenset()


@dataclass(frozen=True, slots=True)
class Received:
    """A router announced a prefix, or announced it with other attributes."""

    session: SessionKey
    prefix: IPNetwork
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Lost:
    """A router withdrew a prefix, or its session ended and with it what it had announced."""

    session: SessionKey
    prefix: IPNetwork


class DropReason(enum.Enum):
    """Why something that a router announced was not taken; the value is the word of metrics."""

    TOO_MANY = "too-many"
    DEFAULT_ROUTE = "default-route"
    OWN = "own-prefix"
    TOO_LONG = "too-long"
    TOO_SHORT = "too-short"
    NOT_ALLOWED = "not-allowed"
    NOT_GLOBAL = "not-global"
    WRONG_FAMILY = "wrong-family"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A router announced what is not taken: reported once for each reason and session."""

    session: SessionKey | None
    reason: DropReason
    detail: str
    remedy: str = ""


class SpeakerState(enum.Enum):
    """How the speaker as a program is; the value is the word of logs and metrics."""

    STARTED = "started"
    DIED = "died"
    HANGS = "hangs"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class SpeakerChanged:
    """The program started, died or ended, `again_in_s` until it is started again."""

    state: SpeakerState
    detail: str = ""
    again_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class RoutersChanged:
    """The speaker speaks with these routers and no others from now on: the AS number of each, which
    are watched by BFD from here, and whether anything that they announce is taken.
    """

    routers: Mapping[SessionKey, int]
    bfd: frozenset[SessionKey] = frozenset()
    takes: bool = False


SpeakerEvent = (
    SessionUp
    | SessionDown
    | BfdUp
    | BfdDown
    | Acknowledged
    | Refused
    | Received
    | Lost
    | Dropped
    | SpeakerChanged
    | RoutersChanged
)
Listener = Callable[[SpeakerEvent], None]
"""Called in the loop, in order. It must not block, and must not raise."""
