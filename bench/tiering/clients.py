"""Asks a trace's requests of real edges, over kept connections, and compares each body."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bench.tiering.origin import body_of
from bench.tiering.trace import Request, path_of

AT_ONCE = 8


@dataclass(slots=True)
class Seen:
    """What came back. `hits` are answers from the store of the server that was asked."""

    requests: int = 0
    hits: int = 0
    wrong: list[str] = field(default_factory=list)


async def ask_all(
    requests: Iterator[Request],
    places: Mapping[str, tuple[str, int]],
    host: str,
    body_bytes: int,
) -> Seen:
    """Ask until there are no more requests, a few at a time, in order."""
    seen = Seen()

    async def work() -> None:
        connections: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
        for request in requests:
            if request.server not in connections:
                connections[request.server] = await asyncio.open_connection(*places[request.server])
            reader, writer = connections[request.server]
            writer.write(f"GET {path_of(request.number)} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
            body = await reader.readexactly(length)
            seen.requests += 1
            own = head.lower().rpartition(b"cache-status: ")[2].split(b"\r\n", 1)[0]
            seen.hits += b"; hit" in own.rpartition(b",")[2]
            if not head.startswith(b"HTTP/1.1 200 ") or body != body_of(request.number, body_bytes):
                seen.wrong.append(f"{request}: {head[:60]!r}")
        for _reader, writer in connections.values():
            writer.close()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return seen


async def count_at(port: int) -> int:
    """Return how many objects an origin was asked for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /count HTTP/1.1\r\nHost: o\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n", 1)[0])
    found = int(await reader.readexactly(length))
    writer.close()
    return found
