"""Runs the origin client on a loop of its own, so that tests read as one question and an answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from headrace.http.message import Field, Headers
from headrace.http.parser import ParsedResponseHead
from headrace.upstream.client import OriginClient, OriginTimeouts, RequestBody
from headrace.upstream.endpoint import Endpoint
from headrace.upstream.response import OriginResponse
from headrace.upstream.sockets import SocketNetwork
from tests.harness.origin import Origin

T = TypeVar("T")

QUICK = OriginTimeouts(connect_s=2.0, first_byte_s=0.3, between_bytes_s=0.3, idle_s=30.0)
PATIENT = OriginTimeouts(connect_s=2.0, first_byte_s=10.0, between_bytes_s=10.0, idle_s=30.0)


@dataclass(slots=True)
class Answer:
    """A response read to its end."""

    status: int
    headers: Headers
    body: bytes
    trailers: list[Field]
    interim: list[ParsedResponseHead] = field(default_factory=list)


class Asker:
    """An origin client and where it asks."""

    def __init__(self, client: OriginClient, endpoint: Endpoint) -> None:
        self.client = client
        self.endpoint = endpoint

    async def open(
        self,
        path: str,
        method: str = "GET",
        fields: list[Field] | None = None,
        body: RequestBody | None = None,
        interim: list[ParsedResponseHead] | None = None,
    ) -> OriginResponse:
        """Send a request and read the head of its answer."""
        host = (b"host", self.endpoint.authority)
        return await self.client.request(
            self.endpoint,
            method.encode(),
            path.encode(),
            [host, *(fields or [])],
            body=body,
            on_interim=None if interim is None else interim.append,
        )

    async def get(
        self,
        path: str,
        method: str = "GET",
        fields: list[Field] | None = None,
        body: RequestBody | None = None,
    ) -> Answer:
        """One whole exchange."""
        interim: list[ParsedResponseHead] = []
        response = await self.open(path, method, fields, body, interim)
        data = await read_all(response)
        return Answer(response.status, response.head.headers, data, response.trailers, interim)


async def read_all(response: OriginResponse) -> bytes:
    """The rest of the body."""
    buffer = memoryview(bytearray(64 * 1024))
    whole = bytearray()
    while received := await response.read_into(buffer):
        whole += buffer[:received]
    return bytes(whole)


def asking(
    origin: Origin,
    conversation: Callable[[Asker], Awaitable[T]],
    *,
    timeouts: OriginTimeouts = PATIENT,
    tls: ssl.SSLContext | None = None,
    prefix: str = "",
) -> T:
    """Run a conversation with the origin; the client is closed after it."""

    async def run() -> T:
        loop = asyncio.get_running_loop()
        client = OriginClient(loop, SocketNetwork(loop), timeouts)
        try:
            return await conversation(Asker(client, Endpoint.from_url(origin.url + prefix, tls)))
        finally:
            client.close()

    return asyncio.run(run())


def pieces(*parts: bytes) -> Callable[[], Awaitable[bytes]]:
    """A request body's reader that gives these parts, then its end."""
    left = list(parts)

    async def read() -> bytes:
        return left.pop(0) if left else b""

    return read
