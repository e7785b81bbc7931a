"""How many system calls a TLS connection makes until its first answer is out.

Each `send` wakes the client, which costs more than what Python does around it.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.http.server.tls_memory import BYTES_AT_ONCE, RECORD_BYTES
from headrace.http.server.tls_socket import TlsSocket
from tests.harness.certificates import Authority
from tests.harness.tls_client import TlsClient, greet, shake_hands


class Counting(socket.socket):
    """A socket that writes down what is called."""

    def __init__(self, own: socket.socket) -> None:
        super().__init__(own.family, own.type, own.proto, own.detach())
        self.setblocking(False)
        self.calls: list[str] = []

    def send(self, data: bytes | memoryview, flags: int = 0, /) -> int:  # type: ignore[override]
        self.calls.append("send")
        return super().send(data, flags)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        self.calls.append("recv")
        return super().recv(size, flags)


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[TlsSocket, Counting, TlsClient]]:
    pair = Authority(tmp_path).issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    ours, theirs = socket.socketpair()
    with Counting(ours) as counting, theirs:
        yield TlsSocket(counting, context, ssl.MemoryBIO()), counting, TlsClient(theirs)


def test_tickets_go_out_with_an_answer_that_is_there_at_once(
    ends: tuple[TlsSocket, Counting, TlsClient],
) -> None:
    server, sock, client = ends
    greet(server, client)
    assert sock.calls == ["recv", "send"]
    client.tls.write(b"a request")
    client.say()  # behind the end of the handshake
    server.do_handshake()
    assert server.recv(65536) == b"a request"
    assert server.send(b"an answer") == 9
    server.send_answers()
    assert sock.calls == ["recv", "send", "recv", "send"]
    client.hear()
    assert client.tls.read(100) == b"an answer"
    assert client.tls.session is not None
    assert client.tls.session.has_ticket


def test_tickets_do_not_wait_for_a_request_that_may_not_come(
    ends: tuple[TlsSocket, Counting, TlsClient],
) -> None:
    server, sock, client = ends
    shake_hands(server, client)
    with pytest.raises(BlockingIOError):
        server.recv(65536)
    server.send_answers()
    assert sock.calls == ["recv", "send", "recv", "recv", "send"]
    client.hear()
    with contextlib.suppress(ssl.SSLWantReadError):
        client.tls.read(100)
    assert client.tls.session is not None
    assert client.tls.session.has_ticket


def test_the_last_answer_and_the_end_go_out_in_one_call(
    ends: tuple[TlsSocket, Counting, TlsClient],
) -> None:
    server, sock, client = ends
    shake_hands(server, client)
    before = len(sock.calls)
    assert server.send(b"the last answer", last=True) == 15
    server.unwrap()
    assert sock.calls[before:] == ["send"]
    client.hear()
    assert client.tls.read(100) == b"the last answer"
    assert client.tls.read(100) == b""  # and not SSLWantReadError: the end was said


def test_a_large_last_answer_comes_whole_before_the_end(
    ends: tuple[TlsSocket, Counting, TlsClient],
) -> None:
    server, _sock, client = ends
    shake_hands(server, client)
    left, found, ended = memoryview(bytes(1_000_000)), 0, False
    while not ended:
        with contextlib.suppress(ssl.SSLWantWriteError):
            if left:
                left = left[server.send(left, last=True) :]
            else:
                server.unwrap()
        client.hear()
        with contextlib.suppress(ssl.SSLWantReadError):
            while piece := client.tls.read(65536):
                found += len(piece)
            ended = True
    assert found == 1_000_000


def test_a_handshake_that_brings_no_request_has_no_input(
    ends: tuple[TlsSocket, Counting, TlsClient],
) -> None:
    server, _sock, client = ends
    shake_hands(server, client)
    assert not server.has_input


@pytest.mark.parametrize("size", [1, 10_000])
def test_a_request_behind_the_end_of_a_handshake_is_input(
    ends: tuple[TlsSocket, Counting, TlsClient], size: int
) -> None:
    server, _sock, client = ends
    greet(server, client)
    client.tls.write(bytes(size))
    client.say()
    server.do_handshake()
    assert server.has_input
    assert server.recv(65536) == bytes(size)
    assert not server.has_input


def test_answers_of_openssl_go_out_before_a_large_window(
    ends: tuple[TlsSocket, Counting, TlsClient],
) -> None:
    server, sock, client = ends
    shake_hands(server, client)
    sock.calls.clear()
    body = bytes(range(256)) * 200
    assert server.send(body) == len(body)
    assert sock.calls == ["send", "send"]
    found = b""
    while len(found) < len(body):
        with contextlib.suppress(ssl.SSLWantReadError):
            found += client.tls.read(100_000)
            continue
        client.hear()
    assert found == body


class Recording:
    """The memory that OpenSSL reads from, and how much was put into it at once."""

    def __init__(self, own: ssl.MemoryBIO) -> None:
        self._own = own
        self.most_bytes = 0

    @property
    def pending(self) -> int:
        return self._own.pending

    def write(self, data: bytes) -> int:
        written = self._own.write(data)
        self.most_bytes = max(self.most_bytes, self._own.pending)
        return written


@pytest.mark.parametrize("size", [100, 16_000])
def test_what_is_uploaded_leaves_no_large_memory_with_an_idle_connection(
    ends: tuple[TlsSocket, Counting, TlsClient], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    server, _sock, client = ends
    shake_hands(server, client)
    memory = Recording(server._incoming)  # it never shrinks
    monkeypatch.setattr(server, "_incoming", memory)
    said = bytes(range(256)) * 225
    for at in range(0, len(said), size):
        client.tls.write(said[at : at + size])
    client.say()
    found = b""
    while len(found) < len(said):
        found += server.recv(65536)
    assert found == said
    assert memory.most_bytes < BYTES_AT_ONCE + RECORD_BYTES + 256


def test_the_end_that_a_client_says_behind_its_data_is_an_event_of_its_own(
    ends: tuple[TlsSocket, Counting, TlsClient],
) -> None:
    server, sock, client = ends
    shake_hands(server, client)
    client.tls.write(b"the last request")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.tls.unwrap()
    client.say()
    assert server.recv(65536) == b"the last request"
    assert select.select([sock], [], [], 0)[0]  # though the client's socket is open
    assert server.recv(65536) == b""
    assert server.send(b"an answer") == 9
