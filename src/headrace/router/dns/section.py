"""The body of an answer, without what differs from one client to the next. Pure."""

from __future__ import annotations

from typing import Final

from headrace.router.dns import wire
from headrace.router.tallies import Count

NOT_ROUTED: Final = Count()
"""Counts what sends nobody anywhere, for none to see."""


class Section:
    """What answers a question: a code, records ready to be sent, and for whom it is the same.

    `negative`: the zone's SOA record goes along. `decided`: it depends on the client, and is true
    for all clients of the prefix of `scope` around it. `flags` has the code too. One that is
    `ready` is no error; its `counts` and `scope_byte` are there to be sent as they are. `routed`
    counts the answers with it among those that sent clients somewhere. `error` is the option that
    tells people who read answers why there is none (RFC 8914); nobody decides by it.
    """

    __slots__ = (
        "count",
        "counts",
        "decided",
        "error",
        "flags",
        "negative",
        "rcode",
        "ready",
        "records",
        "routed",
        "scope",
        "scope_byte",
        "word",
    )

    def __init__(
        self,
        rcode: int = wire.NOERROR,
        records: bytes = b"",
        count: int = 0,
        *,
        negative: bool = False,
        scope: int | None = None,
        routed: Count = NOT_ROUTED,
        error: bytes = b"",
    ) -> None:
        self.rcode = rcode
        self.records = records
        self.count = count
        self.negative = negative
        self.decided = scope is not None
        self.scope = scope or 0
        self.word = wire.RCODE_WORDS[rcode]
        self.flags = wire.QR | rcode
        if rcode in (wire.NOERROR, wire.NXDOMAIN):
            self.flags |= wire.AA
        self.ready = rcode == wire.NOERROR
        self.counts = b"\0\1" + count.to_bytes(2, "big") + (b"\0\1" if negative else b"\0\0")
        self.scope_byte = bytes((self.scope,))
        self.routed = routed
        self.error = error


NO_DATA: Final = Section(negative=True)
NO_NAME: Final = Section(wire.NXDOMAIN, negative=True)
REFUSED: Final = Section(wire.REFUSED, error=wire.extended_error(wire.NOT_AUTHORITATIVE))
NO_TRANSFER: Final = Section(wire.REFUSED, error=wire.extended_error(wire.PROHIBITED))
NOT_IMPLEMENTED: Final = Section(wire.NOTIMP)
MALFORMED: Final = Section(wire.FORMERR)
# RFC 8482 section 4.2: who asks for everything gets something, and little.
ANYTHING_DATA: Final = b"\x07RFC8482\x00"


def section_of(
    kind: int,
    ttl_s: int,
    data: list[bytes],
    *,
    scope: int | None = None,
    routed: Count = NOT_ROUTED,
) -> Section:
    """Return the answer of records of one type."""
    records = b"".join(wire.record(kind, ttl_s, each) for each in data)
    return Section(wire.NOERROR, records, len(data), scope=scope, routed=routed)
