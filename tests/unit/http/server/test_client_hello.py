"""Reading a client's hello before OpenSSL does."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.server.client_hello import (
    ClientHello,
    HelloRecords,
    NotAHello,
    parse_hello,
)
from headrace.http.server.client_hello import whole_hello as hello_in_one_record
from headrace.http.server.tls_context import CertificateContext


def whole_hello(data: bytes) -> bytes | None:
    return HelloRecords().take(data)


def hello_of(name: str | None, protocols: list[str] | None = None) -> bytes:
    """What OpenSSL says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols is not None:
        context.set_alpn_protocols(protocols)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def in_records(data: bytes, size: int) -> bytes:
    """The same message in records of this size."""
    message = data[5:]
    return b"".join(
        b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part
        for at in range(0, len(message), size)
        for part in [message[at : at + size]]
    )


SAMPLE = hello_of("www.example.test", ["h2", "http/1.1"])
READ = ClientHello("www.example.test", (b"h2", b"http/1.1"))


def test_openssl_hellos_are_read() -> None:
    for name in ("a.test", None):
        for protocols in (None, ["http/1.1"], ["h2", "spdy/3"]):
            body = whole_hello(hello_of(name, protocols))
            assert body is not None
            expected = None if protocols is None else tuple(map(str.encode, protocols))
            assert parse_hello(body) == ClientHello(name, expected)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 100, 16384])
def test_a_hello_is_read_however_it_is_spread_over_records(size: int) -> None:
    body = whole_hello(in_records(SAMPLE, size))
    assert body is not None
    assert parse_hello(body) == READ


@given(st.data())
def test_a_hello_in_one_record_is_read_as_records_are(data: st.DataObject) -> None:
    changed = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(0, 2))):
        changed[data.draw(st.integers(0, 12))] = data.draw(st.integers(0, 255))
    stream = bytes(changed) + data.draw(st.sampled_from([b"", b"x"]))
    stream = stream[: data.draw(st.sampled_from([3, 8, 9, 10, 100, len(stream)]))]
    body = hello_in_one_record(stream)
    if body is not None:
        assert body == whole_hello(stream)
    elif stream == SAMPLE:
        raise AssertionError("a usual hello took the long way")


def test_a_hello_is_not_whole_before_its_last_byte() -> None:
    for stream in (SAMPLE, in_records(SAMPLE, 40)):
        assert [whole_hello(stream[:at]) for at in range(len(stream))] == [None] * len(stream)
        assert whole_hello(stream + b"\x17\x03\x03") is not None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x2e\x01\x03\x01",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x17\x03\x03\x00\x01x",
    ],
)
def test_what_is_no_hello_is_left_to_openssl(data: bytes) -> None:
    with pytest.raises(NotAHello):
        whole_hello(data)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotAHello):
        whole_hello(data)
    with contextlib.suppress(NotAHello):
        parse_hello(data)


@given(st.data())
def test_a_changed_hello_is_read_or_refused(data: st.DataObject) -> None:
    changed = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(SAMPLE) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NotAHello):
        body = whole_hello(bytes(changed))
        if body is not None:
            parse_hello(body)


def test_contexts_are_chosen_by_the_whole_name_first() -> None:
    def context(*names: str) -> CertificateContext:
        made = CertificateContext(ssl.PROTOCOL_TLS_SERVER)
        made.names = frozenset(names)
        return made

    default, other = context("*.a.test", "b.test"), context("www.a.test", "*.c.test")
    default.others = dict.fromkeys(other.names, other)
    for name in (None, "", "x.a.test", "B.test.", "unknown", "c.test", "x.y.c.test", "*"):
        assert default.context_for(name) is default
    for name in ("www.a.test", "x.c.test", "X.C.test."):
        assert default.context_for(name) is other


def test_a_certificate_speaks_for_its_names_alone() -> None:
    context = CertificateContext(ssl.PROTOCOL_TLS_SERVER)
    assert context.speaks_for("anything")
    context.names = frozenset(("a.test", "*.b.test", "127.0.0.1", "::1"))
    for host in ("a.test", "A.TEST.", "x.b.test", "127.0.0.1", "[::1]", "[0:0::1]"):
        assert context.speaks_for(host)
    for host in ("x.a.test", "b.test", "x.y.b.test", "127.0.0.2", "[::2]", "[", ".b.test", "1.2"):
        assert not context.speaks_for(host)
    context.checks_hosts = False
    assert context.speaks_for("b.test")


def extended(*extensions: tuple[int, bytes]) -> ClientHello:
    """What is read of a hello with a name and these extensions."""
    name = b"\x00\x0d" + b"\x00" + b"\x00\x0a" + b"named.test"
    listed = b"".join(
        kind.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content
        for kind, content in [(0, name), *extensions]
    )
    head = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    return parse_hello(head + len(listed).to_bytes(2, "big") + listed)


def identities(*tickets: bytes) -> bytes:
    """The front of the extension pre_shared_key; binders follow."""
    listed = b"".join(
        len(ticket).to_bytes(2, "big") + ticket + b"\x00\x00\x00\x01" for ticket in tickets
    )
    return len(listed).to_bytes(2, "big") + listed + b"\x00\x21\x20" + bytes(32)


NAMED = b"a name of 16 byt"
TICKET = NAMED + bytes(100)


@pytest.mark.parametrize(
    ("extensions", "key"),
    [
        ([], None),
        ([(35, b"")], None),
        ([(35, TICKET)], NAMED),
        ([(35, NAMED)], None),
        ([(41, identities(TICKET))], NAMED),
        ([(41, identities(TICKET, b"another" * 20))], NAMED),
        ([(35, b""), (41, identities(TICKET))], NAMED),
        ([(41, identities(b""))], None),
    ],
)
def test_the_key_of_a_ticket_is_read(
    extensions: list[tuple[int, bytes]], key: bytes | None
) -> None:
    assert extended(*extensions).ticket_key == key


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_whatever_stands_for_a_ticket_the_name_is_read(ticket: bytes, shared: bytes) -> None:
    assert extended((35, ticket), (41, shared)).server_name == "named.test"
