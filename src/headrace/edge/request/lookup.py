"""One GET or HEAD request on its way through the cache, when it cannot be answered at once.

It decides by the policy, fetches or joins a fill where needed, and delivers.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.reuse import Action, Reuse, decide_reuse, may_serve_stale_on_error
from headrace.cache.slice_requests import WHOLE, SliceRequest, slice_request_for
from headrace.cache.validation import head_update
from headrace.cache.vary import variant_text, with_keyed
from headrace.edge.body.growing_slice import GrowingSlice, HolderDied, SliceFailed
from headrace.edge.fill.backoff import Tries, pauses
from headrace.edge.fill.fill import Fill, begin_fill
from headrace.edge.fill.names import part_name
from headrace.edge.fill.result import Failed, Filled, Restart, Result, Uncacheable
from headrace.edge.request.deliver import Delivery, FillRefs, SourceLost
from headrace.edge.request.passthrough import ask_origin, own_target, pass_interim, pass_response
from headrace.edge.request.response import CacheResult, Response
from headrace.edge.service.forwarded_fields import asks_the_same
from headrace.http.client_network import network_of
from headrace.http.message import Request, ResponseHead
from headrace.http.server.exchange import Exchange
from headrace.store import Busy, Part, PartPhase, StoreError, matches
from headrace.upstream.errors import TIMEOUTS, UNREACHABLE, OriginError
from headrace.upstream.failover_body import FailoverResponse

if TYPE_CHECKING:
    from headrace.edge.context import WorkerContext
    from headrace.edge.service.resource import Resource

PASS_S = 10.0
TOO_MANY = "too many requests to origins are under way for this client's network"
_TIMEOUT_WORDS = frozenset(failure.value for failure in TIMEOUTS)
_UNREACHABLE_WORDS = frozenset(failure.value for failure in UNREACHABLE)


class Lookup:
    """Carries one request from look-up to the last byte."""

    def __init__(
        self, edge: WorkerContext, exchange: Exchange, resource: Resource, request: Request,
        answer: Response,
    ) -> None:  # fmt: skip
        self._edge = edge
        self._exchange = exchange
        self._resource = resource
        self._request = request
        self._answer = answer
        self._refs = FillRefs(answer.attempt_logs)
        self._vary: tuple[bytes, ...] | None = None
        self._tries = Tries()
        self._joined_in_vain = False  # what was waited for failed; the next try is our own

    async def run(self) -> None:
        """Answer the request. Raises ClientGone, OriginError, SliceFailed, SourceLost."""
        try:
            for pause_s in pauses(self._edge.lock_wait_s):
                if await self._try():
                    return
                if pause_s:
                    await asyncio.sleep(pause_s)
            await self._pass(None, "pass", b"bypass", b"contended")
        except StoreError as error:
            self._edge.store_trouble(error)
            if self._exchange.status and not self._exchange.discard_unsent():
                raise
            await self._pass(None, "pass", b"bypass", b"store-failed")
        finally:
            self._refs.release()

    async def _try(self) -> bool:
        """One look at the store and what follows from it; False: look again."""
        edge, request, rules = self._edge, self._request, self._resource.rules
        edge.apply_purges()
        self._answer.generation = edge.purged_up_to
        stored, variant = self._lookup()
        reuse = decide_reuse(request, stored, rules, time.time())
        match reuse.action:
            case Action.FRESH:
                assert stored is not None
                return await self._deliver(stored, None, CacheResult("hit", reuse=reuse))
            case Action.STALE_WHILE_REVALIDATE:
                assert stored is not None
                self._renew_in_background(stored, variant)
                return await self._deliver(stored, None, CacheResult("stale_hit", reuse=reuse))
            case Action.GATEWAY_TIMEOUT:
                self._answer.error(504, "the request asks for stored content only, and none is")
                return True
            case Action.BYPASS:
                await self._pass(None, "bypass", b"bypass", reuse.reason)
                return True
            case Action.VALIDATE | Action.MISS:
                return await self._fetch(stored, variant, reuse)

    def _lookup(self) -> tuple[StoredResponse | None, bytes]:
        """The stored response that this request selects (RFC 9111 section 4.1)."""
        resource, store = self._resource, self._edge.store
        vary = store.vary_of(resource.key_hash)
        if vary is None:
            vary = self._vary or ()
        vary = with_keyed(vary, resource.service.keyed_fields)
        variant = variant_text(vary, self._request.headers, resource.rules) if vary else b""
        return store.lookup(resource.key_hash, variant), variant

    # Fetching.

    async def _fetch(self, stored: StoredResponse | None, variant: bytes, reuse: Reuse) -> bool:
        """Get the response from the origin or from a running fill, and deliver it."""
        fwd = b"stale" if stored is not None else self._miss_word()
        if self._request.method == b"HEAD":
            return await self._head(stored, variant, fwd)
        if stored is None and self._resource.pass_until > time.monotonic():
            await self._pass(None, "pass", b"bypass", self._resource.pass_reason)
            return True
        wanted = self._wanted(stored)
        if wanted is None:
            await self._pass(None, "pass", fwd, b"range")
            return True
        result, collapsed = await self._result(stored, variant, wanted)
        match result:
            case Filled():
                return await self._following(result, stored, collapsed=collapsed, fwd=fwd)
            case Uncacheable():
                await self._uncacheable(result, fwd, collapsed=collapsed)
                return True
            case Failed():
                return await self._failed(result, stored, collapsed=collapsed)
            case Restart():
                return False

    def _miss_word(self) -> bytes:
        return b"vary-miss" if self._edge.store.vary_of(self._resource.key_hash) else b"uri-miss"

    def _wanted(self, stored: StoredResponse | None) -> SliceRequest | None:
        value = self._request.headers.get(b"range")
        if stored is None:
            return (
                WHOLE
                if value is None
                else slice_request_for(value, self._edge.slice_bytes_for(self._resource.rules))
            )
        # One validation serves all clients, whichever range they want; only if the object has
        # changed does it bring a body, and then no more of it than the first slice.
        large = stored.length > stored.slice_bytes
        return SliceRequest(0, 0 if value is not None and large else None, stored, validate=True)

    async def _result(
        self, stored: StoredResponse | None, variant: bytes, wanted: SliceRequest
    ) -> tuple[Result, bool]:
        """What a fill brings; and whether it was another request's."""
        edge = self._edge
        name = part_name(self._resource.key_hash, variant)
        running = edge.fills.get((name, wanted.first))
        if running is not None:
            return await self._join(running, stored), True
        try:
            part = edge.store.begin_part(name, wanted.first)
        except OSError as error:
            edge.store_trouble(error)
            return Uncacheable(None, 0, b"store-failed"), False
        if isinstance(part, Busy):
            return await self._remote_result(name, wanted.first, part, stored), True
        again, _variant = self._lookup()
        if not _same(stored, again):
            part.close()
            return Restart(), False
        if not self._tries.take(wanted.first):
            part.close()
            return Uncacheable(None, 0, b"contended"), False
        fill = self._begin(name, variant, replace(wanted, again=self._tries.again), part)
        if fill is None:
            return Failed(503, "too_many_requests"), False
        self._refs.hold(fill, owner=True)
        return await asyncio.shield(fill.result), False

    def _begin(self, name: bytes, variant: bytes, wanted: SliceRequest, part: Part) -> Fill | None:
        exchange = self._exchange
        return begin_fill(
            self._edge,
            self._resource,
            self._request,
            exchange.address,
            name,
            variant,
            wanted,
            part,
            lambda head: pass_interim(exchange, head),
            owned=True,
        )

    async def _join(self, running: Fill, stored: StoredResponse | None) -> Result:
        """What a fill brings that another request of this worker has begun."""
        self._refs.hold(running)
        try:
            async with asyncio.timeout(self._edge.lock_wait_s):
                result = await asyncio.shield(running.result)
        except TimeoutError:
            return Uncacheable(None, 0, b"lock-wait")
        return await self._unless_completing(result, stored)

    async def _remote_result(
        self, name: bytes, number: int, busy: Busy, stored: StoredResponse | None
    ) -> Result:
        """What another worker's fetch brings."""
        remote = self._edge.follow(name, number, busy)
        if remote is None:
            return Restart()
        self._refs.follow(remote)
        try:
            phase = await remote.head(self._edge.lock_wait_s)
        except TimeoutError:
            return Uncacheable(None, 0, b"lock-wait")
        except HolderDied:
            return Restart()
        except SliceFailed:
            phase = remote.phase
        meta = remote.follower.meta
        match phase:
            case PartPhase.BODY | PartPhase.COMPLETE if meta is not None:
                return await self._unless_completing(Filled(meta, remote), stored)
            case PartPhase.UNCACHEABLE:
                return Uncacheable(None, 0, b"uncacheable")
            case PartPhase.FAILED:
                reason = remote.follower.reason.decode("ascii", "replace")
                return Failed(504 if reason in _TIMEOUT_WORDS else 502, reason)
            case _:
                return Restart()

    async def _unless_completing(self, result: Result, stored: StoredResponse | None) -> Result:
        """A fill that only completes the stale response tells nothing of its freshness: wait."""
        if (
            isinstance(result, Filled)
            and result.growing is not None
            and stored is not None
            and _same(stored, result.stored)
        ):
            try:
                async with asyncio.timeout(self._edge.lock_wait_s):
                    await result.growing.ended()
            except TimeoutError:
                return Uncacheable(None, 0, b"lock-wait")
            return Restart()
        return result

    def _renew_in_background(self, stored: StoredResponse, variant: bytes) -> None:
        """Start a validation unless one runs (RFC 5861 section 3)."""
        edge = self._edge
        name = part_name(self._resource.key_hash, variant)
        if (name, 0) in edge.fills or edge.draining:
            return
        try:
            part = edge.store.begin_part(name, 0)
        except OSError as error:
            edge.store_trouble(error)
            return
        if isinstance(part, Busy):
            return
        again, _variant = self._lookup()
        if not _same(stored, again):
            part.close()
            return
        begin_fill(
            edge, self._resource, self._request, self._exchange.address, name, variant,
            SliceRequest(stored=stored, validate=True), part, watched=False,
        )  # fmt: skip

    def _is_everybodys(self, variant: bytes) -> bool:
        """Whether the client's own request says no more than a shared one would, so that its
        answer may tell of what others get.
        """
        resource, request = self._resource, self._request
        same = asks_the_same(resource.service, request, variant)
        return same and own_target(resource, request) == resource.upstream_target

    async def _head(self, stored: StoredResponse | None, variant: bytes, fwd: bytes) -> bool:
        """Ask the origin with HEAD, and learn from it about what is stored (RFC 9111
        4.3.5)."""
        edge = self._edge
        generation = edge.store.generation()
        request_time = time.time()
        with edge.places.hold(network_of(self._exchange.address)) as held:
            if not held:
                self._answer.error(503, TOO_MANY, "too_many_requests")
                return True
            try:
                response = await ask_origin(
                    edge, self._exchange, self._resource, self._request, self._answer.attempt_logs
                )
            except OriginError as error:
                if stored is None or not may_serve_stale_on_error(
                    stored, self._resource.rules, self._request, time.time(),
                    unreachable=error.failure in UNREACHABLE,
                ):  # fmt: skip
                    raise
                detail = error.failure.value.encode()
                cache_result = CacheResult("stale_hit", fwd=b"stale", detail=detail)
                return await self._deliver(stored, None, cache_result)
        try:
            if self._is_everybodys(variant):
                self._learn(stored, response, request_time, generation)
        except BaseException:
            response.close()
            raise
        await self._pass(response, "miss", fwd, b"head")
        return True

    def _learn(
        self,
        stored: StoredResponse | None,
        response: FailoverResponse,
        request_time: float,
        generation: int,
    ) -> None:
        """Freshen or invalidate what is stored by the answer to a HEAD."""
        edge, head = self._edge, response.head
        if stored is not None and head.status == 200 and stored.status == 200:
            updated = head_update(
                stored,
                ResponseHead(head.status, head.headers, head.reason, head.version),
                self._resource.rules,
                self._request,
                request_time=request_time,
                response_time=time.time(),
            )
            if updated is None:
                updated = msgspec.structs.replace(
                    stored, flags=stored.flags | StoredFlag.INVALIDATED
                )
            else:
                updated = msgspec.structs.replace(updated, generation=generation)
            edge.store.record(updated, self._resource.key_hash)
            edge.hot.drop(stored.key, stored.variant)

    # What comes of it.

    async def _following(
        self, result: Filled, stale: StoredResponse | None, *, collapsed: bool, fwd: bytes
    ) -> bool:
        stored = result.stored
        if stored.vary and (
            variant_text(stored.vary, self._request.headers, self._resource.rules) != stored.variant
        ):
            self._vary = stored.vary  # it was another variant's fetch
            return False
        if collapsed and self._purged_since(stored):
            # What another request fetches was purged before this one came.
            await self._pass(None, "pass", fwd, b"purged")
            return True
        word = "collapsed" if collapsed else "miss"
        if result.growing is None and stale is not None:
            word = "revalidated"
        cache_result = CacheResult(word, fwd=fwd, collapsed=collapsed, stored=True)
        return await self._deliver(stored, result.growing, cache_result)

    def _purged_since(self, stored: StoredResponse) -> bool:
        rules = self._edge.store.rules_since(stored.generation)
        return any(matches(rule, stored) for rule in rules)

    async def _uncacheable(self, result: Uncacheable, fwd: bytes, *, collapsed: bool) -> None:
        """Pass on what may not be stored: to the request that began the fill. Whoever only
        waited with it asks for himself, since the answer is nobody else's.
        """
        response = None if collapsed else result.take()
        if result.status and result.status < 400 and not result.own:
            # The next ones need not queue for it. One request's own fields prevent no storing.
            self._resource.pass_until = time.monotonic() + PASS_S
            self._resource.pass_reason = result.reason
        await self._pass(response, "miss", fwd, result.reason)

    async def _failed(
        self, result: Failed, stored: StoredResponse | None, *, collapsed: bool
    ) -> bool:
        """Serve what is stored if it may be, else say that the origin failed.

        Who only waited with another's fetch tries once more first: that request's own fields may
        have been why it failed.
        """
        now = time.time()
        unreachable = result.reason in _UNREACHABLE_WORDS
        if stored is not None and may_serve_stale_on_error(
            stored, self._resource.rules, self._request, now, unreachable=unreachable
        ):
            return await self._deliver(
                stored, None, CacheResult("stale_hit", fwd=b"stale", detail=result.reason.encode())
            )
        if collapsed and not self._joined_in_vain:
            self._joined_in_vain = True
            return False
        status = result.status if result.status in (502, 503, 504) else 502
        self._answer.origin_error(status, result.reason, result.summary)
        return True

    async def _pass(
        self, response: FailoverResponse | None, word: str, fwd: bytes, detail: bytes
    ) -> None:
        edge, exchange = self._edge, self._exchange
        with edge.places.hold(network_of(exchange.address)) as held:
            if not held:
                if response is not None:
                    response.close()
                self._answer.error(503, TOO_MANY, "too_many_requests")
                return
            if response is None:
                response = await ask_origin(
                    edge, exchange, self._resource, self._request, self._answer.attempt_logs
                )
            try:
                cache_result = CacheResult(word, fwd=fwd, detail=detail, fwd_status=response.status)
                fields = self._answer.cache_fields(cache_result)
                await pass_response(edge, exchange, self._request, response, fields)
            finally:
                response.close()

    async def _deliver(
        self, stored: StoredResponse, growing: GrowingSlice | None, cache_result: CacheResult
    ) -> bool:
        """Answer from a stored response; False when it was lost before anything was sent."""
        delivery = Delivery(
            self._edge, self._exchange, self._resource, self._request, stored, growing,
            self._refs, self._tries,
        )  # fmt: skip
        try:
            await self._answer.from_stored(delivery, cache_result)
        except SourceLost:
            if self._exchange.status and not self._exchange.discard_unsent():
                raise
            return False
        return True


def _same(one: StoredResponse | None, other: StoredResponse | None) -> bool:
    """Whether two looks found the same record."""
    if one is None or other is None:
        return one is other
    return one.version == other.version and one.response_time == other.response_time
