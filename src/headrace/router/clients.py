"""Whom a request is from: the address of its connection, or what a trusted proxy says. Pure.

A proxy is trusted by its own address, and believed only in the one field that is configured. Of a
chain of proxies, the first one from the right that is not trusted is the client: everything left
of it is the client's own word.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_pton

import msgspec

from headrace.bounded import BoundedMemory
from headrace.http.message import Headers
from headrace.topology.coverage import plain_client

UNIX = "unix"
MEMORY_BYTES = 2 * 1024 * 1024
MOST_HOPS = 32
"""So many entries of a chain are looked at, from the right."""

_HOP = re.compile(rb"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9.]{7,15})(?::[0-9]{1,5})?")
_BARE_IPV6 = re.compile(rb"[0-9A-Fa-f:.]{2,45}")
# One parameter of a Forwarded element (RFC 7239 section 4), or the comma before the next element.
# Nothing is tried twice (`++`, `*+`): a client may send blanks by the thousand.
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PAIR = re.compile(
    rb"[ \t]*+(?:(" + _TOKEN + rb")=(?:(" + _TOKEN + rb')|"((?:[^"\\]|\\.)*+)"))?+[ \t]*+([;,]|$)'
)


class Client(msgspec.Struct, frozen=True):
    """Whom a request is from. `address` is None where nobody says it; `secure` is whether the
    client itself speaks TLS, None: as this connection does.
    """

    address: bytes | None
    secure: bool | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection: a client, or a proxy that is `trusted`."""

    client: Client
    trusted: bool


class Networks:
    """A few networks, to be asked whether an address is in one."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._of: dict[int, list[tuple[int, int]]] = {4: [], 16: []}
        for text in prefixes:
            network = ipaddress.ip_network(text)
            packed = network.network_address.packed
            mask = int(network.netmask)
            self._of[len(packed)].append((int.from_bytes(packed), mask))

    def __contains__(self, address: object) -> bool:
        """Return whether an address of 4 or 16 bytes is in one of them."""
        if not isinstance(address, bytes):
            return False
        number = int.from_bytes(address)
        return any(number & mask == start for start, mask in self._of[len(address)])

    def __bool__(self) -> bool:
        return any(self._of.values())


class Clients:
    """Finds the client of a request by the address of its connection and its fields."""

    def __init__(self, trusted: Iterable[str], field: str) -> None:
        words = list(trusted)
        self._trusts_unix = UNIX in words
        self._trusted = Networks(word for word in words if word != UNIX)
        self._forwarded = field.lower() == "forwarded"
        self._peers: BoundedMemory[str, Peer] = BoundedMemory(MEMORY_BYTES, _cost)
        self.peers = self._peers.entries
        """Those that were seen before, by the text of their address."""

    def peer(self, address: str) -> Peer:
        """Return who is at the other end of a connection ("": a Unix socket)."""
        known = self.peers.get(address)
        if known is not None:
            return known
        packed = packed_address(address.partition("%")[0].encode("ascii", "replace"))
        trusted = self._trusts_unix if not address else packed in self._trusted
        found = Peer(Client(packed), trusted)
        self._peers.put(address, found)
        return found

    def spoken_for(self, peer: Peer, headers: Headers) -> Client:
        """Return for whom a trusted proxy speaks; itself, if it does not say."""
        if self._forwarded:
            value = headers.get(b"forwarded")
            return peer.client if value is None else self._of_forwarded(value)
        chain = headers.get(b"x-forwarded-for")
        if chain is None:
            address = peer.client.address
        elif b"," not in chain:
            address = packed_hop(chain)  # whoever it is: there is nobody else
        else:
            hops = [packed_hop(hop.strip()) for hop in chain.rsplit(b",", MOST_HOPS)[-MOST_HOPS:]]
            address = hops[self._first_stranger(hops)]
        return Client(address, _is_https(headers.get(b"x-forwarded-proto")))

    def _of_forwarded(self, value: bytes) -> Client:
        elements = forwarded_elements(value)
        if not elements:
            return Client(None)
        elements = elements[-MOST_HOPS:]
        hops = [packed_hop(element.get(b"for", b"")) for element in elements]
        chosen = self._first_stranger(hops)
        return Client(hops[chosen], _is_https(elements[chosen].get(b"proto")))

    def _first_stranger(self, hops: list[bytes | None]) -> int:
        """Return the place of the first from the right that is no trusted proxy: the client, or
        what is no address. If all are proxies, the first one is the client.
        """
        for place in range(len(hops) - 1, -1, -1):
            if hops[place] not in self._trusted:
                return place
        return 0


def packed_address(text: bytes) -> bytes | None:
    """Return an address in 4 or 16 bytes, an IPv4-mapped one in 4; None for what is none."""
    try:
        if b":" in text:
            return plain_client(inet_pton(AF_INET6, text.decode("ascii")))
        return inet_pton(AF_INET, text.decode("ascii"))
    except (OSError, ValueError):  # no ASCII, or a NUL in it, is a ValueError
        return None


def packed_hop(text: bytes) -> bytes | None:
    """Return the address of an entry of a chain, whose port is left aside; None for what is none,
    such as `unknown` or a name.
    """
    if b":" not in text and b"[" not in text:  # IPv4 without a port
        return packed_address(text)
    match = _HOP.fullmatch(text)
    if match is not None:
        return packed_address(match[1] or match[2])
    return packed_address(text) if _BARE_IPV6.fullmatch(text) else None


def forwarded_elements(value: bytes) -> list[dict[bytes, bytes]]:
    """Return the elements of a Forwarded field: each one's parameters by name, in lower case.

    What is malformed ends up with no element at all: half of a chain is no chain.
    """
    elements: list[dict[bytes, bytes]] = [{}]
    at = 0
    while at < len(value):
        match = _PAIR.match(value, at)
        if match is None:
            return []
        name, token, quoted, end = match.groups()
        if name is not None:
            if name.lower() in elements[-1]:
                return []
            text = token if token is not None else re.sub(rb"\\(.)", rb"\1", quoted)
            elements[-1][name.lower()] = text
        if end == b",":
            elements.append({})
        at = match.end()
    return [element for element in elements if element]


def _is_https(proto: bytes | None) -> bool | None:
    """Return whether the last word of a protocol field is https; None if it is no such word."""
    if proto is None:
        return None
    word = proto.rpartition(b",")[2].strip().lower()
    return {b"https": True, b"http": False}.get(word)


def _cost(address: str, _peer: Peer) -> int:
    return 3 * len(address) + 250
