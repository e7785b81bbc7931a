"""Who may hold a connection of the admin API, and for how long.

The admin API is open to whoever reaches its address, before any token is seen. So connections are
bounded, and one for which nothing is being done has a few seconds to bring a whole request: that
covers the silent, the half-sent, the idle, and those who do not read their answer. When all places
are taken, the one that has waited longest goes: a stranger cannot keep an operator out. While a
request is carried out a connection is left alone, unless its reader takes nothing for as long.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from headrace.node.admin.problem_responses import Handler, problem_response

CONNECTIONS = 64
FIRST_REQUEST_S = 10.0
NEXT_REQUEST_S = 30.0
BODY_S = 10.0
LINE_BYTES = 8190
FIELDS = 64

log = structlog.get_logger("headrace.admin")


class Places:
    """The connections of one admin API, those that wait in the order in which they began to."""

    def __init__(self, limit: int = CONNECTIONS) -> None:
        self.limit = limit
        self.refused = 0
        self._busy: set[HeldConnection] = set()
        self._waiting: dict[HeldConnection, None] = {}

    def __len__(self) -> int:
        return len(self._busy) + len(self._waiting)

    def take(self, connection: HeldConnection) -> None:
        """Give a place, at the cost of whoever waits longest; with all busy, of the newcomer."""
        if len(self) >= self.limit:
            self.refused += 1
            longest = next(iter(self._waiting), connection)
            self._waiting.pop(longest, None)
            longest.cut()
            if longest is connection:
                return
        self._waiting[connection] = None

    def is_busy(self, connection: HeldConnection) -> bool:
        """Return whether a request of this connection is being carried out."""
        return connection in self._busy

    def busy(self, connection: HeldConnection) -> None:
        """Note that a request of this connection is being carried out."""
        if connection in self._waiting:
            del self._waiting[connection]
            self._busy.add(connection)

    def waits(self, connection: HeldConnection) -> None:
        """Note that this connection waits for its client, from now on."""
        if connection in self._busy:
            self._busy.discard(connection)
            self._waiting[connection] = None

    def free(self, connection: HeldConnection) -> None:
        """Take back its place."""
        self._busy.discard(connection)
        self._waiting.pop(connection, None)


class HeldConnection(web.RequestHandler):
    """A connection of the admin API with its place and its time limit."""

    __slots__ = ("_limit", "_places")

    def __init__(
        self, manager: web.Server, loop: asyncio.AbstractEventLoop, places: Places
    ) -> None:
        super().__init__(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=NEXT_REQUEST_S,
            lingering_time=1.0,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            max_headers=FIELDS,
            auto_decompress=False,  # the guard refuses Content-Encoding: it comes before the token
        )
        self._places = places
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, and give the first request its time."""
        super().connection_made(transport)
        self._within(FIRST_REQUEST_S)
        self._places.take(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        self._unlimited()
        self._places.free(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give a client that does not read its answer a limited time."""
        super().pause_writing()
        if self._places.is_busy(self):
            self._within(NEXT_REQUEST_S)

    def resume_writing(self) -> None:
        """Take the limit away: the client reads again."""
        super().resume_writing()
        if self._places.is_busy(self):
            self._unlimited()

    def works(self) -> None:
        """Note that a whole request head is here and is being carried out."""
        self._unlimited()
        self._places.busy(self)

    def worked(self) -> None:
        """Note that the answer is ready: it is to be read and the next request to come in time."""
        self._within(NEXT_REQUEST_S)
        self._places.waits(self)

    def cut(self) -> None:
        """End it now."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or what failed unforeseen, with a problem."""
        if status >= 500:
            log.error("admin_request_failed", path=request.path, exc_info=exc)
            detail = "the log of the edge says why"
        else:
            detail = "this is not a request in HTTP/1.1 within the admin API's limits"
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        answer = problem_response(status, detail)
        answer.force_close()
        return answer

    def _within(self, seconds: float) -> None:
        self._unlimited()
        self._limit = asyncio.get_running_loop().call_later(seconds, self.cut)

    def _unlimited(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


@web.middleware
async def held(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell a connection when it is being worked for. The outermost middleware."""
    connection: Any = request.protocol
    if not isinstance(connection, HeldConnection):
        return await handler(request)
    connection.works()
    try:
        return await handler(request)
    finally:
        connection.worked()


@web.middleware
async def whole_body(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have the body come in time. Behind the token: nothing of a stranger's body is kept."""
    if request.can_read_body:
        try:
            async with asyncio.timeout(BODY_S):
                await request.read()
        except TimeoutError:
            answer = problem_response(408, f"the body did not come within {BODY_S:.0f} s")
            answer.force_close()
            return answer
        except RequestPayloadError:
            answer = problem_response(400, "the body is not framed as HTTP/1.1 has it")
            answer.force_close()
            return answer
    return await handler(request)
