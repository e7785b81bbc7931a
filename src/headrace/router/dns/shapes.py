"""What nearly all queries share but for their name and their client, read once. Pure.

A query is a head, a name, and what is behind the name; that ends with a client subnet, a cookie, or
both, if it has them. All but the name, the subnet's address and the cookie is its shape, of which
resolvers send few. Where the shape of a message is known, and its name, no more of it need be read.
"""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.bounded import BoundedMemory
from headrace.router.dns import wire
from headrace.router.dns.query import Query
from headrace.telemetry.metrics import WorkerMetrics

REPEATED_FLAGS: Final = wire.RD | wire.CD
SHAPES_BYTES: Final = 128 * 1024
"""For the shapes of each layout, of which there are 24."""
# A client's cookie alone, and with a server's; what is answered is both.
_CLIENT_COOKIE_BYTES: Final = 8
_COOKIE_BYTES: Final = 24
COOKIE_24: Final = b"\0\x0a\0\x18"
"""A cookie option's code and length: of a client's cookie and a server's."""
# Prefixes of whole bytes, as many as decisions need: IPv4 /24 and /32, IPv6 /48 to /128.
_SUBNET_BYTES: Final = {1: (3, 4), 2: (6, 7, 8, 16)}
_ADDRESS_BYTES: Final = {1: 4, 2: 16}
_DECIDING_BYTES: Final = {1: 3, 2: 6}
_OPTION_HEAD_BYTES: Final = 4
# What is before the address of a subnet: the family, the length of the prefix and the scope.
_SUBNET_HEAD_BYTES: Final = 4
_SCOPE_BYTES: Final = 1
_TYPE_AND_CLASS_BYTES: Final = 4
# From the end of the question to the first option: an OPT record's name, type, class, TTL, length.
_OPT_BYTES: Final = 11
_OPT_NAME_AND_TYPE: Final = b"\0\0\x29"
_READ_ALWAYS: Final = frozenset({wire.AXFR, wire.IXFR})
_NOTHING: Final = slice(0, 0)


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
    tally: Tally


class Layout:
    """Where messages have what differs, from their end: a subnet's address of so many bytes, then a
    cookie. `entries` are the shapes that were met, by all their other bytes but number and name.

    `cut` is where the first of these begins, `between` the head of the cookie's option where both
    are there. `deciding` are the bytes that decisions are kept by, `rest` makes an address whole.
    """

    __slots__ = (
        "between", "cookie", "cut", "deciding", "entries", "has_cookie", "has_subnet", "memory",
        "rest", "said_between", "subnet",
    )  # fmt: skip

    def __init__(self, family: int, subnet_bytes: int, cookie_bytes: int) -> None:
        option_bytes = cookie_bytes + _OPTION_HEAD_BYTES if cookie_bytes else 0
        self.has_subnet, self.has_cookie = bool(subnet_bytes), bool(cookie_bytes)
        start = subnet_bytes + option_bytes
        self.subnet = self.deciding = self.between = self.cookie = _NOTHING
        self.cut = None if not (subnet_bytes or cookie_bytes) else -(start or cookie_bytes)
        self.rest = self.said_between = b""
        if subnet_bytes:
            self.subnet = slice(-start, -option_bytes or None)
            self.deciding = slice(-start, -(start - _DECIDING_BYTES[family]) or None)
            self.rest = bytes(_ADDRESS_BYTES[family] - subnet_bytes)
        if cookie_bytes:
            self.cookie = slice(-cookie_bytes, None)
            if subnet_bytes:
                self.between = slice(-option_bytes, -cookie_bytes)
                self.said_between = wire.option(wire.COOKIE_OPTION, bytes(cookie_bytes))[:4]
            else:
                self.cut = -cookie_bytes
        self.memory: BoundedMemory[bytes, Shape] = BoundedMemory(SHAPES_BYTES, _cost)
        self.entries = self.memory.entries


class Shapes:
    """The shapes that were met, by their layouts.

    `layouts` has those that messages with so many bytes behind their name may have. A shape is
    known by all bytes that say where its options are, so that none is taken for another.
    """

    __slots__ = ("_all", "_tallies", "layouts")

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, bool], Tally] = {}
        subnets = [(0, 0), *((family, n) for family, all_ in _SUBNET_BYTES.items() for n in all_)]
        self._all = {
            (family, subnet_bytes, cookie_bytes): Layout(family, subnet_bytes, cookie_bytes)
            for family, subnet_bytes in subnets
            for cookie_bytes in (0, _CLIENT_COOKIE_BYTES, _COOKIE_BYTES)
        }
        self.layouts: dict[int, tuple[Layout, ...]] = {}

    def note(self, data: bytes, query: Query) -> None:
        """Remember the shape of a message that was read as a query, if it has a layout."""
        if query.klass != wire.CLASS_IN or query.kind in _READ_ALWAYS:
            return
        end = wire.HEADER_BYTES + len(query.name)
        family, subnet_bytes, cookie_bytes = 0, 0, 0
        wanted: list[tuple[int, int]] = []
        if query.cookie is not None:
            cookie_bytes = len(query.cookie)
            wanted.append((wire.COOKIE_OPTION, cookie_bytes + _OPTION_HEAD_BYTES))
        if query.subnet is not None:
            family, subnet_bytes = query.subnet[1], len(query.subnet) - _SUBNET_HEAD_BYTES
            if query.address is None or query.subnet[2] != 8 * subnet_bytes:
                return  # it says no address, or its last byte is not free
            option_bytes = _OPTION_HEAD_BYTES + len(query.subnet)
            wanted.insert(
                0, (wire.SUBNET_OPTION, option_bytes + sum(size for _code, size in wanted))
            )
        layout = self._all.get((family, subnet_bytes, cookie_bytes))
        if layout is None or _subnets_and_cookies(data, end + _TYPE_AND_CLASS_BYTES) != wanted:
            return
        asked = data[2:12] + data[end : layout.cut]
        if asked not in layout.entries:
            layout.memory.put(asked, shape_of(query, self._tally(query)))
            known = self.layouts.get(len(data) - end, ())
            if layout not in known:
                self.layouts[len(data) - end] = (*known, layout)

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

    def _tally(self, query: Query) -> Tally:
        word, subnet = wire.TYPE_WORDS.get(query.kind, wire.OTHER_TYPE), query.subnet is not None
        tally = self._tallies.get((word, subnet))
        if tally is None:
            tally = self._tallies[word, subnet] = Tally(word, subnet=subnet)
        return tally


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
    """Return the shape of a query; one with a subnet has all bytes of its prefix."""
    opt = b""
    most = wire.PLAIN_UDP_BYTES - _TYPE_AND_CLASS_BYTES
    if query.udp_bytes:
        said = cookie = b""
        left_out = 0
        if query.subnet:
            said = wire.option(wire.SUBNET_OPTION, query.subnet)
            left_out = len(query.subnet) - _SUBNET_HEAD_BYTES + _SCOPE_BYTES
        if query.cookie is not None:
            cookie = wire.option(wire.COOKIE_OPTION, bytes(_COOKIE_BYTES))
            left_out += len(cookie)
        opt = wire.edns(0, query.edns_flags, said + cookie)
        most = min(query.udp_bytes, wire.LARGEST_UDP_BYTES) - _TYPE_AND_CLASS_BYTES - len(opt)
        opt = opt[: len(opt) - left_out]
    # An authoritative answer without an error, or but that of a name that is not there.
    flags = query.flags & REPEATED_FLAGS | wire.QR | wire.AA
    return Shape(
        query.kind,
        flags.to_bytes(2, "big"),
        (flags | wire.NXDOMAIN).to_bytes(2, "big"),
        b"\0\1" if opt else b"\0\0",
        opt,
        most,
        tally,
    )
