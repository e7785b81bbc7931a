"""Memory that OpenSSL writes to: what comes out, how much fits, and when there is none."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import socket
import ssl
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.http.server import tls_ring, tls_socket
from headrace.http.server.tls_memory import TlsBroken
from headrace.http.server.tls_native import serving
from headrace.http.server.tls_ring import MOST_HEAD_BYTES, RING_BYTES, Ring, new_ring
from headrace.http.server.tls_socket import RING_WINDOW_BYTES, WINDOW_BYTES, TlsSocket
from tests.harness.certificates import Authority


class Reader:
    """A client in memory that takes what comes."""

    def __init__(self, sock: socket.socket, tls: ssl.SSLObject, incoming: ssl.MemoryBIO) -> None:
        self._sock, self._tls, self._incoming = sock, tls, incoming

    def take(self) -> bytes:
        """What has come, decrypted."""
        found = b""
        with contextlib.suppress(BlockingIOError):
            while received := self._sock.recv(1 << 20):
                self._incoming.write(received)
        with contextlib.suppress(ssl.SSLWantReadError):
            while piece := self._tls.read(1 << 20):
                found += piece
        return found


class Shop:
    """Makes connections that share a ring."""

    def __init__(self, directory: Path, suite: str | None = None) -> None:
        pair = Authority(directory).issue("localhost")
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.load_cert_chain(pair.cert, pair.key)
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client.check_hostname = False
        self._client.verify_mode = ssl.CERT_NONE
        if suite is not None:
            self._client.maximum_version = ssl.TLSVersion.TLSv1_2
            self._client.set_ciphers(suite)
            self._server.set_ciphers(suite)
        ring = new_ring()
        assert ring is not None
        self.ring = ring
        self.shared = ssl.MemoryBIO()
        self._open: list[socket.socket] = []

    def ask_for_short_records(self) -> None:
        """Have clients ask for records of 512 bytes (max_fragment_length, RFC 6066)."""
        import _ssl

        ask = ctypes.PyDLL(_ssl.__file__).SSL_CTX_set_tlsext_max_fragment_length
        ask.argtypes = (ctypes.c_void_p, ctypes.c_uint8)
        at = id(self._client) + object.__basicsize__
        assert ask(ctypes.c_void_p.from_address(at), 1) == 1

    def pair(self, *, attached: bool = False) -> tuple[TlsSocket, Reader]:
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self._open += [theirs]
        server = TlsSocket(ours, self._server, self.shared, self.ring)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._client.wrap_bio(incoming, outgoing)
        left = [tls.do_handshake, server.do_handshake]
        while left:
            for shake in tuple(left):
                with contextlib.suppress(ssl.SSLWantReadError):
                    shake()
                    left.remove(shake)
                    server.send_answers()
                if outgoing.pending:
                    theirs.send(outgoing.read())
                with contextlib.suppress(BlockingIOError):
                    incoming.write(theirs.recv(65536))
        server.send_answers()
        if attached:
            server._turn_to_ring(self.ring)
        return server, Reader(theirs, tls, incoming)

    def close(self) -> None:
        for sock in self._open:
            sock.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with contextlib.closing(Shop(tmp_path)) as made:
        yield made


def carried(server: TlsSocket, reader: Reader, data: bytes, head: bytes = b"") -> bytes:
    """Send all of it as a connection does, reading meanwhile."""
    whole = memoryview(head + data)
    found = b""
    sent = 0
    while sent < len(whole):
        with contextlib.suppress(ssl.SSLWantWriteError):
            if sent < len(head):
                sent += server.send(memoryview(data), head[sent:])
            else:
                sent += server.send(whole[sent:])
        found += reader.take()
    return found + reader.take()


def test_a_connection_turns_to_the_ring_with_its_first_large_window(shop: Shop) -> None:
    server, reader = shop.pair()
    assert carried(server, reader, b"small") == b"small"
    assert not shop.ring.is_attached(server._tls)
    middle = os.urandom(RING_WINDOW_BYTES - 1)
    assert carried(server, reader, middle) == middle
    assert not shop.ring.is_attached(server._tls)
    body = os.urandom(3 * WINDOW_BYTES)
    assert carried(server, reader, body, b"head") == b"head" + body
    assert shop.ring.is_attached(server._tls)
    assert carried(server, reader, b"small again") == b"small again"
    assert not shop.ring.pending
    assert not shop.shared.pending
    server.close()


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 700_000)), max_size=6))
def test_connections_that_share_a_ring_get_their_own_bytes(
    shop: Shop, steps: list[tuple[int, int]]
) -> None:
    pairs = [shop.pair(attached=number != 0) for number in range(3)]
    for number, size in steps:
        body = os.urandom(size)
        assert carried(*pairs[number], body) == body
        assert not shop.ring.pending
    for server, _reader in pairs:
        server.close()


def test_a_long_head_goes_out_in_windows(shop: Shop) -> None:
    server, reader = shop.pair()
    head, body = os.urandom(3 * MOST_HEAD_BYTES), os.urandom(2 * WINDOW_BYTES)
    assert carried(server, reader, body) == body  # the window has grown
    assert carried(server, reader, body, head) == head + body
    server.close()


# What adds most to each record, in the suites that an operator may allow.
@pytest.mark.parametrize("short_records", [False, True])
@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA384"])
def test_the_largest_window_fits_with_the_largest_head(
    tmp_path: Path, suite: str, short_records: bool
) -> None:
    with contextlib.closing(Shop(tmp_path, suite)) as shop:
        if short_records:
            shop.ask_for_short_records()
        server, reader = shop.pair()
        body, head = os.urandom(2 * WINDOW_BYTES), os.urandom(MOST_HEAD_BYTES)
        assert carried(server, reader, body) == body
        assert carried(server, reader, body, head) == head + body
        server.close()


def test_what_does_not_fit_ends_the_connection_and_is_left_to_nobody(shop: Shop) -> None:
    server, reader = shop.pair()
    neighbour, other = shop.pair(attached=True)
    server._window = 4 * RING_BYTES
    with pytest.raises(TlsBroken):
        server.send(bytes(2 * RING_BYTES))
    assert not shop.ring.pending
    assert carried(neighbour, other, b"hello") == b"hello"
    server.close()
    neighbour.close()
    assert not reader.take().strip(b"\0")


def test_a_connection_that_dies_leaves_the_ring_to_others(shop: Shop) -> None:
    neighbour, other = shop.pair(attached=True)
    for _ in range(20):
        server, _reader = shop.pair(attached=True)
        with contextlib.suppress(ssl.SSLWantWriteError):
            server.send(os.urandom(WINDOW_BYTES))
        sock = server._sock
        assert isinstance(sock, socket.socket)
        freed = weakref.ref(sock)  # OpenSSL's object takes no such references
        server.close()
        del server, sock
        gc.collect()
        assert freed() is None
        body = os.urandom(WINDOW_BYTES)
        assert carried(neighbour, other, body) == body
    neighbour.close()


def test_a_ring_is_read_where_it_lies_and_again_from_its_beginning() -> None:
    ring = new_ring()
    assert ring is not None
    library = tls_ring._library()
    assert library is not None
    library.BIO_write.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    begins = set()
    for size in (1, 17, 70_000, RING_BYTES, 3):
        written = os.urandom(size)
        assert library.BIO_write(ring._near, written, size) == size
        assert ring.pending == size
        view = ring.read()
        begins.add(ctypes.addressof(ctypes.c_char.from_address(ring._begin.value or 0)))
        assert view == written
        assert view.readonly
        assert not ring.pending
        assert not len(ring.read())
    assert len(begins) == 1


@pytest.mark.parametrize("broken", ["layout", "library", "nothing comes out"])
def test_there_is_no_ring_where_things_are_not_as_known(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    match broken:
        case "layout":
            monkeypatch.setattr(tls_ring, "_is_as_known", lambda *_: False)
        case "library":
            monkeypatch.setattr(tls_ring, "_library", lambda: None)
        case _:
            monkeypatch.setattr(Ring, "attach", lambda *_: None)
    assert new_ring() is None


def test_another_layout_is_known_without_following_a_pointer() -> None:
    contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2)]
    tls = serving(contexts[0], ssl.MemoryBIO(), ssl.MemoryBIO())
    assert tls_ring._is_as_known(tls, contexts[0])
    assert not tls_ring._is_as_known(tls, contexts[1])
    ours, theirs = socket.socketpair()
    with (
        theirs,
        contexts[0].wrap_socket(
            ours, server_side=True, do_handshake_on_connect=False
        ) as over_a_socket,
    ):
        native = over_a_socket._sslobj  # type: ignore[attr-defined]
        assert not tls_ring._is_as_known(native, contexts[0])


def test_another_openssl_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "OPENSSL_VERSION_NUMBER", 1)
    tls_ring._library.cache_clear()
    try:
        assert new_ring() is None
    finally:
        monkeypatch.undo()
        tls_ring._library.cache_clear()
    assert new_ring() is not None


class Stingy(socket.socket):
    """A socket that leaves one byte of each window."""

    def send(self, data: bytes | memoryview, flags: int = 0, /) -> int:  # type: ignore[override]
        return super().send(data[:-1] if len(data) > MOST_HEAD_BYTES else data, flags)


def test_a_window_that_was_nearly_taken_whole_does_not_grow_beyond_the_largest(
    tmp_path: Path,
) -> None:
    with contextlib.closing(Shop(tmp_path, "ECDHE-ECDSA-AES256-SHA384")) as shop:
        server, reader = shop.pair()
        own = server._sock
        server._sock = stingy = Stingy(own.family, own.type, own.proto, own.detach())
        stingy.setblocking(False)
        server._window = WINDOW_BYTES
        body, head = os.urandom(WINDOW_BYTES * 2), os.urandom(MOST_HEAD_BYTES)
        with contextlib.closing(stingy):
            for _ in range(3):
                assert carried(server, reader, body, head) == head + body
                assert server._window <= WINDOW_BYTES


def test_want_of_memory_ends_one_connection_and_leaves_nothing_to_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(self: Ring, size_bytes: int = RING_BYTES) -> memoryview:
        raise MemoryError

    server, _reader = shop.pair(attached=True)
    neighbour, other = shop.pair(attached=True)
    with monkeypatch.context() as patch:
        patch.setattr(Ring, "read", failing)
        with pytest.raises(TlsBroken, match="no_memory"):
            server.send(b"for this one alone")
    assert not shop.ring.pending
    assert carried(neighbour, other, b"hello") == b"hello"
    server.close()
    neighbour.close()


def test_want_of_memory_for_the_rest_of_a_window_ends_the_connection(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_data: object) -> bytes:
        raise MemoryError

    server, _reader = shop.pair(attached=True)
    server._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with monkeypatch.context() as patch:
        patch.setattr(tls_socket, "bytes", failing, raising=False)
        with pytest.raises(TlsBroken, match="no_memory"):
            server.send(os.urandom(WINDOW_BYTES))
    server.close()
