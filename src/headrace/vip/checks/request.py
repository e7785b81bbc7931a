"""One request to a VIP over a connection that begins at the VIP itself: where the address is not
bound there is none, and no neighbour that has it can answer.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from headrace.telemetry.own_requests import CHECK_AGENT
from headrace.vip.checks.judged import Answered, Check
from headrace.vip.plan.model import Address

LARGEST_BYTES = 64 * 1024
MOST_FIELDS = 128


class BadAnswer(Exception):
    """What came is no answer that can be read."""


class _Reader(asyncio.StreamReader):
    """Counts what has come."""

    came_bytes = 0

    def feed_data(self, data: Any) -> None:
        """Take what has come."""
        self.came_bytes += len(data)
        super().feed_data(data)


class CheckConnection:
    """A connection to a VIP, or to another server's own address, for one request after the other.

    `kept` says whether it can be used again. What came before it was asked for is no answer: an
    edge that hangs by now could have sent any number of them.
    """

    def __init__(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self.kept = True
        self._reader = reader
        self._writer = writer
        self._taken_bytes = 0

    @classmethod
    async def open(
        cls, address: Address, check: Check, context: ssl.SSLContext | None, *, here: bool
    ) -> CheckConnection:
        """Connect; `here`: from the address itself. Raises OSError (ssl.SSLError is one)."""
        host = str(address)
        loop = asyncio.get_running_loop()
        reader = _Reader(LARGEST_BYTES, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _protocol = await loop.create_connection(
            lambda: protocol,
            host,
            check.port,
            ssl=context if check.secure else None,
            server_hostname=check.host if check.secure else None,
            local_addr=(host, 0) if here else None,
        )
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    @property
    def is_open(self) -> bool:
        """Whether the other side has said nothing, of an end or else, since it was asked last."""
        return not (
            self._unasked or not self.kept or self._reader.at_eof() or self._writer.is_closing()
        )

    @property
    def _unasked(self) -> bool:
        return self._reader.came_bytes > self._taken_bytes

    async def ask(self, check: Check) -> Answered:
        """Ask once. Raises BadAnswer, OSError."""
        self.kept = False
        self._writer.write(request_of(check))
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            answer, length, close = read_head(head)
            body = await self._reader.readexactly(length)
            self._taken_bytes += len(head) + length
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise ConnectionResetError("the connection was closed") from None
            raise BadAnswer("the answer ends too early") from None
        except asyncio.LimitOverrunError:
            raise BadAnswer("the head of the answer is too long") from None
        if self._unasked:
            raise BadAnswer("more came than the answer")
        self.kept = not close
        return Answered(answer.status, body, answer.cache_status)

    def close(self) -> None:
        """Close it at once."""
        self.kept = False
        self._writer.transport.abort()


def request_of(check: Check) -> bytes:
    """Return the request."""
    return (
        f"GET {check.path} HTTP/1.1\r\nHost: {check.host}\r\nUser-Agent: {CHECK_AGENT}\r\n"
        "Accept: */*\r\n\r\n"
    ).encode()


def read_head(head: bytes) -> tuple[Answered, int, bool]:
    """Return an answer without its body, the body's length, and whether the connection ends.

    Raises BadAnswer.
    """
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise BadAnswer("it is not HTTP")
    if len(lines) > MOST_FIELDS:
        raise BadAnswer("the answer has too many fields")
    fields: dict[str, str] = {}
    for line in lines:
        name, _colon, value = line.partition(":")
        name = name.strip().lower()
        fields[name] = f"{fields[name]}, {value.strip()}" if name in fields else value.strip()
    text = fields.get("content-length", "")
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > LARGEST_BYTES:
        raise BadAnswer(f"the body is not one of at most {LARGEST_BYTES // 1024} KiB")
    close = words[0] != "HTTP/1.1" or "close" in fields.get("connection", "").lower()
    return Answered(int(words[1]), b"", fields.get("cache-status", "")), int(text), close
