"""Reads queries of a shape that is seldom sent, with dnspython.

That costs a hundred times what a usual query does, so that only so many are read in a second: what
is beyond is not answered. Pure but for this count.
"""

from __future__ import annotations

import dns.exception
import dns.message
import dns.opcode

from headrace.router.dns import wire
from headrace.router.dns.query import Query, Refusal, name_end, take_option

MOST_PER_SECOND = 200


class Uncommon:
    """Reads what `query.read_query` does not."""

    __slots__ = ("_count", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._count = 0

    def read(self, data: bytes, now_s: int) -> Query | Refusal | None:
        """Read a message whose header and question are well formed; None: it is one too many."""
        if now_s != self._second:
            self._second = now_s
            self._count = 0
        self._count += 1
        if self._count > MOST_PER_SECOND:
            return None
        return read_uncommon(data)


def read_uncommon(data: bytes) -> Query | Refusal:
    """Read a message whose header and question are well formed."""
    flags = data[2] << 8 | data[3]
    end = name_end(data, wire.HEADER_BYTES)
    question = data[wire.HEADER_BYTES : end + 4]
    malformed = Refusal(flags, wire.FORMERR, question)
    try:
        message = dns.message.from_wire(data, question_only=False)
    except (dns.exception.DNSException, ValueError, KeyError):
        # Signed ones too: no key is known here (UnknownTSIGKey).
        return malformed
    query = Query(
        flags,
        data[wire.HEADER_BYTES : end].lower(),
        data[end] << 8 | data[end + 1],
        data[end + 2] << 8 | data[end + 3],
        question,
    )
    if message.edns < 0:
        return query
    udp_bytes = max(message.payload, wire.PLAIN_UDP_BYTES)
    if message.edns:
        return Refusal(flags, wire.BADVERS, question, udp_bytes)
    query.udp_bytes = udp_bytes
    query.edns_flags = message.ednsflags & 0xFFFF
    for option in message.options:
        if not take_option(query, int(option.otype), option.to_wire() or b""):
            return Refusal(flags, wire.FORMERR, question, udp_bytes)
    return query
