"""What a server that announces VIPs tells others of itself: how far it drains, and what it
announces. Its neighbours ask, and the feedback loop. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError

PATH = "/v1/vip"
LARGEST_BYTES = 256 * 1024
MOST_VIPS = 4096

PhaseName = Literal["serving", "lingering", "worse", "out"]


class SaidError(HeadraceError, ValueError):
    """A document that cannot be used."""


class Said(msgspec.Struct, frozen=True):
    """`announces` are the VIPs that it announces to serve them, over a session that is up: neither
    as one that drains nor as one that is impaired.
    """

    server: Annotated[str, Meta(min_length=1, max_length=128)]
    phase: PhaseName
    announces: Annotated[
        tuple[Annotated[str, Meta(max_length=45)], ...], Meta(max_length=MOST_VIPS)
    ] = ()

    @property
    def leaving(self) -> bool:
        """Whether it is on its way out."""
        return self.phase != "serving"

    @property
    def addresses(self) -> frozenset[IPv4Address | IPv6Address]:
        """The VIPs as addresses. Raises SaidError."""
        try:
            return frozenset(ip_address(one) for one in self.announces)
        except ValueError as error:
            raise SaidError(str(error)[:100]) from error

    def announces_any(self, vips: Iterable[IPv4Address | IPv6Address]) -> bool:
        """Return whether one of these is among what it announces. Raises SaidError."""
        return not self.addresses.isdisjoint(vips)


_decoder = msgspec.json.Decoder(Said)


def encode_said(said: Said) -> bytes:
    """Return it as JSON."""
    return msgspec.json.encode(said)


def decode_said(data: bytes, server: str) -> Said:
    """Return what `server` says. Raises SaidError."""
    try:
        said = _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise SaidError(f"it cannot be read: {str(error)[:100]}") from error
    if said.server != server:
        raise SaidError(f"it is {said.server!r}'s")
    return said
