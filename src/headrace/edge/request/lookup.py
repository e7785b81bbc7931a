"""One GET or HEAD request on its way through the cache, when it cannot be answered at once.

`steps` has the table of the steps; each method here carries one out and returns the next.
"""

from __future__ import annotations

from headrace.cache.record import StoredResponse
from headrace.cache.reuse import Action, decide_reuse, may_serve_stale_on_error
from headrace.cache.slice_requests import SliceRequest, slices_for
from headrace.cache.vary import variant_text
from headrace.edge.body.growing_slice import GrowingSlice
from headrace.edge.context import WorkerContext
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.backoff import Tries, pauses
from headrace.edge.fill.refs import FillRefs
from headrace.edge.fill.result import Failed, Filled, Restart, Result, Uncacheable
from headrace.edge.peers.membership import charged_to
from headrace.edge.peers.purges import effect
from headrace.edge.request.deliver import Delivery, SourceLost
from headrace.edge.request.filling import filled
from headrace.edge.request.head_request import learn, speaks_for_all
from headrace.edge.request.passthrough import (
    TOO_MANY,
    ask_origin,
    pass_interim,
    pass_response,
    why_for_this_client_only,
)
from headrace.edge.request.response import NO_ANSWER, CacheResult, Response
from headrace.edge.request.select import is_same, select
from headrace.edge.request.steps import TROUBLE, Step
from headrace.edge.request.told_purges import usable_for
from headrace.edge.request.walk import Does, walk
from headrace.edge.service.resource import Resource
from headrace.edge.tiering.tiering import Plan
from headrace.errors import release_frames
from headrace.http.message import Request
from headrace.http.server.exchange import Exchange
from headrace.reasons import Reason
from headrace.store import StoreError
from headrace.upstream.errors import UNREACHABLE, OriginError
from headrace.upstream.failover_body import FailoverResponse
from headrace.upstream.sources import NoServerHelps

PASS_S = 10.0
_UNREACHABLE_WORDS = frozenset(failure.value for failure in UNREACHABLE)


class Lookup:
    """Carries one request from look-up to the last byte.

    What a step finds out for the next one is kept here: the stored response with its variant, the
    result for Cache-Status, the response to pass on, the error to answer with.
    """

    def __init__(
        self, edge: WorkerContext, exchange: Exchange, resource: Resource, request: Request,
        answer: Response,
    ) -> None:  # fmt: skip
        self._edge = edge
        self._exchange = exchange
        self._resource = resource
        self._request = request
        self._answer = answer
        self._peer = answer.peer
        self._refs = FillRefs(answer.attempt_logs)
        self._vary: tuple[bytes, ...] | None = None
        self._tries = Tries()
        self._joined_in_vain = False  # what was waited for failed; the next try is our own
        self._stored: StoredResponse | None = None
        self._variant = b""
        self._growing: GrowingSlice | None = None
        self._result = CacheResult("error")
        self._to_pass: FailoverResponse | None = None
        self._error: tuple[int, str, str | None] = (500, "", None)
        self._tried = ""  # what each origin did
        self._plan: Plan | None = None  # whom of the network to ask
        self._stores: bool | None = None  # None: not decided yet
        self._through = False  # what is passed on is another server's to store
        self._alone = False  # no server that was asked could help

    async def run(self) -> None:
        """Answer the request. Raises ClientGone, OriginError, SliceFailed, SourceLost."""
        does: dict[Step, Does] = {
            Step.LOOKUP: self._look_up,
            Step.RENEW: self._renew,
            Step.FILL: self._fill,
            Step.HEAD: self._head,
            Step.PASS: self._pass,
            Step.DELIVER: self._deliver,
            Step.SYNTH: self._synth,
        }
        try:
            await walk(
                does,
                pauses(self._edge.lock_wait_s),
                lambda: self._passing("pass", b"bypass", Reason.CONTENDED),
                self._in_trouble,
            )
        finally:
            self._refs.release()
            if self._to_pass is not None:
                self._to_pass.close()

    def _in_trouble(self, step: Step, error: StoreError) -> Step:
        """Have the origin answer, where the store cannot help and nothing was sent yet."""
        self._edge.store_trouble(error)
        if step not in TROUBLE or (self._exchange.status and not self._exchange.discard_unsent()):
            raise error
        return self._passing("pass", b"bypass", Reason.STORE_FAILED)

    # What the next step is to do.

    def _passing(
        self, word: str, fwd: bytes, detail: Reason, response: FailoverResponse | None = None
    ) -> Step:
        self._result = CacheResult(word, fwd=fwd, detail=detail)
        if self._to_pass is not None:
            self._to_pass.close()
        self._to_pass = response
        return Step.PASS

    def _delivering(
        self, stored: StoredResponse, result: CacheResult, growing: GrowingSlice | None = None
    ) -> Step:
        self._stored = stored
        self._result = result
        self._growing = growing
        return Step.DELIVER

    def _failing(self, status: int, detail: str, problem: str | None = None) -> Step:
        self._error = (status, detail, problem)
        return Step.SYNTH

    # The steps.

    async def _look_up(self) -> Step:
        """LOOKUP: one look at the store and what follows from it."""
        edge = self._edge
        edge.apply_purges()
        stored, self._variant = self._selected()
        if self._peer is not None and stored is not None:
            stored = usable_for(edge, self._peer.purges, stored)
        self._answer.generation = edge.purged_up_to
        self._stored = stored
        self._through = False
        reuse = decide_reuse(self._request, stored, self._resource.rules, edge.now())
        match reuse.action:
            case Action.FRESH:
                assert stored is not None
                return self._delivering(stored, CacheResult("hit", reuse=reuse))
            case Action.STALE_WHILE_REVALIDATE:
                assert stored is not None
                self._result = CacheResult("stale_hit", reuse=reuse)
                return Step.RENEW
            case Action.GATEWAY_TIMEOUT:
                return self._failing(504, "the request asks for stored content only, and none is")
            case Action.BYPASS:
                return self._passing("bypass", b"bypass", reuse.reason)
            case Action.VALIDATE | Action.MISS:
                return self._missing(stored)

    def _missing(self, stored: StoredResponse | None) -> Step:
        edge, resource = self._edge, self._resource
        if stored is None and resource.pass_until > edge.monotonic():
            return self._passing("pass", b"bypass", resource.pass_reason)
        self._plan = edge.plan(resource, self._answer.peer)
        if self._request.method == b"HEAD":
            return Step.HEAD
        if stored is None and not self._is_stored_here():
            self._through = True
            return self._passing("miss", self._fwd(), Reason.NOT_OWNED)
        return Step.FILL

    def _is_stored_here(self) -> bool:
        """Return whether the answer is to be stored; the request is counted once."""
        tiering, plan = self._edge.tiering, self._plan
        if self._stores is None:
            self._stores = (
                plan is None
                or tiering is None
                or tiering.stores(plan, self._resource, self._edge.monotonic())
            )
        return self._stores

    def _selected(self) -> tuple[StoredResponse | None, bytes]:
        """Return the stored response that this request selects."""
        return select(self._edge.store, self._resource, self._request.headers, self._vary or ())

    def _is_unchanged(self) -> bool:
        """Return whether the store still has what the last look found."""
        found, _variant = self._selected()
        return is_same(self._stored, found)

    async def _renew(self) -> Step:
        """RENEW: start a validation unless one runs (RFC 5861 section 3)."""
        stored = self._stored
        assert stored is not None
        asked = self._asked(SliceRequest(stored=stored, validate=True))
        self._edge.fills.begin_unwatched(asked, self._is_unchanged)
        return self._delivering(stored, self._result)

    async def _fill(self) -> Step:
        """FILL: get the response from the origin or from a running fill."""
        stored = self._stored
        fwd = self._fwd()
        slice_bytes = self._edge.slice_bytes_for(self._resource.rules)
        wanted = slices_for(self._request.headers.get(b"range"), stored, slice_bytes)
        if wanted is None:
            return self._passing("pass", fwd, Reason.RANGE)
        result, collapsed = await self._filled(self._asked(wanted))
        match result:
            case Filled():
                return self._following(result, stored, collapsed=collapsed, fwd=fwd)
            case Uncacheable():
                return self._uncacheable(result, fwd, collapsed=collapsed)
            case Failed():
                return self._failed(result, stored, collapsed=collapsed)
            case Restart():
                return Step.LOOKUP

    async def _filled(self, asked: FillRequest) -> tuple[Result, bool]:
        edge, exchange = self._edge, self._exchange
        return await filled(edge, exchange, asked, self._refs, self._tries, self._is_unchanged)

    def _fwd(self) -> bytes:
        """Return why the request goes forward, for Cache-Status (RFC 9211 section 2.2)."""
        if self._stored is not None:
            return b"stale"
        known = self._edge.store.vary_of(self._resource.key_hash)
        return b"vary-miss" if known else b"uri-miss"

    def _asked(self, wanted: SliceRequest) -> FillRequest:
        exchange = self._exchange
        return FillRequest(
            self._resource,
            self._request,
            exchange.address,
            self._variant,
            wanted,
            lambda head: pass_interim(exchange, head),
            self._peer,
            self._alone,
        )

    # What comes of a fill.

    def _following(
        self, result: Filled, stale: StoredResponse | None, *, collapsed: bool, fwd: bytes
    ) -> Step:
        stored = result.stored
        if stored.vary and (
            variant_text(stored.vary, self._request.headers, self._resource.rules) != stored.variant
        ):
            self._vary = stored.vary  # it was another variant's fill
            return Step.LOOKUP
        if collapsed and (
            self._edge.is_purged(stored)
            or (self._peer is not None and effect(self._peer.purges, stored))
        ):
            # What another request fetches was purged before this one came.
            return self._passing("pass", fwd, Reason.PURGED)
        word = "collapsed" if collapsed else "miss"
        if result.growing is None and stale is not None:
            word = "revalidated"
        cache_result = CacheResult(word, fwd=fwd, collapsed=collapsed, stored=True)
        return self._delivering(stored, cache_result, result.growing)

    def _uncacheable(self, result: Uncacheable, fwd: bytes, *, collapsed: bool) -> Step:
        """Pass on what may not be stored: to the request that began the fill. Whoever only
        waited with it asks for himself, since the answer is no one else's.
        """
        response = None if collapsed else result.take()
        if result.status and result.status < 400 and not result.own:
            # The next ones need not queue for it. One request's own fields prevent no storing.
            self._resource.pass_until = self._edge.monotonic() + PASS_S
            self._resource.pass_reason = result.reason
        return self._passing("miss", fwd, result.reason, response)

    def _failed(self, result: Failed, stored: StoredResponse | None, *, collapsed: bool) -> Step:
        """Serve what is stored if it may be, else say that the origin failed.

        Who only waited for another's fill tries once more first: that request's own fields may
        have been why it failed.
        """
        unreachable = result.reason in _UNREACHABLE_WORDS
        if stored is not None and self._may_be_stale(stored, unreachable=unreachable):
            detail = result.reason.encode()
            return self._delivering(stored, CacheResult("stale_hit", fwd=b"stale", detail=detail))
        if collapsed and not self._joined_in_vain:
            self._joined_in_vain = True
            return Step.LOOKUP
        status = result.status if result.status in (502, 503, 504) else 502
        self._tried = result.summary
        return self._failing(status, NO_ANSWER, result.reason)

    async def _head(self) -> Step:
        """HEAD: ask the origin with HEAD, and learn from it about what is stored (RFC 9111
        section 4.3.5).
        """
        edge, stored = self._edge, self._stored
        fwd = self._fwd()
        generation = edge.store.generation()
        request_time = edge.now()
        try:
            response = await self._ask_origin()
        except OriginError as error:
            unreachable = error.failure in UNREACHABLE
            if stored is None or not self._may_be_stale(stored, unreachable=unreachable):
                raise
            detail = error.failure.value.encode()
            return self._delivering(stored, CacheResult("stale_hit", fwd=b"stale", detail=detail))
        if response is None:
            return self._failing(503, TOO_MANY, Reason.TOO_MANY_REQUESTS.word)
        following = self._passing("miss", fwd, Reason.HEAD, response)
        if stored is not None and speaks_for_all(self._resource, self._request, self._variant):
            learn(
                edge, self._resource, self._request, stored, response.head,
                request_time=request_time, generation=generation, by_server=response.by_server,
            )  # fmt: skip
        return following

    async def _ask_origin(self) -> FailoverResponse | None:
        """Return the answer to this request alone; None: there is no room. Raises OriginError."""
        edge, exchange = self._edge, self._exchange
        with edge.places.hold(charged_to(self._peer, exchange.address)) as held:
            if not held:
                return None
            return await self._ask()

    async def _ask(self) -> FailoverResponse:
        """Send the client's own request to servers of the network, if it is for all, and to the
        origin.
        """
        answer = self._answer
        for_all = self._through or self._request.method == b"HEAD"
        return await ask_origin(
            self._edge, self._exchange, self._resource, self._request, answer.attempt_logs,
            peer=answer.peer, plan=self._plan if for_all else None, servers_only=self._through,
        )  # fmt: skip

    def _may_be_stale(self, stored: StoredResponse, *, unreachable: bool) -> bool:
        rules, now = self._resource.rules, self._edge.now()
        return may_serve_stale_on_error(stored, rules, self._request, now, unreachable=unreachable)

    async def _pass(self) -> Step:
        """PASS: send the client what the origin answers to this request alone."""
        edge, exchange = self._edge, self._exchange
        with edge.places.hold(charged_to(self._peer, exchange.address)) as held:
            if not held:
                return self._failing(503, TOO_MANY, Reason.TOO_MANY_REQUESTS.word)
            if self._to_pass is None:
                try:
                    self._to_pass = await self._ask()
                except NoServerHelps as error:
                    release_frames(error)
                    self._alone = self._stores = True  # so that the origin is asked once for all
                    return Step.LOOKUP
            response = self._to_pass
            if self._through:
                self._learn_to_pass(response)
            self._result.fwd_status = response.status
            fields = self._answer.cache_fields(self._result)
            await pass_response(
                edge, exchange, self._request, response, fields, to_peer=self._peer is not None
            )
        return Step.DONE

    def _learn_to_pass(self, response: FailoverResponse) -> None:
        """Ask the origin at once, the next times, for what no server may store."""
        reason = why_for_this_client_only(
            self._request, response.head, self._resource.rules, self._edge.now()
        )
        if reason:
            self._resource.pass_until = self._edge.monotonic() + PASS_S
            self._resource.pass_reason = reason

    async def _deliver(self) -> Step:
        """DELIVER: answer from a stored response; look again when it was lost before anything
        was sent.
        """
        assert self._stored is not None
        delivery = Delivery(
            self._edge, self._exchange, self._resource, self._request, self._stored,
            self._growing, self._refs, self._tries, self._peer,
        )  # fmt: skip
        try:
            await self._answer.from_stored(delivery, self._result)
        except SourceLost:
            if self._exchange.status and not self._exchange.discard_unsent():
                raise
            return Step.LOOKUP
        return Step.DONE

    async def _synth(self) -> Step:
        """SYNTH: answer with an error of our own."""
        status, detail, problem = self._error
        self._answer.error(status, detail, problem, self._answer.tried_fields(self._tried))
        return Step.DONE
