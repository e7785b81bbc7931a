"""Reading messages: any bytes may come. What is read is what dnspython reads."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.name
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace.router.dns import wire
from headrace.router.dns.query import SILENCE, UNUSUAL, Query, Refusal, name_end, read_query
from headrace.router.dns.uncommon import read_uncommon
from tests.harness.dns_messages import Asked, option, query

labels = st.lists(st.binary(min_size=1, max_size=63), max_size=6).filter(
    lambda parts: sum(len(part) + 1 for part in parts) < 255
)


@given(labels, st.integers(0, 65535), st.integers(0, 65535))
def test_a_question_is_read_as_dnspython_reads_it(
    parts: list[bytes], kind: int, klass: int
) -> None:
    name = b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    assert dns.name.from_wire(name, 0)[0].labels == (*parts, b"")
    data = b"\0\1\1\0\0\1\0\0\0\0\0\0" + name
    data += kind.to_bytes(2, "big") + klass.to_bytes(2, "big")
    read = read_query(data)
    assert isinstance(read, Query)
    assert read.name == name.lower()
    assert (read.kind, read.klass, read.question) == (kind, klass, data[12:])
    assert read.udp_bytes == 0


@given(st.integers(0, 65535), st.booleans(), st.binary(min_size=8, max_size=8))
def test_edns_is_read_as_dnspython_writes_it(size: int, dnssec: bool, cookie: bytes) -> None:
    data = query(
        "vod.example",
        subnet="192.0.2.0/24",
        options=[option(65001, b"unknown"), option(10, cookie)],
        payload=size,
        want_dnssec=dnssec,
    )
    read = read_query(data)
    assert isinstance(read, Query)
    assert read.udp_bytes == max(size, 512)
    assert read.edns_flags == (wire.DO if dnssec else 0)
    assert read.cookie == cookie
    assert read.address == b"\xc0\0\2\0"
    assert read_uncommon(data) == read


@given(st.binary(max_size=300))
@example(b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1")
@example(b"\0\1\1\0\0\1\0\0\0\0\0\0\x40abc\0\0\1\0\1")
@example(b"\0\1\1\0\0\1\0\0\0\0\0\1\0\0\1\0\1\0\0\x29")
def test_any_bytes_are_read_and_no_exception_escapes(data: bytes) -> None:
    read = read_query(data)
    assert isinstance(read, Query | Refusal) or read in {SILENCE, UNUSUAL}
    if read is UNUSUAL:
        read_uncommon(data)


@given(st.binary(max_size=80))
def test_any_bytes_behind_a_question_get_an_answer_that_can_be_read(rest: bytes) -> None:
    data = bytearray(query("vod.example"))
    data[11] = 1
    answer = Asked().raw(bytes(data) + rest)
    if answer is not None:
        assert dns.message.from_wire(answer).id == int.from_bytes(data[:2], "big")


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"\3abc",
        b"\x40" + b"a" * 64 + b"\0",
        b"\xc0\x0c",
        b"\3abc\xc0\x0c",
        (b"\x3f" + b"a" * 63) * 4 + b"\0",  # 257 bytes
        b"\x80abc\0",
    ],
)
def test_a_name_that_is_none_is_malformed(name: bytes) -> None:
    assert name_end(name, 0) == -1
    read = read_query(b"\0\1\1\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1")
    assert not isinstance(read, Query) or read.name != name.lower()


def test_the_longest_name_is_read() -> None:
    name = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0"
    assert len(name) == 255
    assert name_end(name, 0) == 255


@pytest.mark.parametrize("count", [b"\0\0", b"\0\2", b"\1\1", b"\xff\xff"])
def test_there_is_one_question(count: bytes) -> None:
    data = query("vod.example")
    read = read_query(data[:4] + count + data[6:])
    assert read == Refusal(0x0100, wire.FORMERR)


def test_what_is_behind_the_message_makes_it_malformed() -> None:
    for data in (query("vod.example"), query("vod.example", use_edns=0)):
        read = read_query(data + b"\0")
        assert isinstance(read, Refusal)
        assert read.rcode == wire.FORMERR


def test_two_opt_records_are_one_too_many() -> None:
    data = bytearray(query("vod.example", use_edns=0))
    data[11] = 2
    answer = Asked().raw(bytes(data) + bytes(data[-11:]))
    assert answer is not None
    assert answer[3] & 0xF == wire.FORMERR
