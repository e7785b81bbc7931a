"""One request to servers of the network, in order, and the pool behind them: whoever is first.

The next is asked when one has failed, or has been silent for too long while its answer may still
come (a hedge). The first good head wins; who loses is cancelled, which closes its connection and
gives its place back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headrace.errors import HeadraceError, release_frames
from headrace.http.message import Field
from headrace.http.parser import ParsedResponseHead
from headrace.upstream.client import OriginClient
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.failover_body import FailoverResponse
from headrace.upstream.head_reader import OnInterim
from headrace.upstream.pool_request import PoolRequest
from headrace.upstream.response import OriginResponse
from headrace.upstream.retry import Try, is_failed_status
from headrace.upstream.sources import Sources, SourcesThenPool, cannot_help

PROCESSING = 102
"""What a server says at once that has to ask others for the answer (RFC 2518 section 10.1)."""
NOT_BELIEVED = ": it does not believe who asks, its log says why (peer_refused)"


class PeerAsking:
    """Carries out tries of one request, to servers and to the pool's origins.

    `spoken` has the numbers of those that have said anything.
    """

    def __init__(
        self,
        client: OriginClient,
        loop: asyncio.AbstractEventLoop,
        unix_time: Callable[[], float],
        sources: Sources,
        of_pool: PoolRequest,
        on_interim: OnInterim | None,
    ) -> None:
        self.spoken: set[int] = set()
        self._client = client
        self._loop = loop
        self._unix_time = unix_time
        self._sources = sources
        self._of_pool = of_pool
        self._on_interim = on_interim

    async def ask(self, index: int, wanted: list[Field]) -> OriginResponse:
        """Return a response. Raises OriginError."""
        sources, method = self._sources, self._of_pool.method
        if index >= len(sources.peers):
            return await self._of_pool.ask(index - len(sources.peers), wanted)
        prepared = sources.fields_for(method, wanted, self._unix_time())
        answer_s = sources.rules.answer_s
        try:
            async with asyncio.timeout(answer_s) as limit:

                def interim(head: ParsedResponseHead) -> None:
                    self.spoken.add(index)
                    if not limit.expired():
                        limit.reschedule(None)
                    if head.status != PROCESSING and self._on_interim is not None:
                        self._on_interim(head)

                return await self._client.request(
                    sources.peers[index].origin.endpoint, method, sources.request_target, prepared,
                    on_interim=interim, timeouts=sources.rules.timeouts,
                )  # fmt: skip
        except TimeoutError:
            raise OriginError(
                Failure.HEAD_TIMEOUT, f"the server said nothing within {answer_s:g} s"
            ) from None


Won = tuple[int, OriginResponse] | FailoverResponse


@dataclass(slots=True)
class _Entrant:
    """One that was asked. `index` None: the pool. `hedge_at` is when it has been silent for too
    long.
    """

    index: int | None
    task: asyncio.Task[OriginResponse] | asyncio.Task[FailoverResponse]
    hedge_at: float
    slow: bool = False


class Race:
    """Who is asked for one request, and whose answer is taken."""

    def __init__(
        self,
        sources: Sources,
        state: SourcesThenPool,
        request: PoolRequest,
        spoken: set[int],
        ask_pool: Callable[[], Awaitable[FailoverResponse]],
    ) -> None:
        """`request` is to the servers, `ask_pool` carries out the one to the pool."""
        self._sources = sources
        self._state = state
        self._request = request
        self._spoken = spoken
        self._ask_pool = ask_pool
        self._loop = request.loop
        self._running: list[_Entrant] = []
        self._pool_begun = False
        self._held: FailoverResponse | None = None
        self._error: OriginError | None = None

    async def run(self, first: int) -> Won:
        """Return the answer, and which server's it is if not the pool's. Raises OriginError, and
        what asking the pool raises.
        """
        self._sources.hedging.request(self._loop.time())
        try:
            self._begin(first)
            while self._running:
                newest = self._running[-1]
                await asyncio.wait(
                    {entrant.task for entrant in self._running},
                    timeout=self._patience_s(newest),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                won = self._take_ended()
                if won is not None:
                    return won
                if newest not in self._running or self._is_slow(newest):
                    self._begin_next()
            if self._held is not None:
                held, self._held = self._held, None
                return held
            assert self._error is not None  # the pool comes last, and brought nothing
            raise self._error
        finally:
            for entrant in self._running:
                entrant.task.add_done_callback(_close)
                entrant.task.cancel()
            if self._held is not None:
                self._held.close()
            self._error = None  # whoever catches it cuts its frames, of which this is one

    def _begin(self, index: int) -> None:
        task = self._loop.create_task(self._request.send(Try(index), self._request.fields))
        hedge_at = self._loop.time() + self._sources.rules.first_byte_s
        self._running.append(_Entrant(index, task, hedge_at))

    def _begin_next(self) -> None:
        if self._pool_begun:
            return
        index = self._state.next_peer(self._loop.time())
        if index is not None:
            self._begin(index)
            return
        self._pool_begun = True

        async def ask() -> FailoverResponse:
            return await self._ask_pool()

        self._running.append(_Entrant(None, self._loop.create_task(ask()), 0.0))

    def _patience_s(self, newest: _Entrant) -> float | None:
        if newest.index is None or newest.index in self._spoken:
            return None
        return max(0.0, newest.hedge_at - self._loop.time())

    def _is_slow(self, newest: _Entrant) -> bool:
        """Return whether the next is to be asked too, and note how slow this one is."""
        now, index = self._loop.time(), newest.index
        if index is None or index in self._spoken or now < newest.hedge_at:
            return False
        request = self._request
        if not newest.slow:
            newest.slow = True
            if self._state.failed(index, now, None):
                request.events.ejected(request.attempt_log, request.origin_name(index))
        ejected = not self._state.states[index].health.usable(now)
        # To ask past one that is left alone anyway costs the others nothing that they are spared.
        if not ejected and not self._sources.hedging.take(now):
            newest.hedge_at = now + self._sources.rules.first_byte_s
            return False
        request.events.hedged(request.attempt_log, request.origin_name(index))
        return True

    def _take_ended(self) -> Won | None:
        """Return an answer that can be taken; note what else has ended."""
        for entrant in [entrant for entrant in self._running if entrant.task.done()]:
            self._running.remove(entrant)
            try:
                response = entrant.task.result()
            except OriginError as error:
                release_frames(error)  # they lead to the task, which keeps it
                self._note_error(entrant.index, error)
                continue
            if isinstance(response, FailoverResponse):
                if not is_failed_status(response.status):
                    return response
                self._held = response  # a server that is still running may have better
                continue
            assert entrant.index is not None
            if not cannot_help(response.status):
                return entrant.index, response
            self._refused(entrant.index, response)
        return None

    def _note_error(self, index: int | None, error: OriginError) -> None:
        """Note how a server, or the pool (None), failed."""
        if index is None:
            self._error = error
            return
        self._request.attempts.tried.add(index)
        self._request.blame(index, error.failure, str(error))

    def _refused(self, index: int, response: OriginResponse) -> None:
        """Note that a server is alive, but has no answer: nor have the others there."""
        response.close()
        self._request.attempts.tried.add(index)
        problem = f"answered {response.status}"
        if response.status == 421:
            problem += NOT_BELIEVED
        self._request.blame(index, response.status, problem)
        self._state.pass_over(self._sources.peers[index].site)


def _close(ended: asyncio.Task[OriginResponse] | asyncio.Task[FailoverResponse]) -> None:
    """Close what a loser brought after all.

    What ended it is kept by the task, with frames that lead to the task again, by way of their
    time limit: a ring that would keep the request's files open until the collector comes round.
    Only `result` takes it out of the task whole.
    """
    try:
        ended.result().close()
    except (asyncio.CancelledError, HeadraceError) as error:
        release_frames(error)
