"""Reads a query: what is asked, and what EDNS says (RFC 1035, 6891, 7871, 7873). Pure.

Only the usual shape is read here: one question, and at most an OPT record behind it. Whatever else
there is makes it UNUSUAL, for a library to read. Any bytes may come; nothing is raised.
"""

from __future__ import annotations

import enum
from typing import Final, Literal

import msgspec

from headrace.router.dns import wire


class NoQuery(enum.Enum):
    """What a message is that cannot be answered from here."""

    SILENCE = "no query: no answer"
    UNUSUAL = "has records that are seldom sent"


SILENCE: Final = NoQuery.SILENCE
UNUSUAL: Final = NoQuery.UNUSUAL


class Query(msgspec.Struct, gc=False):
    """A query. `name` is in lower case, `question` is as it was asked, with type and class.

    Without EDNS `udp_bytes` is 0. `subnet` and `cookie` are the options' data, checked: `address`
    is the subnet's, as long as its family's addresses, None where no subnet was said.
    """

    flags: int
    name: bytes
    kind: int
    klass: int
    question: bytes
    udp_bytes: int = 0
    edns_flags: int = 0
    subnet: bytes | None = None
    address: bytes | None = None
    cookie: bytes | None = None


class Refusal(msgspec.Struct, gc=False):
    """A query that is answered by a code alone. `udp_bytes` is 0 where EDNS was not spoken."""

    flags: int
    rcode: int
    question: bytes = b""
    udp_bytes: int = 0


# One question and nothing else; one question, and a record in the additional section.
_ALONE = b"\0\x01\0\0\0\0\0\0"
_WITH_ONE = b"\0\x01\0\0\0\0\0\x01"
_NOT_A_PLAIN_QUERY = (wire.QR | wire.OPCODE) >> 8


def read_query(data: bytes) -> Query | Refusal | NoQuery:
    """Read a message."""
    if len(data) < wire.HEADER_BYTES:
        return SILENCE
    flags = data[2] << 8 | data[3]
    if data[2] & _NOT_A_PLAIN_QUERY:
        return SILENCE if flags & wire.QR else Refusal(flags, wire.NOTIMP)
    if data[4] or data[5] != 1:
        return Refusal(flags, wire.FORMERR)
    end = name_end(data, wire.HEADER_BYTES)
    if end < 0 or end + 4 > len(data):
        return Refusal(flags, wire.FORMERR)
    query = Query(
        flags,
        data[wire.HEADER_BYTES : end].lower(),
        data[end] << 8 | data[end + 1],
        data[end + 2] << 8 | data[end + 3],
        data[wire.HEADER_BYTES : end + 4],
    )
    counts = data[4:12]
    end += 4
    if counts == _WITH_ONE:
        # The root's name, then the type.
        if data[end : end + 3] == b"\0\0\x29":
            return _read_edns(query, data, end + 3)
        return UNUSUAL
    if counts != _ALONE:
        return UNUSUAL
    return query if end == len(data) else Refusal(flags, wire.FORMERR, query.question)


def name_end(data: bytes, at: int) -> int:
    """Return where an uncompressed name ends; -1 where there is none.

    Lengths are below 64, so that lower case changes none of them.
    """
    limit = at + wire.LONGEST_NAME_BYTES
    try:
        length = data[at]
        while length:
            if length > wire.LONGEST_LABEL_BYTES:
                return -1
            at += length + 1
            length = data[at]
    except IndexError:
        return -1
    return at + 1 if at < limit else -1


def _read_edns(query: Query, data: bytes, at: int) -> Query | Refusal:
    """Read the OPT record from its class on; it ends the message."""
    end = len(data)
    if at + 8 > end or at + 8 + (data[at + 6] << 8 | data[at + 7]) != end:
        return Refusal(query.flags, wire.FORMERR, query.question)
    udp_bytes = data[at] << 8 | data[at + 1]
    udp_bytes = max(udp_bytes, wire.PLAIN_UDP_BYTES)
    if data[at + 3]:
        return Refusal(query.flags, wire.BADVERS, query.question, udp_bytes)
    query.udp_bytes = udp_bytes
    query.edns_flags = data[at + 4] << 8
    at += 8
    while at < end:
        if at + 4 > end:
            return Refusal(query.flags, wire.FORMERR, query.question, udp_bytes)
        code = data[at] << 8 | data[at + 1]
        start = at + 4
        at = start + (data[at + 2] << 8 | data[at + 3])
        if at > end or not take_option(query, code, data[start:at]):
            return Refusal(query.flags, wire.FORMERR, query.question, udp_bytes)
    return query


def take_option(query: Query, code: int, data: bytes) -> bool:
    """Note an option; return whether it is well formed. Of two alike the first counts."""
    if code == wire.SUBNET_OPTION and query.subnet is None:
        address = subnet_address(data)
        if address is False:
            return False
        query.subnet = data
        query.address = address
    elif code == wire.COOKIE_OPTION and query.cookie is None:
        if len(data) != 8 and not 16 <= len(data) <= 40:
            return False
        query.cookie = data
    return True


_ADDRESS_BITS = {1: 32, 2: 128}


def subnet_address(data: bytes) -> bytes | Literal[False] | None:
    """Return the address of a client subnet; None where it says none; False for bad data.

    RFC 7871 section 6: as many bytes as the prefix needs, what is behind it zero, no scope. Who
    says a prefix of no length asks that no subnet be used.
    """
    if len(data) == 7 and data[:4] == b"\0\x01\x18\0":  # an IPv4 /24, as nearly all send
        return data[4:] + b"\0"
    if len(data) < 4 or data[0] or data[3]:
        return False
    family, length = data[1], data[2]
    bits = _ADDRESS_BITS.get(family)
    if bits is None:
        return None if family == 0 and length == 0 and len(data) == 4 else False
    size = (length + 7) >> 3
    if length > bits or len(data) != 4 + size:
        return False
    if not length:
        return None
    if length & 7 and data[-1] & (0xFF >> (length & 7)):
        return False
    return data[4:] + bytes((bits >> 3) - size)
