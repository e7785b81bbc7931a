"""A response as the edge sees it: one head, one body, from however many origins it takes.

When an origin fails in the middle of the body, another one is asked for the rest, from the very
byte where the first broke off; whoever reads notices nothing but the time it takes.
"""

from __future__ import annotations

import asyncio

from headrace.http.message import Field
from headrace.http.parser import ParsedResponseHead
from headrace.http.validators import CONDITIONS
from headrace.upstream.continuation import (
    Begun,
    Comparison,
    Continuation,
    Sent,
    accept,
    continuation,
)
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.pool_request import PoolRequest
from headrace.upstream.response import OriginResponse
from headrace.upstream.resumption import Resumption, Wait
from headrace.upstream.retry import FailureOrStatus, Try
from headrace.upstream.throughput import RateWatch

SKIP_BYTES = 256 * 1024
CONDITIONAL = CONDITIONS | {b"range"}


class Answered(OriginError):
    """An origin that was to continue answered with a status that has no part of the body."""

    def __init__(self, status: int) -> None:
        super().__init__(Failure.OTHER_BODY, f"answered {status}")
        self.answered = status


class FailoverResponse:
    """A response head, and its body to the very end. Reads like an `OriginResponse`."""

    def __init__(
        self,
        request: PoolRequest,
        origin: int,
        response: OriginResponse,
        *,
        switching: bool,
        hashing: bool = False,
    ) -> None:
        """With `hashing`, `digest` is the hash of what was read."""
        self.head: ParsedResponseHead = response.head
        self.switches = 0
        self._request = request
        self._origin = origin
        self._by_server = request.attempts.state.is_server(origin)
        self._response: OriginResponse | None = response
        self._before_bytes = 0
        self._server_bytes = 0
        self._last: OriginResponse = response
        pool = request.attempts.state.pool
        begun = Begun.of(response.head) if switching and request.method == b"GET" else None
        self._begun = begun
        keep = pool.overlap_bytes if pool.same == "overlap" else 1
        continues = begun is not None and len(pool.origins) > 1
        self._sent = Sent(keep) if continues or hashing else None
        self._since_switch = 0
        self._watch: RateWatch | None = None
        self._plan: Resumption | None = None
        self._limit(response)
        if response.complete:
            self._done()

    def _limit(self, response: OriginResponse) -> None:
        retry = self._request.attempts.retry
        stall_s = retry.stall_s if retry.stall_s is not None else response.timeout_s
        response.timeout_s = min(response.timeout_s, stall_s)
        if retry.min_rate_bytes_per_s:
            self._watch = RateWatch(retry.min_rate_bytes_per_s, stall_s)

    @property
    def origin_name(self) -> str:
        """Return the origin that sends now, or sent last."""
        return self._request.origin_name(self._origin)

    @property
    def by_server(self) -> bool:
        """Return whether its head came from another server of the network."""
        return self._by_server

    @property
    def read_bytes(self) -> int:
        """Return how much of the body was read; needs `hashing`."""
        return 0 if self._sent is None else self._sent.size_bytes

    @property
    def digest(self) -> int:
        """Return XXH3 of what was read; needs `hashing`."""
        return 0 if self._sent is None else self._sent.digest()

    @property
    def status(self) -> int:
        """The status of the first response."""
        return self.head.status

    @property
    def complete(self) -> bool:
        """Whether the body has been read to its end."""
        return self._last.complete

    @property
    def received_bytes(self) -> int:
        """How much of the body has come."""
        return self._before_bytes + self._last.received_bytes

    @property
    def server_bytes(self) -> int:
        """How much of that came from other servers of the network."""
        by_server = self._request.attempts.state.is_server(self._origin)
        return self._server_bytes + (self._last.received_bytes if by_server else 0)

    @property
    def trailers(self) -> list[Field]:
        """The trailer fields, once the body is complete."""
        return self._last.trailers

    async def read_into(self, buffer: memoryview) -> int:
        """Put the next body bytes into `buffer`; 0 at the body's end.

        Raises OriginError when no origin can continue it.
        """
        while True:
            response = self._response
            if response is None:
                return 0
            if self.switches:
                buffer = self._within(buffer)
                if not buffer:
                    self.close()  # it continues beyond what was asked for
                    return 0
            try:
                received = await self._read(response, buffer)
                if not received:
                    self._check_end()
            except OriginError as error:
                await self._switch(error)
                continue
            if received:
                self._since_switch += received
                if self._sent is not None:
                    self._sent.add(buffer[:received])
            if response.complete:
                self._done()
            return received

    async def _read(self, response: OriginResponse, buffer: memoryview) -> int:
        watch = self._watch
        if watch is None:
            return await response.read_into(buffer)
        loop = self._request.loop
        began = loop.time()
        received = await response.read_into(buffer)
        if received and watch.too_slow(loop.time() - began, received) and not response.complete:
            response.close()
            raise OriginError(Failure.BODY_SLOW, "the body came too slowly")
        return received

    def _within(self, buffer: memoryview) -> memoryview:
        """Return as much of the buffer as the body that was begun has room for."""
        missing = self._missing()
        return buffer if missing is None else buffer[:missing]

    def _check_end(self) -> None:
        """Raise OriginError for a body that ends where it may not: it broke off."""
        missing = self._missing()
        if missing is not None and missing > 0:
            raise OriginError(Failure.BODY_SHORT, f"the body ended {missing} bytes early")

    def _missing(self) -> int | None:
        """Return how many bytes are still to come, where that is known."""
        if self._begun is None or self._sent is None:
            return None
        return self._begun.missing(self._sent.size_bytes)

    def _done(self) -> None:
        """Note that the body is here whole."""
        if self._response is not None:
            if self.head.status < 500:
                now = self._request.loop.time()
                self._request.attempts.state.succeeded(self._origin, now)
            self._response = None

    def close(self) -> None:
        """Give the response up. Idempotent."""
        if self._response is not None:
            self._response.close()
            self._response = None

    async def sent(self) -> None:
        """Wait for the request's body to be with the origin."""
        await self._last.sent()

    # Continuing from another origin.

    async def _switch(self, error: OriginError) -> None:
        """Find an origin that continues where this one failed. Raises `error` if there is none.

        A body that broke off behind its last byte is whole.
        """
        request, begun, sent = self._request, self._begun, self._sent
        self.close()
        request.blame(self._origin, error.failure, str(error))
        missing = self._missing()
        if missing == 0:
            return
        if missing is not None and missing < 0:
            raise error  # longer than it said: there is no byte from which another could continue
        state = request.attempts.state
        if begun is None or sent is None or not state.pool.origins[self._origin].switching:
            raise error
        at = begun.start + sent.size_bytes
        plan = self._plan
        if plan is None:
            attempts = request.attempts
            plan = self._plan = Resumption(
                state, attempts.retry, attempts.key, attempts.chance, attempts.tried
            )
        step = plan.broke(self._origin, self._since_switch, request.loop.time())
        while True:
            if isinstance(step, Wait):
                await asyncio.sleep(step.pause_s)
                step = plan.again(request.loop.time())
                continue
            if not isinstance(step, Try):
                summary = request.attempt_log.summary()
                request.events.switch_failed(request.attempt_log, error.failure.value, at)
                raise OriginError(error.failure, f"{error}; {step.value}; tried {summary}", summary)
            try:
                response = await self._continued(step, begun, sent)
            except OriginError as problem:
                reason: FailureOrStatus = problem.failure
                if isinstance(problem, Answered):
                    reason = problem.answered
                request.blame(step.origin, reason, str(problem))
                step = plan.failed(step.origin, reason, request.loop.time())
                continue
            break
        self._before_bytes += self._last.received_bytes
        if request.attempts.state.is_server(self._origin):
            self._server_bytes += self._last.received_bytes
        self._response = self._last = response
        self._begun = begun.ends_as(response.head)
        self._origin = step.origin
        self._since_switch = 0
        self.switches += 1
        request.attempt_log.switches += 1
        self._limit(response)
        request.events.switched(request.attempt_log, error.failure.value, at)
        if response.complete:
            self._done()

    async def _continued(self, step: Try, begun: Begun, sent: Sent) -> OriginResponse:
        """Return a response that continues at the right byte. Raises OriginError."""
        pool = self._request.attempts.state.pool
        ranged = begun.comparable(pool.same) and (begun.start + sent.size_bytes) > 0
        asked = continuation(begun, sent.size_bytes, pool.same, pool.overlap_bytes, ranged=ranged)
        response = await self._ask(step, asked)
        try:
            found = accept(begun, sent.size_bytes, pool.same, asked, response.head)
            if found == "not_proved_the_same":
                # The whole, whose beginning can be compared, proves more than a nameless part.
                response.close()
                now = self._request.loop.time()
                self._request.attempts.state.pay(step.origin, now, 0.0, free=True)
                asked = continuation(begun, sent.size_bytes, pool.same, 0, ranged=False)
                response = await self._ask(Try(step.origin, limit_s=step.limit_s), asked)
                found = accept(begun, sent.size_bytes, pool.same, asked, response.head)
            if isinstance(found, str):
                if response.status not in (200, 206):
                    raise Answered(response.status)
                raise OriginError(Failure.OTHER_BODY, f"cannot continue from here: {found}")
            await self._skip(response, Comparison(found, sent))
        except BaseException:
            response.close()
            raise
        return response

    async def _ask(self, step: Try, asked: Continuation) -> OriginResponse:
        request = self._request
        fields = [field for field in request.fields if field[0] not in CONDITIONAL]
        return await request.send(step, fields + list(asked.fields))

    async def _skip(self, response: OriginResponse, comparison: Comparison) -> None:
        buffer = memoryview(bytearray(min(SKIP_BYTES, max(comparison.left, 1))))
        while comparison.left:
            received = await response.read_into(buffer[: comparison.left])
            if not received:
                raise OriginError(Failure.OTHER_BODY, "the body ends before the place to continue")
            comparison.take(buffer[:received])
        if not comparison.same():
            raise OriginError(Failure.OTHER_BODY, "what was sent already is different here")
