"""A session with a router, as every speaker understands it. Pure, but for reading the password."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from headrace.bgp.announcement import Family, IPAddress, IPNetwork
from headrace.bgp.errors import BgpError
from headrace.bgp.events import RoutersChanged, SessionKey

LEAST_HOLD_S = 3
MOST_AS = 2**32 - 1
MOST_GRACEFUL_S = 4095
MOST_PASSWORD = 80
MOST_DESCRIPTION = 80
MOST_RECEIVED = 1_000_000
BGP_PORT = 179


@dataclass(frozen=True, slots=True)
class Intake:
    """What is taken of what a router announces; by default nothing.

    `most` is the number of prefixes that are kept; what comes beyond is dropped and reported, and
    the session stays up, because the routes to the VIPs hang on it. With `within`, only prefixes
    inside of one of those are taken. Default routes never are.
    """

    most: int = 0
    shortest_v4: int = 8
    longest_v4: int = 24
    shortest_v6: int = 16
    longest_v6: int = 48
    within: tuple[IPNetwork, ...] = ()
    private: bool = False

    def __post_init__(self) -> None:
        """Refuse bounds without a meaning. Raises ValueError."""
        if not 0 <= self.most <= MOST_RECEIVED:
            raise ValueError(f"{self.most} received prefixes are not from 0 to {MOST_RECEIVED}")
        if not 1 <= self.shortest_v4 <= self.longest_v4 <= 32:
            raise ValueError("lengths of IPv4 prefixes must be from 1 to 32")
        if not 1 <= self.shortest_v6 <= self.longest_v6 <= 128:
            raise ValueError("lengths of IPv6 prefixes must be from 1 to 128")


@dataclass(frozen=True, slots=True)
class Session:
    """One session: one router, one family, that of both addresses.

    `ttl_security_hops` is how far away the router is (1: on the same link): packets that come from
    farther are dropped (RFC 5082), and the router must do the same. `graceful_restart_s` is for how
    long the router keeps the routes when this side goes without a word; 0: it drops them at once.
    With `passive` the router connects, to `port` here, else this side connects to `port` there.
    """

    peer: IPAddress
    local: IPAddress
    peer_as: int
    local_as: int
    router_id: IPv4Address
    description: str = ""
    hold_time_s: int = 9
    password_file: Path | None = None
    ttl_security_hops: int | None = None
    graceful_restart_s: int = 0
    passive: bool = False
    port: int = BGP_PORT
    bfd: bool = False
    bfd_multihop: bool = False
    intake: Intake = field(default_factory=Intake)

    def __post_init__(self) -> None:
        """Refuse what no speaker could do. Raises ValueError."""
        if self.peer.version != self.local.version:
            raise ValueError(f"{self.local} and {self.peer} are not of one family")
        if self.peer == self.local:
            raise ValueError(f"the router has the own address {self.local}")
        for number in (self.peer_as, self.local_as):
            if not 1 <= number <= MOST_AS or number == 23456:
                raise ValueError(f"{number} is no AS number that can be used")
        if self.hold_time_s < LEAST_HOLD_S or self.hold_time_s > 65535:
            raise ValueError(f"a hold time of {self.hold_time_s} s is not from 3 to 65535 s")
        if self.ttl_security_hops is not None and not 1 <= self.ttl_security_hops <= 254:
            raise ValueError(f"{self.ttl_security_hops} hops are not from 1 to 254")
        if not 0 <= self.graceful_restart_s <= MOST_GRACEFUL_S:
            raise ValueError(f"{self.graceful_restart_s} s are not from 0 to {MOST_GRACEFUL_S}")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"{self.port} is no port")
        if not _plain(self.description) or len(self.description) > MOST_DESCRIPTION:
            raise ValueError("a description has at most 80 letters, digits, blanks, dots, dashes")

    @property
    def key(self) -> SessionKey:
        """Return what events call it."""
        return SessionKey(self.peer)

    @property
    def family(self) -> Family:
        """Return the family that it carries."""
        return self.key.family

    @property
    def internal(self) -> bool:
        """Return whether both sides are of one AS (iBGP)."""
        return self.peer_as == self.local_as


def unique(sessions: tuple[Session, ...]) -> tuple[Session, ...]:
    """Return them, when no router is named twice. Raises ValueError."""
    if not sessions:
        raise ValueError("a speaker needs at least one session")
    keys = [one.key for one in sessions]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"{key} has two sessions: one carries one family, its address's")
    return sessions


def read_password(path: Path) -> str:
    """Return the MD5 password that a file holds, without the end of its line. Raises BgpError."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(4096)
    except OSError as error:
        raise BgpError(f"{path} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise BgpError(f"{path} is open to others: run `chmod g-w,o-rwx {path}`")
    try:
        text = content.decode("ascii").strip("\r\n")
    except ValueError:
        text = ""
    if not 1 <= len(text) <= MOST_PASSWORD or not text.isprintable():
        raise BgpError(f"{path} holds no password: 1 to {MOST_PASSWORD} letters of ASCII, one line")
    return text


def read_passwords(sessions: Iterable[Session]) -> dict[SessionKey, str]:
    """Return the passwords of those sessions that have one. Raises BgpError."""
    files = {one.key: one.password_file for one in sessions}
    return {key: read_password(path) for key, path in files.items() if path is not None}


def routers_changed(sessions: Iterable[Session]) -> RoutersChanged:
    """Return what is reported when these are the sessions from now on."""
    known = tuple(sessions)
    return RoutersChanged(
        {one.key: one.peer_as for one in known},
        frozenset(one.key for one in known if one.bfd),
        any(one.intake.most for one in known),
    )


def _plain(text: str) -> bool:
    return text.isascii() and all(letter.isalnum() or letter in " ._-" for letter in text)
