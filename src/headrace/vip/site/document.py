"""What a server tells the others of its site: how far it drains, and what it announces. Pure."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.vip.plan.model import Address, Phase, Plan, Standing

LARGEST_BYTES = 256 * 1024
MOST_VIPS = 4096


class SaidError(ValueError):
    """A document that cannot be used."""


class Said(msgspec.Struct, frozen=True):
    """`announces` are the VIPs that it announces to serve them: neither as one that drains nor as
    one that is impaired.
    """

    server: Annotated[str, Meta(min_length=1, max_length=128)]
    phase: Phase
    announces: Annotated[
        tuple[Annotated[str, Meta(max_length=45)], ...], Meta(max_length=MOST_VIPS)
    ] = ()

    @property
    def leaving(self) -> bool:
        """Whether it is on its way out."""
        return self.phase is not Phase.SERVING

    @property
    def addresses(self) -> frozenset[Address]:
        """The VIPs as addresses. Raises SaidError."""
        try:
            return frozenset(ip_address(one) for one in self.announces)
        except ValueError as error:
            raise SaidError(str(error)[:100]) from error


_decoder = msgspec.json.Decoder(Said)


def said_of(plan: Plan, phase: Phase) -> Said:
    """Return what a plan comes to for the others."""
    return Said(
        plan.server,
        phase,
        tuple(
            str(one.vip)
            for one in plan.vips
            if one.announcement is not None and one.standing <= Standing.LEAVING
        ),
    )


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
