"""What nearly all queries share but for their name and their client, read once. Pure.

A query is a head, a name, and what is behind the name; with a client subnet, the last three bytes
are mostly those of an IPv4 /24. All the rest of it is its shape, of which resolvers send few. Where
the shape of a message is known, and its name, no more of it need be read.
"""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.bounded import BoundedMemory
from headrace.router.dns import wire
from headrace.router.dns.query import Query
from headrace.telemetry.metrics import WorkerMetrics

REPEATED_FLAGS: Final = wire.RD | wire.CD
SHAPES_BYTES: Final = 512 * 1024
# The option's code, its length, the family, the length of the prefix and the scope of a query.
SUBNET_24: Final = b"\0\x08\0\x07\0\x01\x18\0"
# The option's code and its length: a client's cookie and a server's, of 8 and 16 bytes.
COOKIE_24: Final = b"\0\x0a\0\x18"
_SUBNET_OPTION_BYTES: Final = 11
_COOKIE_OPTION_BYTES: Final = 28
_COOKIE_BYTES: Final = 24
_SCOPE_AND_ADDRESS_BYTES: Final = 4
_TYPE_AND_CLASS_BYTES: Final = 4
# From the end of the question to the first option: an OPT record's name, type, class, TTL, length.
_OPT_BYTES: Final = 11
_OPT_NAME_AND_TYPE: Final = b"\0\0\x29"
_READ_ALWAYS: Final = frozenset({wire.AXFR, wire.IXFR})


class Tally:
    """How often messages of some shapes were answered, and how often that there is no such name
    (`denials`).
    """

    __slots__ = ("count", "denials", "subnet", "type_word")

    def __init__(self, type_word: str, *, subnet: bool) -> None:
        self.type_word = type_word
        self.subnet = subnet
        self.count = 0
        self.denials = 0


class Shape(msgspec.Struct):
    """A shape, and what an answer has of it: the flags (and those of one that denies the name), how
    many additional records there are, the OPT record up to where the scope comes if there is a
    subnet, and without the cookie. `most` is how long the message may be up to the end of its name,
    with the answer's records.
    """

    kind: int
    flags: bytes
    denial_flags: bytes
    additional: bytes
    opt: bytes
    most: int
    subnet: bool
    tally: Tally


class Shapes:
    """The shapes that were met, by all bytes of their messages but number, name, address and
    cookie.

    They are kept apart by which of the last two there are, so that none is taken for another. What
    counts as a cookie is one of a server's at the end; as a subnet, an IPv4 /24 before that.
    """

    __slots__ = ("_tallies", "with_both", "with_cookie", "with_neither", "with_subnet")

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, bool], Tally] = {}
        self.with_neither: BoundedMemory[bytes, Shape] = BoundedMemory(SHAPES_BYTES, _cost)
        self.with_subnet: BoundedMemory[bytes, Shape] = BoundedMemory(SHAPES_BYTES, _cost)
        self.with_cookie: BoundedMemory[bytes, Shape] = BoundedMemory(SHAPES_BYTES, _cost)
        self.with_both: BoundedMemory[bytes, Shape] = BoundedMemory(SHAPES_BYTES, _cost)

    def note(self, data: bytes, query: Query) -> None:
        """Remember the shape of a message that was read as a query, if it is one of those."""
        if query.klass != wire.CLASS_IN or query.kind in _READ_ALWAYS:
            return
        end = wire.HEADER_BYTES + len(query.name)
        if query.cookie is not None:
            if data[-_COOKIE_OPTION_BYTES:-_COOKIE_BYTES] != COOKIE_24:
                return
            if query.subnet is None:
                kept, cut = self.with_cookie, _COOKIE_BYTES
                wanted = [(wire.COOKIE_OPTION, _COOKIE_OPTION_BYTES)]
            elif data[-39:-31] == SUBNET_24:
                kept, cut = self.with_both, 31
                wanted = [
                    (wire.SUBNET_OPTION, _SUBNET_OPTION_BYTES + _COOKIE_OPTION_BYTES),
                    (wire.COOKIE_OPTION, _COOKIE_OPTION_BYTES),
                ]
            else:
                return
        elif query.subnet is not None:
            if data[-11:-3] != SUBNET_24:
                return
            kept, cut = self.with_subnet, 3
            wanted = [(wire.SUBNET_OPTION, _SUBNET_OPTION_BYTES)]
        else:
            # What looks like one of the others is looked for only among those.
            if data[-11:-3] != SUBNET_24 and data[-28:-24] != COOKIE_24:
                self._keep(self.with_neither, data[2:12] + data[end:], query)
            return
        if _subnets_and_cookies(data, end + _TYPE_AND_CLASS_BYTES) == wanted:
            self._keep(kept, data[2:12] + data[end:-cut], query)

    def add_to(self, metrics: WorkerMetrics) -> None:
        """Add what was counted since the last time."""
        for tally in self._tallies.values():
            both = tally.count + tally.denials
            if not both:
                continue
            metrics.dns_queries[tally.type_word] += both
            metrics.dns_subnets += both if tally.subnet else 0
            for code, count in ((wire.NOERROR, tally.count), (wire.NXDOMAIN, tally.denials)):
                if count:
                    metrics.dns_answers[wire.RCODE_WORDS[code]] += count
            tally.count = tally.denials = 0

    def _keep(self, kept: BoundedMemory[bytes, Shape], asked: bytes, query: Query) -> None:
        if asked in kept.entries:
            return
        word, subnet = wire.TYPE_WORDS.get(query.kind, wire.OTHER_TYPE), query.subnet is not None
        tally = self._tallies.get((word, subnet))
        if tally is None:
            tally = self._tallies[word, subnet] = Tally(word, subnet=subnet)
        kept.put(asked, shape_of(query, tally))


def _cost(asked: bytes, shape: Shape) -> int:
    return 2 * len(asked) + len(shape.opt) + 120


def _subnets_and_cookies(data: bytes, at: int) -> list[tuple[int, int]]:
    """Return the code of each such option of the OPT record at `at`, and how far from the end of
    the message it begins; nothing where another record stands there. It must have been read before.
    """
    found: list[tuple[int, int]] = []
    if data[at : at + 3] != _OPT_NAME_AND_TYPE or data[8:12] != b"\0\0\0\1":
        return found
    at += _OPT_BYTES
    while at < len(data):
        code = data[at] << 8 | data[at + 1]
        if code in (wire.SUBNET_OPTION, wire.COOKIE_OPTION):
            found.append((code, len(data) - at))
        at += 4 + (data[at + 2] << 8 | data[at + 3])
    return found


def shape_of(query: Query, tally: Tally) -> Shape:
    """Return the shape of a query; with a subnet, that is an IPv4 /24."""
    opt = b""
    most = wire.PLAIN_UDP_BYTES - _TYPE_AND_CLASS_BYTES
    if query.udp_bytes:
        said = wire.option(wire.SUBNET_OPTION, query.subnet) if query.subnet else b""
        cookie_bytes = 0
        if query.cookie is not None:
            cookie_bytes = _COOKIE_OPTION_BYTES
            said += wire.option(wire.COOKIE_OPTION, query.cookie)
        opt = wire.edns(0, query.edns_flags, said)
        most = min(query.udp_bytes, wire.LARGEST_UDP_BYTES) - _TYPE_AND_CLASS_BYTES - len(opt)
        opt = opt[: len(opt) - cookie_bytes]
        if query.subnet:
            opt = opt[:-_SCOPE_AND_ADDRESS_BYTES]
    # An authoritative answer without an error, or but that of a name that is not there.
    flags = query.flags & REPEATED_FLAGS | wire.QR | wire.AA
    return Shape(
        query.kind,
        flags.to_bytes(2, "big"),
        (flags | wire.NXDOMAIN).to_bytes(2, "big"),
        b"\0\1" if opt else b"\0\0",
        opt,
        most,
        bool(query.subnet),
        tally,
    )
