"""Hellos that are not read before OpenSSL sees them: none of them is served."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest

from headrace.http.server.client_hello import HELLO_BYTES
from headrace.http.server.tls_context import CertificateContext
from headrace.http.server.tls_socket import TlsSocket
from tests.harness.certificates import Authority

NAME = "longenough.test"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> CertificateContext:
    made = CertificateContext(ssl.PROTOCOL_TLS_SERVER)
    pair = Authority(tmp_path_factory.mktemp("greeting")).issue(NAME)
    made.load_cert_chain(pair.cert, pair.key)
    made.names = frozenset((NAME,))
    made.sni_callback = lambda _sock, _name, _context: None
    return made


@pytest.fixture
def ends(context: CertificateContext) -> Iterator[tuple[TlsSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    with ours, theirs:
        yield TlsSocket(ours, context, ssl.MemoryBIO()), theirs


def hello() -> bytes:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outgoing = ssl.MemoryBIO()
    tls = client.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=NAME)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def in_records(message: bytes, size: int = 1 << 14) -> bytes:
    parts = (message[at : at + size] for at in range(0, len(message), size))
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


def grown(record: bytes, size: int) -> bytes:
    """The message with so many more bytes in an extension that nobody knows."""
    body = record[9:]
    at = 2 + 32
    at += 1 + body[at]
    at += 2 + int.from_bytes(body[at : at + 2], "big")
    at += 1 + body[at]
    more = b"\x5a\x5a" + size.to_bytes(2, "big") + bytes(size)
    extensions = more + body[at + 2 :]
    body = body[:at] + len(extensions).to_bytes(2, "big") + extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body


UNREAD = {
    "a name that is not ASCII": hello().replace(NAME.encode(), b"\xff" + NAME.encode()[1:]),
    "too long": in_records(grown(hello(), HELLO_BYTES)),
    "too long in short records": in_records(grown(hello(), HELLO_BYTES - 1000), 2),
    "a warning first": b"\x15\x03\x01\x00\x02\x01\x5a" + hello(),
}


def answered(server: TlsSocket, client: socket.socket, said: bytes) -> bytes:
    """What the client gets for its hello."""
    client.sendall(said)
    for _ in range(20):
        with contextlib.suppress(ssl.SSLWantReadError):
            server.do_handshake()
    return client.recv(1 << 16)


@pytest.mark.parametrize("said", UNREAD.values(), ids=UNREAD.keys())
def test_what_is_not_read_is_not_served_whatever_openssl_reads_in_it(
    ends: tuple[TlsSocket, socket.socket], said: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    server, client = ends
    with pytest.raises(ssl.SSLError):
        answered(server, client, said)
    record = client.recv(100)
    assert (record[0], record[3:6]) == (21, b"\x00\x02\x02")  # a fatal alert, nothing before
    assert not any(capfd.readouterr())  # a stranger writes nothing into the log


def test_a_large_hello_that_is_read_is_served(ends: tuple[TlsSocket, socket.socket]) -> None:
    said = in_records(grown(hello(), HELLO_BYTES - 1000), 4096)
    assert answered(*ends, said)[:1] == b"\x16"


def test_openssl_says_what_is_wrong_with_other_protocols(
    ends: tuple[TlsSocket, socket.socket],
) -> None:
    with pytest.raises(ssl.SSLError, match="HTTP_REQUEST"):
        answered(*ends, b"GET / HTTP/1.1\r\n\r\n")
