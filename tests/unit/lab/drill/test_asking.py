"""A drill's client against servers of this process: what it notes of each request."""

from __future__ import annotations

import asyncio
import hashlib
import time

from headrace.lab.drill.client.asking import Client
from headrace.lab.drill.records import Body, Orders, Record, Target

SMALL, LONG = b"small", b"long" * 5000


def body(path: str, data: bytes) -> Body:
    return Body(path, len(data), hashlib.sha256(data).hexdigest())


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request; /cut ends early, /wrong with another byte."""
    try:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        data = LONG if path == b"/long" else SMALL
        sent = {b"/wrong": b"smell", b"/cut": b"sm"}.get(path, data)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + sent)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def seen_by(small: Body, *, closed: bool = False, lasts_s: float = 0.3) -> Record:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if closed:
        server.close()
        await server.wait_closed()
    now_s = time.monotonic()
    target = Target("127.0.0.1", port, 0.02)
    orders = Orders(
        now_s,
        now_s + lasts_s,
        "h.test",
        small,
        body("/long", LONG),
        0.5,
        targets=[target],
        downloads=[target],
        download_s=0.05,
    )
    record = await Client(orders).run()
    server.close()
    return record


def outcomes(record: Record) -> set[str]:
    return {one.outcome for one in record.attempts}


def test_the_right_bytes() -> None:
    record = asyncio.run(seen_by(body("/small", SMALL)))

    assert outcomes(record) == {"ok"}
    assert all(one.began_s >= one.planned_s for one in record.attempts)
    assert {one.outcome for one in record.downloads} == {"ok"}


def test_wrong_bytes_and_bodies_that_end_early() -> None:
    assert outcomes(asyncio.run(seen_by(body("/wrong", SMALL)))) == {"wrong"}
    assert outcomes(asyncio.run(seen_by(body("/cut", SMALL)))) == {"short"}


def test_nobody_listens() -> None:
    record = asyncio.run(seen_by(body("/small", SMALL), closed=True))

    assert outcomes(record) == {"refused"}
    assert {one.outcome for one in record.downloads} == {"refused"}
