"""One request on a connection of its own: its answer is read to the end, and checked."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import ssl
from dataclasses import dataclass
from typing import cast

from headrace.lab.drill.client.secured import Secured
from headrace.lab.drill.records import Body, Outcome, Reached

_MOST_HEAD_BYTES = 16_384
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)


def request_bytes(host: str, path: str) -> bytes:
    """Return a request whose connection ends with its answer."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: headrace-drill\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    ).encode()


def outcome_of(error: OSError) -> Outcome:
    """Return what an error of a connection means."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if error.errno in _UNREACHABLE:
        return "unreachable"
    return "timeout" if isinstance(error, TimeoutError) else "reset"


class Reply:
    """An answer as it comes. Pure: fed with bytes, asked for the outcome at the end."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._head = bytearray()
        self._hash = hashlib.sha256()
        self._status = 0
        self.fields: dict[str, str] = {}
        self.received = 0

    @property
    def complete(self) -> bool:
        """Return whether all is there, or no more is wanted."""
        if not self._status:
            return len(self._head) > _MOST_HEAD_BYTES
        return self._status != 200 or self.received >= self._body.size

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        if not self._status:
            self._head += data
            head, end, rest = bytes(self._head).partition(b"\r\n\r\n")
            if not end:
                return
            self._read_head(head)
            data = rest
        self._hash.update(data)
        self.received += len(data)

    def _read_head(self, head: bytes) -> None:
        line, *fields = head.decode("latin-1").split("\r\n")
        words = line.split(" ", 2)
        known = len(words) > 1 and words[0].startswith("HTTP/") and words[1].isdecimal()
        self._status = int(words[1]) if known else 599
        for field in fields:
            name, _, value = field.partition(":")
            self.fields[name.strip().lower()] = value.strip()

    @property
    def begun(self) -> bool:
        """Return whether anything came."""
        return bool(self._status or self._head)

    @property
    def server(self) -> str:
        """Return the server that answered: the cache nearest to the client (RFC 9211)."""
        last = self.fields.get("cache-status", "").rpartition(",")[2]
        return last.partition(";")[0].strip().strip('"')[:64]

    def outcome(self) -> Outcome:
        """Return what came, now that the connection is over."""
        if not self._status:
            return "reset"
        if self._status != 200:
            return "status"
        if self.fields.get("content-length") != str(self._body.size):
            return "wrong"
        if self.received < self._body.size:
            # What has come of it can't be compared with a hash of the whole.
            return "short"
        return "ok" if self._hash.hexdigest() == self._body.sha256 else "wrong"


class Connection(asyncio.Protocol):
    """Sends the request once it is connected. `done` has the outcome."""

    def __init__(
        self,
        request: bytes,
        reply: Reply,
        done: asyncio.Future[Outcome],
        secured: Secured | None = None,
    ) -> None:
        self._request = request
        self._secured = secured
        self._reply = reply
        self._done = done
        self._transport: asyncio.Transport | None = None

    @property
    def reached(self) -> Reached:
        """Return how far it came."""
        if self._transport is None:
            return "connecting"
        return "answered" if self._reply.begun else "asked"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        # A uvloop's is one by what it can do, not by its class.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request if self._secured is None else self._secured.begin())

    def data_received(self, data: bytes) -> None:
        """Take what came, and end with the last of it."""
        if self._secured is not None:
            try:
                data, answer = self._secured.feed(data, self._request)
            except ssl.SSLError:
                self._finish("tls")
                return
            if answer and self._transport is not None:
                self._transport.write(answer)
        self._reply.feed(data)
        if self._reply.complete:
            self._finish(self._reply.outcome())

    def connection_lost(self, exc: Exception | None) -> None:
        """Say what it was: all of it, if it ended in order."""
        if isinstance(exc, OSError) and not self._reply.complete:
            self._finish(outcome_of(exc))
        self._finish(self._reply.outcome())

    def _finish(self, outcome: Outcome) -> None:
        if not self._done.done():
            self._done.set_result(outcome)
        self.abort()

    def abort(self) -> None:
        """Close it at once, if it is open."""
        if self._transport is not None:
            self._transport.abort()


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a request, which server says that it answered, and how far a bad one came."""

    outcome: Outcome
    server: str
    reached: Reached


async def attempt(
    host: str,
    port: int,
    request: bytes,
    body: Body,
    patience_s: float,
    secured: Secured | None = None,
) -> Came:
    """Return what came of one request."""
    loop = asyncio.get_running_loop()
    reply, done = Reply(body), loop.create_future()
    connection = Connection(request, reply, done, secured)
    try:
        async with asyncio.timeout(patience_s):
            await loop.create_connection(lambda: connection, host, port)
            outcome = await done
            return Came(outcome, reply.server, "" if outcome == "ok" else connection.reached)
    except OSError as error:  # TimeoutError among them
        return Came(outcome_of(error), "", connection.reached)
    finally:
        connection.abort()
