"""Carries out the tries that a plan asks for: one request to a pool, whichever origin answers it.

What to try next is decided by `retry`, which origin by `pool`; connections are `client`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

from headrace.http.message import Field
from headrace.http.methods import GET_OR_HEAD, IDEMPOTENT
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.client import OriginClient, RequestBody
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.failover_body import FailoverResponse
from headrace.upstream.head_reader import OnInterim
from headrace.upstream.head_start import HeadStart
from headrace.upstream.hedging import PeerAsking, Race
from headrace.upstream.network import Stream
from headrace.upstream.pool import Place
from headrace.upstream.pool_request import Events, PoolRequest, place_for, word
from headrace.upstream.request_fields import PreparedFields, fields_for
from headrace.upstream.response import OriginResponse
from headrace.upstream.retry import (
    Attempts,
    FailureOrStatus,
    Stop,
    Try,
    is_failed_status,
)
from headrace.upstream.sources import NoServerHelps, Sources, SourcesThenPool
from headrace.upstream.target import Target


class Fetcher:
    """Requests to pools, for one worker."""

    def __init__(
        self,
        client: OriginClient,
        loop: asyncio.AbstractEventLoop,
        events: Events,
        *,
        unix_time: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """`chance` returns a number from 0 up to 1."""
        self.client = client
        self._loop = loop
        self._events = events
        self._unix_time = unix_time
        self._chance = chance

    async def request(
        self,
        target: Target,
        method: bytes,
        fields: list[Field],
        *,
        body: RequestBody | None = None,
        on_interim: OnInterim | None = None,
        hashing: bool = False,
        attempt_log: AttemptLog | None = None,
        again: bool = False,
        start: HeadStart | None = None,
    ) -> FailoverResponse:
        """Send a request until an origin answers it. `fields` begin with Host (empty: the
        origin's own name), and include framing. What is tried is noted in `attempt_log`. `start`
        is the first try of this very request, which `begin` has sent with this log.

        When every try failed, a response that an origin did give is returned, whatever its status:
        it says more than an error of ours. Raises OriginError, NoServerHelps.
        """
        request_target = target.request_target

        started = start

        async def ask(index: int, wanted: list[Field]) -> OriginResponse:
            nonlocal started
            origin = target.state.pool.origins[index]
            begun, started = started, None
            prepared: list[Field] = []
            if begun is None or not begun.head:
                prepared = fields_for(origin, method, request_target, wanted, self._unix_time())
            return await self.client.request(
                origin.endpoint, method, request_target, prepared, body=body,
                on_interim=on_interim, start=begun,
            )  # fmt: skip

        attempt_log = AttemptLog() if attempt_log is None else attempt_log
        if start is None:
            _note_target(attempt_log, target)
            attempts = Attempts(
                target.state, target.retry, target.key,
                repeatable=method in IDEMPOTENT and body is None,
                began=self._loop.time(), chance=self._chance, again=again,
            )  # fmt: skip
        else:
            attempts = start.attempts
        request = PoolRequest(attempts, method, fields, ask, self._events, self._loop, attempt_log)
        if target.sources is not None and method in GET_OR_HEAD and body is None:
            return await self._by_sources(
                target, target.sources, request, hashing=hashing, on_interim=on_interim
            )
        return await self._try_in_turn(request, hashing=hashing, start=start)

    def begin(
        self, target: Target, fields: PreparedFields, address: bytes, attempt_log: AttemptLog
    ) -> HeadStart:
        """Send a GET to the first origin to ask, as `request` does, if a connection to it is at
        hand, for a client of this address. Nothing is awaited. Raises NotSigned.

        Whoever gets it ends it, or has `request` take it up, with the same target and fields.
        """
        _note_target(attempt_log, target)
        now = self._loop.time()
        attempts = Attempts(
            target.state, target.retry, target.key, repeatable=True, began=now, chance=self._chance
        )
        step = attempts.first(now)
        place: Place | None = None
        stream: Stream | None = None
        idle = self.client.idle
        head = b""
        if isinstance(step, Try):
            origin = target.state.pool.origins[step.origin]
            head = fields.head_for(origin, target.request_target, self._unix_time(), address)
            place = place_for(attempts, step.origin, self._events, attempt_log)
            stream = idle.take(origin.endpoint)
        start = HeadStart(
            attempts, step, place, stream, head, idle, self._events, attempt_log, self._loop.time
        )
        if stream is not None:
            start.unsent = head
            # A connection that breaks here is found to be stale by who takes this up.
            with contextlib.suppress(OSError):
                start.unsent = head[stream.send_now(head) :]
        return start

    async def _by_sources(
        self,
        target: Target,
        sources: Sources,
        of_pool: PoolRequest,
        *,
        hashing: bool,
        on_interim: OnInterim | None,
    ) -> FailoverResponse:
        """Ask servers of the network, and the pool behind them by its own rules."""
        state = SourcesThenPool(sources, target.state)
        first = state.next_peer(self._loop.time())

        async def ask_pool() -> FailoverResponse:
            if not sources.pool_follows:
                raise NoServerHelps("no server of the network has an answer")
            return await self._try_in_turn(of_pool, hashing=hashing)

        if first is None:
            return await ask_pool()
        asking = PeerAsking(self.client, self._loop, self._unix_time, sources, of_pool, on_interim)
        request = replace(
            of_pool,
            attempts=Attempts(
                state, target.retry, target.key, repeatable=True,
                began=self._loop.time(), chance=self._chance,
            ),
            ask=asking.ask,
            attempt_log=replace(of_pool.attempt_log),  # with the same trail
        )  # fmt: skip
        race = Race(sources, state, request, asking.spoken, ask_pool)
        try:
            won = await race.run(first)
        finally:
            of_pool.attempt_log.tries += request.attempt_log.tries
        if isinstance(won, FailoverResponse):
            return won
        index, response = won
        request.attempt_log = of_pool.attempt_log
        request.attempt_log.pool, request.attempt_log.server = state.group_of(index), True
        request.attempt_log.origin = request.origin_name(index)
        return FailoverResponse(request, index, response, switching=True, hashing=hashing)

    async def _try_in_turn(
        self, request: PoolRequest, *, hashing: bool, start: HeadStart | None = None
    ) -> FailoverResponse:
        attempts = request.attempts
        if start is None:
            step = attempts.first(self._loop.time())
        else:
            step = start.step
            request.started, start.place = start.place, None
        held: tuple[int, OriginResponse] | None = None
        error: OriginError | None = None
        try:
            while isinstance(step, Try):
                reason: FailureOrStatus
                try:
                    response = await request.send(step, request.fields)
                except OriginError as problem:
                    reason, error = problem.failure, _more_telling(error, problem)
                    request.blame(step.origin, reason, str(problem))
                else:
                    reason = response.status
                    if not self._is_failure(attempts, step.origin, reason):
                        origin = attempts.state.pool.origins[step.origin]
                        return FailoverResponse(
                            request, step.origin, response,
                            switching=origin.switching, hashing=hashing,
                        )  # fmt: skip
                    request.blame(step.origin, reason, f"answered {reason}")
                    held = _better(held, (step.origin, response))
                following = attempts.after(step.origin, reason, self._loop.time())
                if isinstance(following, Try):
                    self._events.retried(word(reason))
                step = following
            if held is not None:
                index, response = held
                held = None
                return FailoverResponse(request, index, response, switching=False, hashing=hashing)
        finally:
            if held is not None:
                held[1].close()
        raise self._all_failed(request, error, step)

    @staticmethod
    def _is_failure(attempts: Attempts, origin: int, status: int) -> bool:
        if attempts.retry.covers(status):
            return True
        switching = attempts.state.pool.origins[origin].switching
        return switching and is_failed_status(status)

    @staticmethod
    def _all_failed(request: PoolRequest, error: OriginError | None, stop: Stop) -> OriginError:
        if error is None:
            if stop is Stop.BUDGET:
                return OriginError(Failure.NO_RETRY, "the pool's retry budget is spent")
            return OriginError(
                Failure.NO_ORIGIN,
                "every origin has as many requests as it may",
                request.attempt_log.summary(),
            )
        if len(request.attempt_log.trail) == 1:
            return error
        message = f"{error}; {stop.value}; tried {request.attempt_log.summary()}"
        return OriginError(error.failure, message, request.attempt_log.summary())


def _note_target(attempt_log: AttemptLog, target: Target) -> None:
    attempt_log.pool = target.state.pool.name
    attempt_log.client_network = target.client_network
    attempt_log.service = target.service
    attempt_log.path = target.request_target.partition(b"?")[0].decode("latin-1")


def _better(
    held: tuple[int, OriginResponse] | None, found: tuple[int, OriginResponse]
) -> tuple[int, OriginResponse]:
    """Return the one of two failed responses that says more, 4xx before 5xx; close the other."""
    if held is None:
        return found
    worse, better = (held, found) if found[1].status < held[1].status else (found, held)
    worse[1].close()
    return better


_TELLING = (
    Failure.BAD_HEAD, Failure.HEAD_RESET, Failure.SEND, Failure.HEAD_TIMEOUT, Failure.TLS,
    Failure.CONNECT_TIMEOUT, Failure.CONNECT_REFUSED, Failure.DNS,
)  # fmt: skip


def _more_telling(one: OriginError | None, other: OriginError) -> OriginError:
    """Return the one of two failures that came further."""
    if one is None:
        return other

    def rank(error: OriginError) -> int:
        return _TELLING.index(error.failure) if error.failure in _TELLING else len(_TELLING)

    return one if rank(one) <= rank(other) else other
