"""DNS messages as bytes: numbers of types and codes, names, records (RFC 1035, 6891, 9460). Pure.

Names are in wire form (labels with their lengths, a zero at the end) and in lower case unless they
are repeated to who asked. Records are owned by the name of the question, which they point to.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
HINFO: Final = 13
TXT: Final = 16
AAAA: Final = 28
OPT: Final = 41
HTTPS: Final = 65
IXFR: Final = 251
AXFR: Final = 252
ANY: Final = 255
CAA: Final = 257

CLASS_IN: Final = 1

NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
BADVERS: Final = 16

RCODE_WORDS: Final = {
    NOERROR: "noerror",
    FORMERR: "formerr",
    SERVFAIL: "servfail",
    NXDOMAIN: "nxdomain",
    NOTIMP: "notimp",
    REFUSED: "refused",
    BADVERS: "badvers",
}
TYPE_WORDS: Final = {
    A: "A",
    NS: "NS",
    CNAME: "CNAME",
    SOA: "SOA",
    TXT: "TXT",
    AAAA: "AAAA",
    HTTPS: "HTTPS",
    ANY: "ANY",
    CAA: "CAA",
}
OTHER_TYPE: Final = "other"

QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
CD: Final = 0x0010
OPCODE: Final = 0x7800

HEADER: Final = struct.Struct(">HHHHHH")
HEADER_BYTES: Final = 12
LONGEST_NAME_BYTES: Final = 255
LONGEST_LABEL_BYTES: Final = 63
LONGEST_TTL_S: Final = 2**31 - 1
PLAIN_UDP_BYTES: Final = 512
# What passes any path in one packet (the value of the DNS flag day of 2020).
LARGEST_UDP_BYTES: Final = 1232
LARGEST_BYTES: Final = 65535

SUBNET_OPTION: Final = 8
COOKIE_OPTION: Final = 10
ERROR_OPTION: Final = 15
DO: Final = 0x8000

# Extended errors (RFC 8914 section 4).
PROHIBITED: Final = 18
NOT_AUTHORITATIVE: Final = 20
NO_REACHABLE_AUTHORITY: Final = 22

QUESTION_NAME: Final = b"\xc0\x0c"
"""A pointer to the name of the question."""

_RECORD = struct.Struct(">HHIH")
_SHORT = struct.Struct(">H")
_OPTION = struct.Struct(">HH")


def name_of(text: str) -> bytes:
    """Return a name in wire form, in lower case. Raises ValueError."""
    labels = text.lower().rstrip(".").encode("ascii").split(b".") if text.rstrip(".") else []
    if any(not 0 < len(label) <= LONGEST_LABEL_BYTES for label in labels):
        raise ValueError(f"{text!r} has a label that is empty or longer than 63 letters")
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    if len(name) > LONGEST_NAME_BYTES:
        raise ValueError(f"{text!r} is longer than a name may be")
    return name


def suffixes(name: bytes) -> Iterable[bytes]:
    """Yield a name and those above it, up to the root's."""
    at = 0
    while True:
        yield name[at:]
        if not name[at]:
            return
        at += name[at] + 1


def record(kind: int, ttl_s: int, data: bytes, owner: bytes = QUESTION_NAME) -> bytes:
    """Return a record."""
    return owner + _RECORD.pack(kind, CLASS_IN, ttl_s, len(data)) + data


def pointer(offset: int) -> bytes:
    """Return a name that stands at an offset of the message already."""
    return _SHORT.pack(0xC000 | offset)


def option(code: int, data: bytes) -> bytes:
    """Return an option of EDNS."""
    return _OPTION.pack(code, len(data)) + data


def extended_error(code: int, text: str = "") -> bytes:
    """Return the option that says more of an error, with a text for people."""
    return option(ERROR_OPTION, _SHORT.pack(code) + text.encode())


def edns(rcode: int, flags: int, options: bytes) -> bytes:
    """Return the record that EDNS adds to a response; `rcode` may be above 15."""
    ttl = (rcode >> 4) << 24 | (flags & DO)
    return b"\0" + _RECORD.pack(OPT, LARGEST_UDP_BYTES, ttl, len(options)) + options


def soa_data(
    server: bytes, mailbox: bytes, serial: int, times_s: tuple[int, int, int, int]
) -> bytes:
    """Return the data of an SOA record; the times are refresh, retry, expiry and negative TTL."""
    return server + mailbox + struct.pack(">IIIII", serial, *times_s)


def https_data(
    priority: int,
    target: bytes,
    *,
    alpn: Iterable[str] = (),
    port: int | None = None,
    ipv4: Iterable[bytes] = (),
    ipv6: Iterable[bytes] = (),
) -> bytes:
    """Return the data of an HTTPS record (RFC 9460 section 2.2), its parameters in order."""
    ids = b"".join(bytes([len(each)]) + each.encode("ascii") for each in alpn)
    found = (
        (1, ids),
        (3, _SHORT.pack(port) if port is not None else b""),
        (4, b"".join(ipv4)),
        (6, b"".join(ipv6)),
    )
    parameters = b"".join(option(key, value) for key, value in found if value)
    return _SHORT.pack(priority) + target + parameters
