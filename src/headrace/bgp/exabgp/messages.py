"""What ExaBGP says on its API, line by line, as values. Pure.

A router chooses much of what stands in these lines, so nothing is believed about them: what cannot
be read is one `Unreadable`, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from headrace.bgp.announcement import MOST_COMMUNITIES, IPNetwork
from headrace.bgp.events import Attributes, DownReason, SessionKey

MOST_PATH = 64
MOST_DETAIL = 200
LIMIT_BYTES = 512 * 1024
"""A BGP message of 4 KiB holds a thousand prefixes, of which each takes some 40 bytes here."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command was carried out."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A command was refused."""


@dataclass(frozen=True, slots=True)
class State:
    """A session came up (`down` is None), or ended."""

    session: SessionKey
    down: DownReason | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Update:
    """What one update of a router says."""

    session: SessionKey
    announced: tuple[IPNetwork, ...]
    withdrawn: tuple[IPNetwork, ...]
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line, or a part of one, that makes no sense; its session where that can be told."""

    session: SessionKey | None
    detail: str


@dataclass(frozen=True, slots=True)
class Other:
    """A line without a meaning here."""


Message = Done | Failed | State | Update | Unreadable | Other


class _Prefix(msgspec.Struct):
    nlri: str


class _Attributes(msgspec.Struct, rename="kebab"):
    as_path: dict[str, Any] = {}
    med: int | None = None
    local_preference: int | None = None
    community: list[Any] = []
    large_community: list[Any] = []


class _Update(msgspec.Struct):
    attribute: _Attributes = msgspec.field(default_factory=_Attributes)
    announce: dict[str, dict[str, list[_Prefix]]] = {}
    withdraw: dict[str, list[_Prefix]] = {}


class _Content(msgspec.Struct):
    update: _Update | None = None


class _Address(msgspec.Struct):
    peer: str


class _Neighbor(msgspec.Struct):
    address: _Address
    state: str = ""
    reason: str = ""
    message: _Content | None = None


class _Line(msgspec.Struct):
    type: str
    neighbor: _Neighbor | None = None


_decoder = msgspec.json.Decoder(_Line)
_PEER = re.compile(rb'"peer": "([0-9a-fA-F:.]{2,45})"')


def read_line(line: bytes) -> Message:
    """Return what a line says."""
    if not line.startswith(b"{"):
        answers: dict[bytes, Message] = {b"done": Done(), b"error": Failed()}
        return answers.get(line.strip(), Other())
    try:
        read = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(_peer_of(line), str(error)[:MOST_DETAIL])
    neighbor = read.neighbor
    if neighbor is None:
        return Other()
    try:
        session = SessionKey(ip_address(neighbor.address.peer))
        if read.type == "state":
            return _state(session, neighbor)
        if read.type == "update" and neighbor.message and neighbor.message.update:
            return _update(session, neighbor.message.update)
    except ValueError as error:
        return Unreadable(_peer_of(line), str(error)[:MOST_DETAIL])
    return Other()


def _peer_of(line: bytes) -> SessionKey | None:
    found = _PEER.search(line[:2048])
    if found is None:
        return None
    try:
        return SessionKey(ip_address(found[1].decode()))
    except ValueError:
        return None


def _state(session: SessionKey, neighbor: _Neighbor) -> Message:
    if neighbor.state == "up":
        return State(session, None)
    if neighbor.state == "down":
        detail = neighbor.reason[:MOST_DETAIL]
        return State(session, down_reason(detail), detail)
    return Other()


def down_reason(text: str) -> DownReason:
    """Return why a session ended, from ExaBGP's words."""
    found = re.search(r"notification (sent|received) \((\d+),(\d+)\)", text)
    if found is None:
        return DownReason.PEER_CLOSED if text == "closing connection" else DownReason.OTHER
    code, subcode = int(found[2]), int(found[3])
    if (code, subcode) == (2, 2):
        return DownReason.WRONG_AS
    if code == 4:
        return DownReason.HOLD_TIMER
    if (code, subcode) == (6, 1):
        return DownReason.TOO_MANY_PREFIXES
    if code in (1, 2, 3, 5) and found[1] == "sent":
        return DownReason.MALFORMED
    return DownReason.NOTIFIED


def _update(session: SessionKey, update: _Update) -> Update:
    announced = [
        prefix
        for by_next_hop in update.announce.values()
        for prefixes in by_next_hop.values()
        for prefix in prefixes
    ]
    withdrawn = [prefix for prefixes in update.withdraw.values() for prefix in prefixes]
    return Update(session, _networks(announced), _networks(withdrawn), _read(update.attribute))


def _networks(prefixes: Iterable[_Prefix]) -> tuple[IPNetwork, ...]:
    """Read prefixes; ExaBGP writes those with bits behind their length as they came."""
    return tuple(ip_network(one.nlri, strict=False) for one in prefixes)


def _read(attributes: _Attributes) -> Attributes:
    path: list[int] = []
    for part in attributes.as_path.values():
        if isinstance(part, dict) and isinstance(part.get("value"), list):
            path += [one for one in part["value"][:MOST_PATH] if isinstance(one, int)]
    return Attributes(
        as_path=tuple(path[:MOST_PATH]),
        med=attributes.med,
        local_preference=attributes.local_preference,
        communities=frozenset(_tuples(attributes.community, 2)),  # type: ignore[arg-type]
        large_communities=frozenset(_tuples(attributes.large_community, 3)),  # type: ignore[arg-type]
    )


def _tuples(listed: list[Any], length: int) -> Iterable[tuple[int, ...]]:
    """Return communities as numbers; well-known ones have a name, of which few matter here."""
    for one in listed[:MOST_COMMUNITIES]:
        with suppress(ValueError):
            parts = one if isinstance(one, list) else _WELL_KNOWN.get(str(one), [])
            if len(parts) == length and all(isinstance(part, int) for part in parts):
                yield tuple(parts)


_WELL_KNOWN = {
    "no-export": [65535, 65281],
    "no-advertise": [65535, 65282],
    "no-export-subconfed": [65535, 65283],
    "no-peer": [65535, 65284],
    "graceful-shutdown": [65535, 0],
    "blackhole": [65535, 666],
}
