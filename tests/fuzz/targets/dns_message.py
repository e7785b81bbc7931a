"""DNS messages: any bytes get an answer that dnspython reads and that fits its question, or none.

The input is some flags, a client's address, and one or more messages: of the rest of the bytes, or
made of a good query by changing a piece of it. What is remembered must not show: an answerer that
has answered everything before says what a new one says.
"""

from __future__ import annotations

import itertools

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from headrace.router.dns.answer import Answerer
from headrace.router.dns.cookies import Cookies
from headrace.router.dns.zones import Zones
from headrace.router.tallies import Tallies
from headrace.telemetry.metrics import WorkerMetrics
from tests.fuzz.inputs import Bytes
from tests.harness.dns_messages import NOW_S, SECRET, option, query
from tests.harness.dns_server import dns_config, dns_network, routing_of

WORDS = (
    b"\x03vod\x07example\0", b"\x03cdn\x07example\0", b"\x02n1\x03cdn\x07example\0",
    b"\x04s001\x06shards\x07example\0", b"\xc0\x0c", b"\0\0\x29\x04\xd0\0\0\0\0\0\0",
    b"\0\x08\0\x07\0\x01\x18\0\xc0\0\2", b"\0\x0a\0\x08cookies.", b"\0\1\0\1", b"\0\x41\0\1",
    b"\0\x1c\0\1", b"\0\xff\0\1", b"\0\xfc\0\1", b"\0\x02\0\x30\0\2\x20\1\x0d\xb8\0\x0a",
)  # fmt: skip
_NAMES = (
    "vod.example", "a.vod.example", "s001.shards.example", "cdn.example", "n1.cdn.example",
    "none.cdn.example", "about.cdn.example", "www.about.cdn.example", "example.net", "VoD.eXample",
)  # fmt: skip
_TYPES = ("A", "AAAA", "HTTPS", "NS", "SOA", "TXT", "CAA", "CNAME", "ANY", "AXFR", "TYPE129")
_SUBNETS = ("", "192.0.2.0/24", "192.0.2.7/32", "203.0.113.0/24", "10.0.0.0/8", "2001:db8:a::/48")
_CLIENTS = (b"\xc0\0\2\7", b"\xcb\0\x71\7", b"\x20\1\x0d\xb8\0\x0a" + b"\0" * 10)


_CONFIG, _NETWORK = dns_config(), dns_network()
_ROUTING = routing_of(_NETWORK)
_ZONES = Zones(_CONFIG, _NETWORK)


def _answerer() -> Answerer:
    return Answerer(_CONFIG, _ZONES, _ROUTING, Cookies([SECRET]), WorkerMetrics(), Tallies())


_USED = _answerer()
# A new second for each, since only so much is done in one.
_SECONDS = itertools.count(NOW_S)


def check(data: bytes) -> None:
    """Ask, and judge what came."""
    source = Bytes(data)
    client = source.choice(_CLIENTS)
    udp = source.flag()
    now_s = next(_SECONDS)
    message = _changed(source, client, now_s) if source.flag() else source.rest()
    answer = _USED.answer(message, client, now_s, udp=udp)
    again = _USED.answer(message, client, now_s, udp=udp)
    assert again == answer, "the second answer is another"
    new = _answerer().answer(message, client, now_s, udp=udp)
    assert new == answer, "what was asked before shows"
    if answer is not None:
        _judge(message, answer, udp=udp)


def _changed(source: Bytes, client: bytes, now_s: int) -> bytes:
    """A good query with a piece replaced."""
    name, kind, subnet = source.choice(_NAMES), source.choice(_TYPES), source.choice(_SUBNETS)
    ours = Cookies([SECRET]).reply(b"cookies.", client, now_s)[0]
    cookie = source.choice((b"", b"", ours, b"cookies.", b"\xf0" * 24))
    options = [option(10, cookie)] if cookie else []
    if subnet and cookie:
        address, _, length = subnet.partition("/")
        options.insert(0, dns.edns.ECSOption(address, int(length)))
        subnet = ""
    good = query(name, kind, subnet=subnet, id=source.number(65535), options=options)
    at, size = source.number(len(good)), source.number(16)
    return good[:at] + source.piece(64) + good[at + size :]


def _judge(message: bytes, answer: bytes, *, udp: bool) -> None:
    assert len(message) >= 12, "a fragment was answered"
    assert answer[:2] == message[:2]
    assert not message[2] & 0x80, "an answer was answered"
    assert answer[2] & 0x80
    assert answer[2] & 0x78 == message[2] & 0x78, "another operation"
    read = _read(answer)
    if udp:
        assert len(answer) <= 1232
        # What can be sent in another's name is not worth it.
        assert len(answer) <= 400 + len(message)
    if read is None:
        return
    assert not read.flags & dns.flags.RA
    if read.question:
        end = 12 + len(read.question[0].name.to_wire() or b"") + 4
        assert answer[12:end] == message[12:end], "another question"
    if read.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        assert not read.answer
        assert not read.authority
    if read.flags & dns.flags.TC:
        assert not read.answer
        assert not read.authority
    for records in read.answer:
        assert records.name == read.question[0].name


def _read(answer: bytes) -> dns.message.Message | None:
    """Read an answer; None for a head alone, which dnspython may want more of."""
    if len(answer) == 12:
        assert answer[4:] == b"\0" * 8
        return None
    return dns.message.from_wire(answer)
