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
LARGEST_BYTES = 1024 * 1024
MOST_VIPS = 4096
MOST_APPROVED = 32

PhaseName = Literal["serving", "lingering", "worse", "out"]
_Vip = Annotated[str, Meta(max_length=45)]
_Name = Annotated[str, Meta(min_length=1, max_length=128)]
_Port = Annotated[int, Meta(ge=1, le=65535)]


class SaidError(HeadraceError, ValueError):
    """A document that cannot be used."""


class Approved(msgspec.Struct, frozen=True):
    """A change of learnt coverage that somebody approved at this server: all of its identity."""

    coverage: Annotated[str, Meta(max_length=400)]
    change: Annotated[str, Meta(min_length=64, max_length=64)]


class Said(msgspec.Struct, frozen=True):
    """`announces` are the VIPs that it announces to serve them, over a session that is up: neither
    as one that drains nor as one that is impaired; `worse` are those that it announces
    nevertheless, for want of others. `takes` is the UDP port at which it takes packets of
    connections that it may have (null: it takes none), `passes` are the VIPs of which it passes on
    what it does not know, by the server that it passes them to. `approved` is what was approved
    there lately, `clients` how many connections its VIPs have there (null: not counted; it counts
    while it leaves).
    """

    server: _Name
    phase: PhaseName
    announces: Annotated[tuple[_Vip, ...], Meta(max_length=MOST_VIPS)] = ()
    takes: _Port | None = None
    passes: Annotated[
        dict[_Name, Annotated[tuple[_Vip, ...], Meta(max_length=MOST_VIPS)]], Meta(max_length=1000)
    ] = {}
    approved: Annotated[tuple[Approved, ...], Meta(max_length=MOST_APPROVED)] = ()
    clients: Annotated[int, Meta(ge=0)] | None = None
    worse: Annotated[tuple[_Vip, ...], Meta(max_length=MOST_VIPS)] = ()

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

    @property
    def worse_addresses(self) -> frozenset[IPv4Address | IPv6Address]:
        """The VIPs that it announces for want of others, as addresses. Raises SaidError."""
        try:
            return frozenset(ip_address(one) for one in self.worse)
        except ValueError as error:
            raise SaidError(str(error)[:100]) from error

    @property
    def passes_to(self) -> dict[IPv4Address | IPv6Address, str]:
        """To whom it passes on what it does not know, by VIP. Raises SaidError."""
        try:
            return {ip_address(one): name for name, vips in self.passes.items() for one in vips}
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
