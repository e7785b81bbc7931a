"""Nothing that an origin left on a connection is ever taken for the answer to another request.

The origin here is as bad as one can be: it takes the content of requests for further requests,
sends bodies where none may be, and more than it announced, at once or later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.http.message import Field
from headrace.upstream.client import OriginClient, OriginTimeouts, RequestBody
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.errors import OriginError
from headrace.upstream.sockets import SocketNetwork
from tests.integration.upstream.asking import pieces, read_all

FOREIGN = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nFOREIGN"
TIMEOUTS = OriginTimeouts(connect_s=2.0, first_byte_s=2.0, between_bytes_s=2.0, idle_s=30.0)


@dataclass(frozen=True)
class Manner:
    """How the origin answers: `{}` in `head` and `body` is the path that was asked for.

    `late` comes a moment after the rest, but before the next request may be on its way.
    """

    name: str
    head: str
    body: str = ""
    late: bytes = b""
    method: str = "GET"
    sent: bytes | None = None  # the request's content
    chunked: bool = False

    def answer(self, path: str) -> bytes:
        body = self.body.format(path)
        return (self.head.format(len(body)) + "\r\n" + body).encode()


OK = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n"
SMUGGLED = b"GET /foreign HTTP/1.1\r\nHost: a\r\n\r\n"
MANNERS = [
    Manner("sound", OK, "{}"),
    Manner("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "1\r\n/\r\n0\r\n\r\n"),
    Manner("more than announced", OK, "{}", FOREIGN),
    Manner("more than chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
           "0\r\n\r\n" + FOREIGN.decode()),
    Manner("body of 204", "HTTP/1.1 204 No\r\nContent-Length: 60\r\n", "", FOREIGN),
    Manner("chunked 204", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n", "", FOREIGN),
    Manner("body of 304", "HTTP/1.1 304 Same\r\nContent-Length: 60\r\n", "", FOREIGN),
    Manner("chunked 304", "HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n", "", FOREIGN),
    Manner("body of 205", "HTTP/1.1 205 No\r\n", "", FOREIGN),
    Manner("body for HEAD", OK, "", FOREIGN, method="HEAD"),
    Manner("long body for HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n", "", FOREIGN,
           method="HEAD"),
    Manner("interim after the end", OK, "{}", b"HTTP/1.1 100 Continue\r\n\r\n" + FOREIGN),
    Manner("content ignored", OK, "{}", method="POST", sent=SMUGGLED),
    Manner("chunks ignored", OK, "{}", method="PUT", sent=b"x\r\n\r\n" + SMUGGLED, chunked=True),
    Manner("upgrade", "HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n", "", FOREIGN),
    Manner("closing", OK + "Connection: close\r\n", "{}", FOREIGN),
    Manner("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n", "{}", FOREIGN),
]  # fmt: skip
ANNOUNCED_LATER = {"more than announced", "interim after the end", "body for HEAD"}
BY_NAME = {manner.name: manner for manner in MANNERS}


class BadOrigin:
    """Reads heads and nothing else, and answers each in the manner that its path names."""

    def __init__(self) -> None:
        self.port = 0
        self.heads = 0
        self.late_s = 0.0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = _path_of(head)
                if path is None:
                    continue
                self.heads += 1
                manner = BY_NAME["sound"]
                if path != "/foreign":
                    manner = MANNERS[int(path.split("/")[1])]
                writer.write(FOREIGN if path == "/foreign" else manner.answer(path))
                if manner.late:
                    await writer.drain()
                    await asyncio.sleep(self.late_s)
                    writer.write(manner.late)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def _path_of(head: bytes) -> str | None:
    for line in head.decode("latin-1").split("\r\n"):
        words = line.split(" ")
        if len(words) == 3 and words[2].startswith("HTTP/"):
            return words[1]
    return None


def conversation(talk: Callable[[OriginClient, Endpoint, BadOrigin], Awaitable[None]]) -> None:
    async def run() -> None:
        origin = BadOrigin()
        server = await asyncio.start_server(origin.connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        client = OriginClient(loop, SocketNetwork(loop), TIMEOUTS)
        try:
            await talk(client, Endpoint.from_url(f"http://127.0.0.1:{port}", None), origin)
        finally:
            client.close()
            server.close()

    asyncio.run(run())


async def ask(client: OriginClient, endpoint: Endpoint, number: int, step: int) -> bytes | None:
    manner = MANNERS[number]
    fields: list[Field] = [(b"host", b"a")]
    body = None
    if manner.sent is not None:
        if manner.chunked:
            fields.append((b"transfer-encoding", b"chunked"))
        else:
            fields.append((b"content-length", b"%d" % len(manner.sent)))
        body = RequestBody(pieces(manner.sent), None if manner.chunked else len(manner.sent))
    target = f"/{number}/{step}".encode()
    try:
        response = await client.request(endpoint, manner.method.encode(), target, fields, body=body)
        return await read_all(response)
    except OriginError:
        return None


@settings(max_examples=120, deadline=None)
@given(st.lists(st.integers(0, len(MANNERS) - 1), min_size=1, max_size=8))
def test_every_answer_is_the_one_to_its_own_request(numbers: list[int]) -> None:
    async def talk(client: OriginClient, endpoint: Endpoint, _origin: BadOrigin) -> None:
        for step, number in enumerate(numbers):
            found = await ask(client, endpoint, number, step)
            assert found is None or b"FOREIGN" not in found
            if "{}" in MANNERS[number].body:
                assert found == f"/{number}/{step}".encode()
            await asyncio.sleep(0.002)  # what comes unasked is here before the next request

    conversation(talk)


@pytest.mark.parametrize(
    "manner", [m for m in MANNERS if m.name not in ANNOUNCED_LATER], ids=lambda m: m.name
)
def test_what_comes_later_is_no_answer_where_it_could_be_foreseen(manner: Manner) -> None:
    async def talk(client: OriginClient, endpoint: Endpoint, origin: BadOrigin) -> None:
        origin.late_s = 0.05
        number = MANNERS.index(manner)
        for step in range(3):
            await ask(client, endpoint, number, step)
            assert await ask(client, endpoint, 0, step) == f"/0/{step}".encode()

    conversation(talk)


def test_a_sound_origin_is_asked_on_one_connection() -> None:
    async def talk(client: OriginClient, endpoint: Endpoint, _origin: BadOrigin) -> None:
        for step in range(3):
            assert await ask(client, endpoint, 0, step) is not None
            assert len(client.idle) == 1

    conversation(talk)


@pytest.mark.parametrize("name", ["content ignored", "chunks ignored", "long body for HEAD"])
def test_such_a_connection_is_never_kept(name: str) -> None:
    async def talk(client: OriginClient, endpoint: Endpoint, _origin: BadOrigin) -> None:
        await ask(client, endpoint, MANNERS.index(BY_NAME[name]), 0)
        assert len(client.idle) == 0

    conversation(talk)
