"""What bfdd is told, and what it says. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

import msgspec

from headrace.bgp.events import SessionKey
from headrace.bgp.session import Session


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a router that is gone is noticed: after `multiplier` intervals without a packet."""

    interval_ms: int = 100
    multiplier: int = 3

    def __post_init__(self) -> None:
        """Refuse what bfdd would. Raises ValueError."""
        if not 10 <= self.interval_ms <= 60_000:
            raise ValueError(f"{self.interval_ms} ms are not from 10 to 60000")
        if not 2 <= self.multiplier <= 255:
            raise ValueError(f"{self.multiplier} intervals are not from 2 to 255")


class _Peer(msgspec.Struct):
    peer: str
    status: str
    diagnostic: str = ""


_decoder = msgspec.json.Decoder(list[_Peer])


def configuration(sessions: Iterable[Session], pace: Pace) -> str:
    """Return bfdd's configuration.

    No interface is named: bfdd would need zebra to know of it.
    """
    lines = [
        "bfd",
        " profile headrace",
        f"  detect-multiplier {pace.multiplier}",
        f"  receive-interval {pace.interval_ms}",
        f"  transmit-interval {pace.interval_ms}",
        " exit",
    ]
    for session in sessions:
        lines += [f" {_peer(session)}", "  profile headrace", " exit"]
    return "\n".join([*lines, "exit", ""])


def changes(former: Iterable[Session], sessions: Iterable[Session]) -> list[str]:
    """Return the commands after which a running bfdd watches these, and the others as before."""
    before, now = [_peer(one) for one in former], [_peer(one) for one in sessions]
    lines = [f"no {one}" for one in before if one not in now]
    for one in now:
        if one not in before:
            lines += [one, "profile headrace", "exit"]
    return ["configure terminal", "bfd", *lines, "end"] if lines else []


def _peer(session: Session) -> str:
    far = session.ttl_security_hops is not None and session.ttl_security_hops > 1
    multihop = " multihop" if far or session.bfd_multihop else ""
    return f"peer {session.peer}{multihop} local-address {session.local}"


def read_peers(text: str) -> dict[SessionKey, tuple[bool, str]]:
    """Return which routers are up, and bfdd's words, from `show bfd peers json`.

    Raises ValueError.
    """
    try:
        peers = _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"bfdd says what cannot be read: {error}") from None
    return {SessionKey(ip_address(one.peer)): (one.status == "up", one.diagnostic) for one in peers}
