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
_SCOPE_AND_ADDRESS_BYTES: Final = 4
_TYPE_AND_CLASS_BYTES: Final = 4


class Tally:
    """How often messages of some shapes were answered."""

    __slots__ = ("count", "subnet", "type_word")

    def __init__(self, type_word: str, *, subnet: bool) -> None:
        self.type_word = type_word
        self.subnet = subnet
        self.count = 0


class Shape(msgspec.Struct):
    """A shape, and what an answer has of it: the flags, how many additional records there are, the
    OPT record up to where the scope comes if there is a subnet. `most` is how long the message may
    be up to the end of its name, with the answer's records.
    """

    kind: int
    flags: bytes
    additional: bytes
    opt: bytes
    most: int
    tally: Tally


class Shapes:
    """The shapes that were met, by all bytes of their messages but number, name and address."""

    __slots__ = ("_tallies", "with_subnet", "without_subnet")

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, bool], Tally] = {}
        self.with_subnet: BoundedMemory[bytes, Shape] = BoundedMemory(SHAPES_BYTES, _cost)
        self.without_subnet: BoundedMemory[bytes, Shape] = BoundedMemory(SHAPES_BYTES, _cost)

    def note(self, data: bytes, query: Query) -> None:
        """Remember the shape of a message that was read as a query, if it is one of those."""
        if query.cookie is not None or query.klass != wire.CLASS_IN:
            return
        end = wire.HEADER_BYTES + len(query.name)
        if data[-11:-3] == SUBNET_24:
            # It must be the option that was read: not another one's data, nor one of two.
            if query.subnet == data[-7:] and SUBNET_24 not in data[end:-11]:
                self._keep(self.with_subnet, data[2:12] + data[end:-3], query)
        elif query.subnet is None:
            self._keep(self.without_subnet, data[2:12] + data[end:], query)

    def add_to(self, metrics: WorkerMetrics) -> None:
        """Add what was counted since the last time."""
        for tally in self._tallies.values():
            if not tally.count:
                continue
            metrics.dns_queries[tally.type_word] += tally.count
            metrics.dns_answers[wire.RCODE_WORDS[wire.NOERROR]] += tally.count
            metrics.dns_subnets += tally.count if tally.subnet else 0
            tally.count = 0

    def _keep(self, kept: BoundedMemory[bytes, Shape], asked: bytes, query: Query) -> None:
        if asked in kept.entries:
            return
        word, subnet = wire.TYPE_WORDS.get(query.kind, wire.OTHER_TYPE), query.subnet is not None
        tally = self._tallies.get((word, subnet))
        if tally is None:
            tally = self._tallies[word, subnet] = Tally(word, subnet=subnet)
        kept.put(asked, shape_of(query, tally))


def _cost(asked: bytes, shape: Shape) -> int:
    return 2 * len(asked) + len(shape.opt) + 100


def shape_of(query: Query, tally: Tally) -> Shape:
    """Return the shape of a query without a cookie; with a subnet, that is an IPv4 /24."""
    opt = b""
    most = wire.PLAIN_UDP_BYTES - _TYPE_AND_CLASS_BYTES
    if query.udp_bytes:
        said = wire.option(wire.SUBNET_OPTION, query.subnet) if query.subnet else b""
        opt = wire.edns(0, query.edns_flags, said)
        most = min(query.udp_bytes, wire.LARGEST_UDP_BYTES) - _TYPE_AND_CLASS_BYTES - len(opt)
        if query.subnet:
            opt = opt[:-_SCOPE_AND_ADDRESS_BYTES]
    # What is `ready` is an authoritative answer without an error.
    flags = query.flags & REPEATED_FLAGS | wire.QR | wire.AA
    additional = b"\0\1" if opt else b"\0\0"
    return Shape(query.kind, flags.to_bytes(2, "big"), additional, opt, most, tally)
