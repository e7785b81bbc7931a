"""The server's TLS socket by itself: windows, full sockets, ends."""

from __future__ import annotations

import os
import random
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.http.server.tls_ring import new_ring
from headrace.http.server.tls_socket import TlsSocket
from tests.harness.certificates import Authority


@dataclass
class Ends:
    """A server's TLS socket that does not block, and a client that does."""

    server: TlsSocket
    client: ssl.SSLSocket


def handshake(server: TlsSocket, readable: socket.socket) -> None:
    while True:
        try:
            server.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            readable.settimeout(5)
            readable.recv(1, socket.MSG_PEEK)
            readable.setblocking(False)
        else:
            return


@pytest.fixture(params=["memory", "ring"])
def ends(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ends]:
    issued = Authority(tmp_path).issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert, issued.key)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
    near.setblocking(False)
    ring = new_ring() if request.param == "ring" else None
    assert (ring is None) == (request.param == "memory")
    server = TlsSocket(near, context, ssl.MemoryBIO(), ring)
    found: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=lambda: found.append(trusting.wrap_socket(far)))
    thread.start()
    handshake(server, near)
    thread.join(5)
    yield Ends(server, found[0])
    found[0].close()
    server.close()


def test_a_slow_reader_gets_every_byte_once(ends: Ends) -> None:
    body = os.urandom(3_000_000)
    chance = random.Random(7)
    got = bytearray()
    done = threading.Event()

    def read() -> None:
        while len(got) < len(body):
            piece = ends.client.recv(chance.randrange(1, 100_000))
            if not piece:
                break
            got.extend(piece)
        done.set()

    reader = threading.Thread(target=read)
    reader.start()
    sent = full = 0
    while sent < len(body):
        # As a connection does: the same place again, though perhaps more of it.
        view = memoryview(body)[sent : sent + chance.choice((1_000, 70_000, 600_000))]
        if full:
            view = memoryview(body)[sent : sent + 600_000]
        try:
            sent += ends.server.send(view)
            full = 0
        except ssl.SSLWantWriteError:
            full += 1
            assert ends.server.unreported
            assert 0 <= ends.server.unreported_bytes <= 600_000
            done.wait(0.0005)
    reader.join(10)
    assert bytes(got) == body
    assert not ends.server.unreported


def test_a_full_socket_makes_windows_small(ends: Ends) -> None:
    with pytest.raises(ssl.SSLWantWriteError):
        ends.server.send(bytes(1_000_000))
    held = ends.server.unsent_bytes
    assert 0 < held <= 80 * 1024
    assert ends.server.unreported_bytes < 80 * 1024


def test_all_that_came_is_read_at_once(ends: Ends) -> None:
    pieces = [os.urandom(size) for size in (10, 20_000, 1, 30_000)]
    for piece in pieces:
        ends.client.sendall(piece)
    found = b""
    while len(found) < sum(map(len, pieces)):
        try:
            found += ends.server.recv(65536)
        except (ssl.SSLWantReadError, BlockingIOError):
            continue
    assert found == b"".join(pieces)
    with pytest.raises((ssl.SSLWantReadError, BlockingIOError)):
        ends.server.recv(65536)


def test_an_orderly_end_and_a_cut_are_both_an_end(ends: Ends) -> None:
    ends.server.unwrap()
    assert ends.client.recv(100) == b""
    ends.client.close()
    assert ends.server.recv(100) == b""


def test_a_client_that_does_not_speak_tls_fails(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert, issued.key)
    near, far = socket.socketpair()
    near.setblocking(False)
    server = TlsSocket(near, context, ssl.MemoryBIO())
    far.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        server.do_handshake()
    server.close()
    far.close()
