"""Asking for signed documents: whatever answers, it costs a bounded time and memory, and only who
knows the secret is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from headrace.node.network.signed import answer_value, asked_nonce, digest_of
from headrace.node.network.signed_client import NoAnswer, SignedClient

SECRETS = (b"s" * 32,)
TARGET = "/v1/view?after=0,0"
MOST_BYTES = 100_000
Answer = Callable[[bytes], bytes]


def signed(head: bytes, body: bytes, secrets: tuple[bytes, ...] = SECRETS) -> bytes:
    """Return an answer that is signed for the question in `head`."""
    field = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"headrace-ask:"))
    nonce = asked_nonce(SECRETS, TARGET.encode(), field.partition(b":")[2].strip())
    assert nonce is not None
    value = answer_value(secrets, TARGET.encode(), nonce, digest_of(body))
    return (
        b"HTTP/1.1 200 OK\r\nHeadrace-Answer: %b\r\nContent-Length: %d\r\n\r\n" % (value, len(body))
        + body
    )


async def asked(answer: Answer, within_s: float = 5.0) -> bytes | None:
    """Return what a client makes of an answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
            await writer.drain()
            await reader.read(1)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = SignedClient.open(MOST_BYTES)
    try:
        return await client.ask(f"http://127.0.0.1:{port}", TARGET, SECRETS, within_s)
    finally:
        await client.close()
        server.close()


def test_a_signed_answer_is_taken() -> None:
    assert asyncio.run(asked(lambda head: signed(head, b"a view"))) == b"a view"


def test_nothing_new_is_none() -> None:
    assert asyncio.run(asked(lambda _head: b"HTTP/1.1 204 No Content\r\n\r\n")) is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda head: signed(head, b"a view", (b"x" * 32,)), "signature"),
        (lambda head: signed(head, b"a view").replace(b"a view", b"a v1ew"), "signature"),
        (lambda _head: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "signature"),
        (lambda head: signed(head, b"x" * (MOST_BYTES + 1)), "too_large"),
        (lambda _head: b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "status"),
        (lambda _head: b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "secret"),
        (lambda _head: b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "status"),
        (lambda _head: b"\x16\x03\x01 garbage\r\n\r\n", "unreachable"),
        (lambda _head: b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000, "unreachable"),
        (lambda _head: b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000, "unreachable"),
        (
            lambda head: signed(head, b"a view").replace(
                b"Content-Length: 6", b"Content-Length: 9"
            ),
            "timeout",
        ),
        (lambda _head: b"", "timeout"),
    ],
)
def test_everything_else_is_refused_by_its_kind(answer: Answer, kind: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        asyncio.run(asked(answer, 1.0 if kind == "timeout" else 5.0))
    assert caught.value.kind == kind


def test_where_nobody_listens_the_question_is_refused() -> None:
    async def ask() -> None:
        client = SignedClient.open(MOST_BYTES)
        try:
            await client.ask("http://127.0.0.1:1", TARGET, SECRETS, 5.0)
        finally:
            await client.close()

    with pytest.raises(NoAnswer, match=r"^http://127.0.0.1:1: Connection refused$") as caught:
        asyncio.run(ask())
    assert caught.value.kind == "refused"
