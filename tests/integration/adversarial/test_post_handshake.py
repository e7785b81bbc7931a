"""A client that sends TLS messages of every kind after the handshake, between others' requests.

What one connection's OpenSSL writes must go to that connection or nowhere, and what a client makes
OpenSSL do without sending data is bounded.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.http.server.tls_memory import TlsBroken
from headrace.http.server.tls_records import SILENT_RECORDS
from headrace.http.server.tls_ring import Ring, new_ring
from headrace.http.server.tls_socket import TlsSocket
from tests.harness.bodies import Body
from tests.harness.certificates import Authority
from tests.harness.edge import Edge, free_port, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.raw_tls import (
    ALERT,
    DATA,
    HANDSHAKE,
    NOT_REQUESTED,
    REQUESTED,
    RawTls,
    handshake_message,
    key_update,
)
from tests.harness.replies import cacheable
from tests.harness.wire import Client

BODY = Body(77, 200_000)
CLOSE_NOTIFY = b"\x01\x00"
USER_CANCELED = b"\x01\x5a"


# By itself: TLS sockets that share their outgoing memory, as in a worker.


@dataclass
class Shop:
    """Makes pairs of a server's TLS socket and a client, all with one outgoing memory."""

    context: ssl.SSLContext
    ca_file: Path
    shared: ssl.MemoryBIO
    ring: Ring | None

    @property
    def pending(self) -> int:
        """Bytes of one connection that would wait for another."""
        return self.shared.pending + (self.ring.pending if self.ring is not None else 0)

    def pair(self, *, buffer_bytes: int | None = None) -> tuple[TlsSocket, RawTls]:
        near, far = socket.socketpair()
        if buffer_bytes is not None:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
        near.settimeout(5)
        far.settimeout(5)
        found: list[RawTls] = []

        def shake() -> None:
            found.append(RawTls(far, name="localhost", ca_file=self.ca_file))

        thread = threading.Thread(target=shake)
        thread.start()
        server = TlsSocket(near, self.context, self.shared)
        shaken = False
        while not shaken:
            with contextlib.suppress(ssl.SSLWantReadError):
                server.do_handshake()
                shaken = True
        thread.join(5)
        near.setblocking(False)
        server.send_answers()
        if self.ring is not None:
            server._turn_to_ring(self.ring)
        return server, found[0]


@pytest.fixture(scope="module", params=["memory", "ring"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    authority = Authority(tmp_path_factory.mktemp("shop"))
    issued = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert, issued.key)
    ring = None
    if request.param == "ring":
        ring = new_ring()
        assert ring is not None
    return Shop(context, authority.ca_file, ssl.MemoryBIO(), ring)


def take_in(server: TlsSocket) -> bytes:
    """All that a server's socket has for its reader. Raises OSError."""
    found = b""
    while True:
        try:
            piece = server.recv(64 * 1024)
        except (BlockingIOError, ssl.SSLWantReadError):
            return found
        if not piece:
            return found
        found += piece


def send_some(server: TlsSocket, body: bytes) -> int:
    """What of `body` the socket takes now."""
    sent = 0
    with contextlib.suppress(ssl.SSLWantWriteError):
        while sent < len(body):
            sent += server.send(memoryview(body)[sent:])
    return sent


def drown(server: TlsSocket, client: RawTls, flood: Callable[[RawTls], bytes]) -> None:
    for _ in range(40):
        client.put(b"".join(flood(client) for _ in range(5)))
        take_in(server)


KEPT = ("update", "updates", "update_quietly", "data", "padded", "warning")
Step = tuple[str, bytes]


def records_of(client: RawTls, step: Step) -> bytes:
    """One step of a hostile client, as bytes for its socket."""
    kind, filler = step
    match kind:
        case "update":
            return client.update_key(REQUESTED)
        case "updates":  # OpenSSL writes its answer to one when it reads the next
            return b"".join(client.update_key(REQUESTED) for _ in range(3))
        case "update_quietly":
            return client.update_key(NOT_REQUESTED)
        case "update_garbage":
            return client.seal(HANDSHAKE, key_update(filler[0] if filler else 7))
        case "update_and_more":
            return client.seal(HANDSHAKE, key_update() + key_update())
        case "ticket":
            body = bytes(8) + b"\x01a" + len(filler).to_bytes(2, "big") + filler + b"\x00\x00"
            return client.seal(HANDSHAKE, handshake_message(4, body))
        case "finished":
            return client.seal(HANDSHAKE, handshake_message(20, bytes(48)))
        case "certificate_request":
            return client.seal(HANDSHAKE, handshake_message(13, b"\x00\x00\x00"))
        case "client_hello":
            return client.seal(HANDSHAKE, handshake_message(1, filler.ljust(60, b"\x03")))
        case "unknown_message":
            return client.seal(HANDSHAKE, handshake_message(99, filler))
        case "unknown_record":
            return client.seal(99, filler or b"x")
        case "empty_data":
            return client.seal(DATA, b"")
        case "empty_handshake":
            return client.seal(HANDSHAKE, b"")
        case "half_a_message":
            return client.seal(HANDSHAKE, key_update()[:4])
        case "data":
            return client.seal(DATA, filler or b"x")
        case "padded":
            return client.seal(DATA, filler or b"x", padding=4000)
        case "oversized":
            return client.seal(DATA, bytes(17_000))
        case "plain":
            return b"\x17\x03\x03" + len(filler).to_bytes(2, "big") + filler
        case "ccs":
            return b"\x14\x03\x03\x00\x01\x01"
        case "warning":
            return client.seal(ALERT, USER_CANCELED)
        case "close_notify":
            return client.seal(ALERT, CLOSE_NOTIFY)
        case _:
            return filler


KINDS = (
    "update", "updates", "update_quietly", "update_garbage", "update_and_more", "ticket",
    "finished", "certificate_request", "client_hello", "unknown_message", "unknown_record",
    "empty_data", "empty_handshake", "half_a_message", "data", "padded", "oversized", "plain",
    "ccs", "warning", "close_notify", "garbage",
)  # fmt: skip
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=60)), max_size=12)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS, st.lists(st.integers(1, 200), max_size=12))
def test_neighbours_get_exactly_their_bytes(shop: Shop, steps: list[Step], cuts: list[int]) -> None:
    hostile, attacker = shop.pair()
    neighbour, reader = shop.pair()
    with contextlib.closing(hostile), contextlib.closing(neighbour), attacker, reader:
        stream = b"".join(records_of(attacker, step) for step in steps)
        at = 0
        gone = False
        for number, cut in enumerate([*cuts, len(stream) or 1]):
            piece, at = stream[at : at + cut], at + cut
            with contextlib.suppress(BrokenPipeError):  # it said its end before
                attacker.put(piece)
            if not gone:
                try:
                    take_in(hostile)
                    assert not shop.pending
                    hostile.send(b"an answer")
                except (ssl.SSLWantWriteError, BlockingIOError):
                    pass
                except OSError:
                    gone = True
            assert not shop.pending
            told = b"for the neighbour alone %d" % number
            neighbour.send(told)
            assert reader.exactly(len(told)) == told


@pytest.mark.parametrize("request_update", [REQUESTED, NOT_REQUESTED])
def test_a_few_key_updates_are_honoured(shop: Shop, request_update: int) -> None:
    server, client = shop.pair()
    with contextlib.closing(server), client:
        for number in range(SILENT_RECORDS // 2):
            told = b"after %d" % number
            client.put(client.update_key(request_update) + client.seal(DATA, told))
            assert take_in(server) == told
            server.send(told)
            assert client.exactly(len(told)) == told
        assert client.key_updates == (SILENT_RECORDS // 2 if request_update else 0)


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(lambda client: client.update_key(REQUESTED), id="key-updates"),
        pytest.param(lambda client: client.update_key(NOT_REQUESTED), id="quiet-key-updates"),
        pytest.param(
            lambda client: client.update_key(REQUESTED) + client.seal(DATA, b"x"),
            id="key-updates-with-data",
        ),
        pytest.param(lambda client: client.seal(ALERT, USER_CANCELED), id="warnings"),
        pytest.param(lambda client: client.seal(DATA, b""), id="empty-records"),
    ],
)
def test_a_flood_of_records_without_data_ends_the_connection(
    shop: Shop, flood: Callable[[RawTls], bytes]
) -> None:
    server, client = shop.pair()
    with contextlib.closing(server), client:
        with pytest.raises((TlsBroken, ssl.SSLError)):
            drown(server, client, flood)
        assert not shop.pending


def test_many_small_records_of_data_are_no_flood(shop: Shop) -> None:
    server, client = shop.pair()
    with contextlib.closing(server), client:
        client.put(b"".join(client.seal(DATA, b"%4d" % number) for number in range(1000)))
        assert take_in(server) == b"".join(b"%4d" % number for number in range(1000))


def test_half_a_message_does_not_make_the_sender_wait_in_a_circle(shop: Shop) -> None:
    server, client = shop.pair()
    with contextlib.closing(server), client:
        client.put(client.seal(HANDSHAKE, key_update()[:4]))
        assert take_in(server) == b""
        with pytest.raises(TlsBroken, match="unfinished_message"):
            server.send(b"an answer")
        assert not shop.pending


def test_answers_that_are_never_read_are_kept_in_their_order(shop: Shop) -> None:
    server, client = shop.pair(buffer_bytes=40 * 1024)
    with contextlib.closing(server), client:
        body = bytes(range(256)) * 1000
        sent = send_some(server, body)
        assert sent < len(body)
        client.put(client.update_key(REQUESTED) + client.seal(DATA, b"more"))
        assert take_in(server) == b"more"
        assert not shop.pending
        got = b""
        while len(got) < len(body):
            got += client.data()
            sent += send_some(server, body[sent:])
        assert got == body
        assert client.key_updates == 1


def test_a_failure_inside_openssl_leaves_nothing_to_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = shop.pair()
    neighbour, reader = shop.pair()
    with contextlib.closing(server), contextlib.closing(neighbour), client, reader:
        real = server._tls

        class Failing:
            def write(self, data: bytes) -> int:
                real.write(data[:3])
                raise MemoryError

        monkeypatch.setattr(server, "_tls", Failing())
        with pytest.raises(TlsBroken):
            server.send(b"a body")
        assert not shop.pending
        neighbour.send(b"hello")
        assert reader.exactly(5) == b"hello"


# The same before a running edge.


@dataclass(frozen=True, slots=True)
class Secure:
    edge: Edge
    port: int
    authority: Authority

    def attacker(self) -> RawTls:
        return RawTls.connect(
            ("127.0.0.1", self.port), name="one.test", ca_file=self.authority.ca_file
        )

    def neighbour(self) -> Client:
        return Client(
            ("127.0.0.1", self.port), tls=self.authority.client_context(), server_name="one.test",
            host="one.test",
        )  # fmt: skip


@pytest.fixture(scope="module")
def secure(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    directory = tmp_path_factory.mktemp("post-handshake")
    authority = Authority(directory / "authority")
    pair = authority.issue("one.test")
    port = free_port()
    overrides: dict[str, object] = {
        "workers": 1,
        "listen": [{"address": f"127.0.0.1:{port}", "tls": True}],
        "certificate": [{"cert": pair.cert, "key": pair.key}],
    }
    with running_edge(origin.url, directory, overrides) as edge:
        yield Secure(edge, port, authority)


def request_for(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: one.test\r\n\r\n".encode()


@pytest.mark.parametrize("kind", KINDS)
def test_others_are_served_whatever_one_client_sends(
    secure: Secure, origin: Origin, path: str, kind: str
) -> None:
    origin.serve(path, cacheable(BODY))
    with secure.neighbour() as neighbour, secure.attacker() as attacker:
        assert neighbour.get(path).body == BODY.read()
        half = request_for(path)[:10]
        # No answer follows at once that could take along what OpenSSL has written by itself.
        attacker.put(records_of(attacker, (kind, b"filler")) + attacker.seal(DATA, half))
        for _ in range(3):
            assert neighbour.get(path).body == BODY.read()
            with secure.neighbour() as another:
                assert another.get(path).body == BODY.read()
        if kind in KEPT:
            rest = request_for(path)[10:]
            attacker.put(attacker.seal(DATA, rest))
            assert attacker.data()


def test_a_key_update_in_the_middle_of_a_download_is_answered(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    with secure.neighbour() as neighbour:
        assert [neighbour.get(path).hit for _ in range(2)] == [False, True]
    with secure.attacker() as client:
        client.put(client.seal(DATA, request_for(path)))
        head = client.data()
        client.put(client.update_key(REQUESTED) + client.seal(DATA, request_for(path)))
        size = len(head.partition(b"\r\n\r\n")[0]) + 4 + len(BODY)
        rest = client.exactly(2 * size - len(head))
        assert (head + rest).count(b"HTTP/1.1 200") == 2
        assert client.key_updates == 1


def test_a_client_that_has_said_its_end_gets_its_answer_and_ours(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    for _ in range(3):
        with secure.attacker() as client:
            client.put(client.seal(DATA, request_for(path)) + client.seal(ALERT, CLOSE_NOTIFY))
            assert client.data().startswith(b"HTTP/1.1 200")
            assert client.ended()  # before a time limit


def test_a_flood_of_key_updates_is_counted_and_cut(
    secure: Secure, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    with secure.attacker() as attacker:
        with contextlib.suppress(ConnectionError):
            for _ in range(50):
                attacker.put(b"".join(attacker.update_key() for _ in range(100)))
        assert attacker.ended()
    eventually(
        lambda: (
            secure.edge.metric(
                "headrace_tls_handshake_failures_total", reason="records_without_data"
            )
            >= 1
        ),
        "the flood is counted",
    )
    with secure.neighbour() as neighbour:
        assert neighbour.get(path).body == b"x"
