"""The straight way of a miss: small, alone, and answered at once by an origin.

The origin is asked by the request itself, over a kept connection, without a task; its answer is
read and judged as soon as it is there whole, by the same functions as any other, then stored and
sent on with all others that came in the same turn of the loop (`Together`).

Everything else is for a `Fill`, which continues with what has come so far (`hand_over`), and asks
no origin again for it: an answer that is large, late, in many pieces, in error, not to be stored,
or broken off; another request for the same; a client that leaves.

What has to hold: the permit, the place of the client's network, the place at the origin and its
connection are given back by `_end`, or were taken over by that fill. Each of these ways begins with
`_detach`, which tells whether another was first.
"""

from __future__ import annotations

from collections.abc import Callable

from headrace.cache.freshness import current_age_s
from headrace.cache.record import StoredResponse
from headrace.cache.reuse import Action, decide_reuse
from headrace.cache.slice_requests import WHOLE
from headrace.cache.vary import variant_text
from headrace.edge.context import WorkerContext
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.begun import Asking
from headrace.edge.fill.decide import Store, decide
from headrace.edge.fill.fill import Fill
from headrace.edge.fill.new_record import new_record
from headrace.edge.fill.origin_fields import prepared_fields
from headrace.edge.peers.provenance import provenance
from headrace.edge.request.passthrough import pass_interim
from headrace.edge.request.response import CacheResult, Response
from headrace.edge.service.forwarded_fields import address_bytes
from headrace.edge.service.resource import Resource
from headrace.edge.service.response_heads import head_of_one_miss, hit_head, stored_fields
from headrace.http.message import Request
from headrace.http.parser import ParsedResponseHead, RequestHead
from headrace.http.server.exchange import Exchange
from headrace.store import Claim, StoreError
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.head_start import HeadStart
from headrace.upstream.request_fields import PreparedFields
from headrace.upstream.target import Target

Continue = Callable[[Exchange, Resource, Request, Response, Fill], None]
"""Answers a request from a fill that has begun for it."""

_MISS = CacheResult("miss", fwd=b"uri-miss", stored=True)


def go_straight(
    edge: WorkerContext,
    exchange: Exchange,
    head: RequestHead,
    resource: Resource,
    request: Request,
    answer: Response,
    otherwise: Continue,
) -> bool:
    """Ask an origin for what a plain request wants, if this may be a miss of that kind; False:
    nothing was begun.
    """
    service = resource.service
    if (
        not head.plain
        or request.method != b"GET"
        or edge.tiering is not None
        or service.origin_routes
        or service.keyed_fields
        or service.signs
        or resource.pass_until > edge.monotonic()
        or decide_reuse(request, None, resource.rules, edge.now()).action is not Action.MISS
    ):
        return False
    asked = FillRequest(
        resource, request, exchange.address, b"", WHOLE, lambda head: pass_interim(exchange, head)
    )
    name, network = asked.name, asked.network
    try:
        edge.apply_purges()
        claim = edge.fills.permit(name)
    except (StoreError, OSError):
        return False  # the longer way knows what to do about it
    if claim is None:
        return False
    begun: StraightMiss | None = None
    try:
        # The only look, with the permit in hand: nobody fills it now. What was stored before has
        # fields that select it, be they none.
        if edge.store.vary_of(resource.key_hash) is None and edge.places.take(network):
            begun = StraightMiss(edge, exchange, asked, network, answer, name, claim, otherwise)
    except (StoreError, OSError):
        return False
    finally:
        if begun is None:
            claim.give()
    if begun is None:
        return False
    begun.ask()
    return True


class StraightMiss:
    """One such miss. See `Straight`. It takes over the permit `claim` for `name`, and a place of
    the client's network. `arrived` is the answer's record and body, once they are there.
    """

    __slots__ = (
        "_answer", "_arrived", "_asked", "_came_at", "_credentialed", "_edge", "_exchange",
        "_fields", "_generation", "_left", "_log", "_network", "_otherwise", "_request_time",
        "_start", "_target", "claim", "name",
    )  # fmt: skip

    def __init__(
        self,
        edge: WorkerContext,
        exchange: Exchange,
        asked: FillRequest,
        network: str,
        answer: Response,
        name: bytes,
        claim: Claim,
        otherwise: Continue,
    ) -> None:
        self._edge = edge
        self._exchange = exchange
        self._asked = asked
        self._network = network
        self._answer = answer
        self.name = name
        self.claim: Claim | None = claim
        self._arrived: tuple[StoredResponse, bytes] | None = None
        self._came_at = 0.0
        self._left = False  # the client, while its answer waited to be stored
        self._otherwise = otherwise
        self._generation = edge.store.generation()
        self._log = AttemptLog()
        self._credentialed = False
        self._request_time = edge.now()
        self._fields: PreparedFields | None = None
        self._start: HeadStart | None = None
        self._target: Target | None = None
        answer.generation = edge.purged_up_to
        answer.attempt_logs.append(self._log)
        answer.task = self
        edge.fills.enter(name, self)
        edge.metrics.fills_active += 1

    def ask(self) -> None:
        """Send the request to an origin, or have a fill do that."""
        edge, asked, resource = self._edge, self._asked, self._asked.resource
        try:
            fields = self._fields = prepared_fields(asked, edge.node_id, edge.cdn_name)
            self._credentialed = fields.credentialed
            target = self._target = edge.upstreams.target(
                resource, asked.request, resource.upstream_target, self._network
            )
            start = self._start = edge.upstreams.fetcher.begin(
                target, fields, address_bytes(asked.client_address), self._log
            )
        except BaseException:
            self.close()
            raise
        if start.stream is None or start.unsent:
            self.hand_over()
        else:
            start.wait(self._came, edge.origin.timeouts.first_byte_s)

    # The ways out.

    def _detach(self) -> Claim | None:
        """Return the permit to whoever ends this; None when this has ended."""
        claim, self.claim = self.claim, None
        if claim is not None:
            edge = self._edge
            edge.metrics.fills_active -= 1
            edge.fills.strike_out(self.name)
            self._answer.task = None
            if self._start is not None and self._start.stream is not None:
                self._start.stream.stop_waiting()
        return claim

    def _fill(self, *, owned: bool) -> Fill:
        claim = self._detach()
        assert claim is not None
        assert self._start is not None
        assert self._target is not None
        assert self._fields is not None
        fields = self._fields.fields_of(address_bytes(self._asked.client_address))
        asking = Asking(
            self._target, fields, self._start, self._log, self._request_time, self._generation
        )
        return self._edge.fills.take_up(self._asked, claim, asking, owned=owned)

    def hand_over(self) -> None:
        """Have a fill continue this, and the client wait for that; or end it, if all is there."""
        if self._arrived is not None:
            self._edge.together.flush()
            return
        fill = self._fill(owned=True)
        asked = self._asked
        self._answer.attempt_logs.remove(self._log)  # comes back with the fill
        self._otherwise(self._exchange, asked.resource, asked.request, self._answer, fill)

    def cancel(self) -> None:
        """Have a fill continue this within what a client may leave behind: the client left."""
        if self._arrived is not None:
            self._left = True
        elif self.claim is not None:
            fill = self._fill(owned=False)
            fill.hold()
            fill.release(owner=False)

    def close(self) -> None:
        """Break it off, and give back whatever it has taken. Idempotent."""
        claim = self._detach()
        if claim is not None:
            self._end(claim)

    def _end(self, claim: Claim) -> None:
        claim.give()
        if self._start is not None:
            self._start.close()
        self._edge.places.give(self._network)

    def _fault(self) -> None:
        """A fault of ours must not leave a client waiting, nor others for the part."""
        self.close()
        if self._exchange.context is self._answer:
            self._answer.fault()

    # What comes.

    def _came(self, in_time: bool) -> None:
        start = self._start
        if self.claim is None or start is None:
            return
        try:
            if not in_time or not start.read(self._edge.origin.scratch):
                self.hand_over()
                return
            found = start.parsed()
            if found is True:
                start.wait(self._came, self._edge.origin.timeouts.first_byte_s)
            elif isinstance(found, bool) or not self._take(start, *found):
                self.hand_over()
        except BaseException:
            self._fault()
            raise

    def _take(self, start: HeadStart, head: ParsedResponseHead, body: bytes) -> bool:
        """Have a whole answer stored and sent; False when it is none for this way."""
        edge, asked = self._edge, self._asked
        slice_bytes = edge.slice_bytes_for(asked.resource.rules)
        now = edge.now()
        decision = decide(
            asked, head, credentialed=self._credentialed, slice_bytes=slice_bytes,
            request_time=self._request_time, response_time=now,
        )  # fmt: skip
        if not isinstance(decision, Store):
            return False
        span, rules = decision.span, asked.resource.rules
        if span.start or edge.reason_not_to_store(span.total, rules):
            return False
        stored = new_record(
            asked, decision.head, decision.storing, span, response_time=now,
            source=provenance(head.headers, self._request_time, by_server=False),
            generation=self._generation, slice_bytes=slice_bytes, random_bytes=edge.random_bytes,
        )  # fmt: skip
        if stored.length != len(body) or stored.length > slice_bytes:
            return False
        if not edge.store.keeps_inside(stored):
            return False
        if (
            stored.vary
            and variant_text(stored.vary, asked.request.headers, rules) != stored.variant
        ):
            return False
        start.end(head)
        self._arrived = (stored, body)
        self._came_at = now
        edge.together.add(self)
        return True

    # See `Arrived`.

    @property
    def arrived(self) -> tuple[StoredResponse, bytes]:
        """The record of what came, and its body."""
        assert self._arrived is not None
        return self._arrived

    def send(self) -> None:
        """Send what came, and end this, unless it was broken off."""
        claim = self._detach()
        if claim is None:
            return
        stored, body = self.arrived
        metrics = self._edge.metrics
        metrics.fills_started += 1
        metrics.fills_completed += 1
        metrics.bytes_from_origin += len(body)
        try:
            if not self._left:
                self._respond(stored, body, self._came_at)
        except BaseException:
            self._fault()
            raise
        finally:
            self._end(claim)

    def _respond(self, stored: StoredResponse, body: bytes, now: float) -> None:
        answer, node_id = self._answer, self._edge.node_id_bytes
        answer.age_s = current_age_s(stored, now)
        service = self._asked.resource.service
        if service.debug or service.server_timing:
            fields = stored_fields(stored, now, node_id) + answer.cache_fields(_MISS, stored)
            head = hit_head(stored, fields)
        else:
            answer.cache = _MISS.word
            head = head_of_one_miss(stored, now, node_id)
        self._exchange.respond(stored.status, head, memoryview(body))
