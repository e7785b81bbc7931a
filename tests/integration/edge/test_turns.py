"""Many requests in one go on one connection: others have their turn, and memory stays small."""

from __future__ import annotations

import asyncio
import socket
import threading

from headrace.http.parser import BadRequest
from headrace.http.server.acceptor import Listener, Server
from headrace.http.server.connection import TURN_REQUESTS
from headrace.http.server.exchange import Exchange
from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
REQUEST = b"GET /%d HTTP/1.1\r\nHost: x.test\r\n\r\n"


class Clerk:
    """A handler that answers everything at once, and counts what it answers in each turn."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.this_turn = self.most_in_a_turn = 0

    def handle(self, exchange: Exchange) -> None:
        assert exchange.head is not None
        self.asked.append(exchange.head.target)
        self.this_turn += 1
        self.most_in_a_turn = max(self.most_in_a_turn, self.this_turn)
        exchange.respond(200, HEAD, memoryview(b"x"))

    def refused(self, exchange: Exchange, error: BadRequest) -> None:
        raise AssertionError(error)

    def finished(self, exchange: Exchange, ended: str) -> None: ...

    def event(self, kind: str, reason: str) -> None: ...

    def connections_changed(self, opened: int, closed: int) -> None: ...


async def play(clerk: Clerk, sent: bytes, expected: int, *, then_ends: bool) -> bytes:
    """Send it all in one go to a server; gives what came back."""
    loop = asyncio.get_running_loop()
    server = Server(clerk, loop)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    server.listen(Listener(sock, "test", None))

    def turn() -> None:
        clerk.this_turn = 0
        if not done.is_set():
            loop.call_soon(turn)

    done = asyncio.Event()
    loop.call_soon(turn)
    try:
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(sent)
        if then_ends:
            writer.write_eof()
        found = await asyncio.wait_for(reader.readexactly(expected * (len(HEAD) + 1)), 20)
        writer.close()
    finally:
        done.set()
        server.close()
    return found


def test_pipelined_requests_are_answered_in_turns_and_in_order() -> None:
    clerk = Clerk()
    sent = b"".join(REQUEST % number for number in range(1500))
    asyncio.run(play(clerk, sent, 1500, then_ends=False))
    assert clerk.asked == [b"/%d" % number for number in range(1500)]
    assert clerk.most_in_a_turn <= TURN_REQUESTS


def test_what_was_asked_before_the_client_stopped_sending_is_answered() -> None:
    clerk = Clerk()
    sent = b"".join(REQUEST % number for number in range(100))
    # The last answer says that the connection closes.
    asyncio.run(play(clerk, sent, 99, then_ends=True))
    assert len(clerk.asked) == 100


def test_half_a_request_at_the_end_of_many_is_no_reason_to_wait() -> None:
    clerk = Clerk()
    sent = b"".join(REQUEST % number for number in range(100)) + b"GET /half"
    asyncio.run(play(clerk, sent, 100, then_ends=True))
    assert len(clerk.asked) == 100


def test_requests_that_wait_for_the_origin_are_not_taken_in_without_end(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, Reply(headers=(("Cache-Control", "no-store"),), body=b"x", delay_s=0.02))
    request = f"GET {path} HTTP/1.1\r\nHost: x.test\r\nX: {'x' * 4000}\r\n\r\n".encode()
    sent = 0
    with edge.client() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        stop = threading.Event()

        def push() -> None:
            nonlocal sent
            while not stop.is_set() and sent < 64 * 1024 * 1024:
                try:
                    sent += client.sock.send(request[sent % len(request) :])
                except OSError:
                    return

        pusher = threading.Thread(target=push)
        pusher.start()
        answered = 0
        for _ in range(150):
            assert client.response().status == 200
            answered += 1
        stop.set()
        assert sent - answered * len(request) < 8 * 1024 * 1024
        client.reset()
        pusher.join(10)


def test_a_long_body_is_whole_though_others_have_their_turn_between(
    edge: Edge, origin: Origin, path: str
) -> None:
    body = bytes(range(256)) * 100_000
    origin.serve(path, cacheable(body))
    for _ in range(2):
        assert edge.get(path).body == body
