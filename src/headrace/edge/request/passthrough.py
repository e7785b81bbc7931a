"""Passes a request through to its origin and the answer back, neither of them held whole.

At most one buffer of the response is in memory, so a slow client slows the origin's connection
and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import msgspec

from headrace.cache.presented_fields import is_cmcd
from headrace.cache.rules import CacheRules
from headrace.cache.storing import decide_storing
from headrace.edge.context import WorkerContext
from headrace.edge.fill.new_record import as_whole
from headrace.edge.peers.membership import charged_to
from headrace.edge.peers.provenance import CHAIN
from headrace.edge.peers.purges import BEGAN
from headrace.edge.service.forwarded_fields import (
    passed_request_fields,
    passed_response_fields,
    with_date,
)
from headrace.edge.service.resource import Resource
from headrace.edge.tiering.tiering import Plan
from headrace.edge.upstreams import note_received
from headrace.http.dates import format_http_date
from headrace.http.fields import hop_by_hop
from headrace.http.message import Field, Headers, Request, ResponseHead
from headrace.http.methods import GET_OR_HEAD
from headrace.http.parser import BadRequest, ParsedResponseHead
from headrace.http.partial import fits_the_request
from headrace.http.ranges import may_be_passed
from headrace.http.server.exchange import ClientGone, Exchange
from headrace.http.target import as_sent
from headrace.reasons import Reason
from headrace.upstream.attempt_log import AttemptLog
from headrace.upstream.client import RequestBody
from headrace.upstream.errors import Failure, OriginError
from headrace.upstream.failover_body import FailoverResponse
from headrace.upstream.hedging import PROCESSING
from headrace.upstream.peering import Peer

TOO_MANY = "too many requests to origins are under way for this client's network"
# Trailers are passed only if they cannot be mistaken for framing, routing or security
# (RFC 9110 section 6.5.1).
_FOR_NONE = frozenset((Reason.NO_STORE, Reason.PRIVATE, Reason.SET_COOKIE, Reason.VARY_STAR))
NEVER_TRAILERS = frozenset(
    (
        b"age", b"authorization", b"cache-control", b"content-encoding", b"content-length",
        b"content-range", b"content-type", b"date", b"expires", b"host", b"location",
        b"set-cookie", b"transfer-encoding", b"vary", b"warning", b"www-authenticate",
    )
)  # fmt: skip


async def ask_origin(
    edge: WorkerContext,
    exchange: Exchange,
    resource: Resource,
    request: Request,
    attempt_logs: list[AttemptLog],
    *,
    peer: Peer | None = None,
    plan: Plan | None = None,
    servers_only: bool = False,
) -> FailoverResponse:
    """Send the client's own request on, body and all; add a log of its attempts to `attempt_logs`.

    `peer` is the server of the network that asks, `plan` has those to ask before the origins, or
    instead of them (`servers_only`). Raises OriginError, BadRequest, ClientGone, NoServerHelps.
    """
    if peer is not None:
        tell_to_wait(exchange)
    if exchange.head is None:
        raise ClientGone("the client left, as was seen when it was told to wait")
    fields = passed_request_fields(
        resource.service, request, exchange.address, edge.node_id, edge.cdn_name
    )
    ranges = request.headers.all(b"range")
    if len(ranges) > 1 or not all(may_be_passed(r, edge.config.limits.ranges) for r in ranges):
        fields = [field for field in fields if field[0] not in (b"range", b"if-range")]
    body = _request_body(edge, exchange, request, fields)
    network = charged_to(peer, exchange.address)
    own = own_target(resource, request)
    target = edge.with_sources(
        edge.upstreams.target(resource, request, own, network),
        plan, resource, peer, request.authority, own,
    )  # fmt: skip
    if servers_only and target.sources is not None:
        target = msgspec.structs.replace(
            target, sources=replace(target.sources, pool_follows=False)
        )
    attempt_log = AttemptLog()
    attempt_logs.append(attempt_log)
    return await edge.upstreams.fetcher.request(
        target, request.method, fields, body=body,
        on_interim=lambda head: pass_interim(exchange, head),
        attempt_log=attempt_log,
    )  # fmt: skip


def why_for_this_client_only(
    request: Request, parsed: ParsedResponseHead, rules: CacheRules, now: float
) -> Reason:
    """Return why no server may store an answer that another one gave, or `Reason.NONE`.

    That it is stale already is no reason: it may be stored there, and be validated just now.
    """
    head = ResponseHead(parsed.status, parsed.headers, parsed.reason, parsed.version)
    storing = decide_storing(request, as_whole(head), rules, request_time=now, response_time=now)
    return storing.reason if head.status < 400 and storing.reason in _FOR_NONE else Reason.NONE


def tell_to_wait(exchange: Exchange) -> None:
    """Tell a server of the network that we are alive, and have to ask others for the answer."""
    if not exchange.status:
        exchange.interim(PROCESSING, [])


def own_target(resource: Resource, request: Request) -> bytes:
    """Return the target for an origin that is to answer this client alone: as the client spelled
    it.

    Where requests are signed it has no more of the query than the key has.
    """
    if request.method == b"OPTIONS" and request.target == b"*":
        return b"*"
    if resource.service.signs and request.method in GET_OR_HEAD:
        return resource.upstream_target
    path = as_sent(request.target, request.path)
    return path if request.query is None else path + b"?" + request.query


def _request_body(
    edge: WorkerContext, exchange: Exchange, request: Request, fields: list[Field]
) -> RequestBody | None:
    head = exchange.head
    assert head is not None
    if not exchange.has_body:
        if request.method in (b"POST", b"PUT", b"PATCH"):
            fields.append((b"content-length", b"0"))
        return None
    limit = edge.config.limits.request_body_bytes
    if limit is not None and head.body_bytes > limit:
        raise BadRequest(413, f"the request's body is longer than {limit} bytes")
    size_bytes = head.body_bytes if head.body_bytes >= 0 else None
    if size_bytes is None:
        fields.append((b"transfer-encoding", b"chunked"))
    else:
        fields.append((b"content-length", b"%d" % size_bytes))
    expects = (request.headers.get(b"expect") or b"").lower() == b"100-continue"
    if expects:
        fields.append((b"expect", b"100-continue"))
    return RequestBody(_Body(exchange, limit, expects).read, size_bytes, wait_for_100=expects)


class _Body:
    """Reads the client's body; tells a client that waits for it to go ahead."""

    def __init__(self, exchange: Exchange, limit: int | None, expects: bool) -> None:
        self._exchange = exchange
        self._limit = limit
        self._expects = expects
        self._read_bytes = 0

    async def read(self) -> bytes:
        if self._expects:
            self._expects = False
            self._exchange.interim(100, [])
        piece = await self._exchange.read_body()
        self._read_bytes += len(piece)
        if self._limit is not None and self._read_bytes > self._limit:
            raise BadRequest(413, f"the request's body is longer than {self._limit} bytes")
        return piece


def pass_interim(exchange: Exchange, head: ParsedResponseHead) -> None:
    """Pass a 1xx on (RFC 9110 section 15.2), except 100, which concerns each connection."""
    if head.status != 100 and not exchange.status:
        dropped = hop_by_hop(head.headers)
        exchange.interim(head.status, [field for field in head.headers if field[0] not in dropped])


class Tap(Protocol):
    """Sees a body that is passed on: each piece before it is sent, and whether all came."""

    def take(self, piece: memoryview) -> None:
        """Take a piece, before it is sent."""

    def ended(self) -> None:
        """Note that the body came to its end."""


async def pass_response(
    edge: WorkerContext,
    exchange: Exchange,
    request: Request,
    response: FailoverResponse,
    cache_fields: list[Field],
    tap: Tap | None = None,
    *,
    to_peer: bool = False,
) -> None:
    """Send an origin's response on, as it comes; `tap` sees the body too; `to_peer`: it is for a
    server of the network. Raises OriginError,
    ClientGone.
    """
    head = response.head
    try:
        fields = passed_response_fields(head.headers, head.version, edge.node_id)
        if not (to_peer and response.by_server):
            fields = [field for field in fields if field[0] != BEGAN]
        if not response.by_server and edge.membership.active:
            # Here each member of the list is a server's own word.
            fields = [field for field in fields if field[0] != CHAIN]
        fields = with_date(fields, format_http_date(edge.now()))
        fields += cache_fields
        if head.status == 206 and not fits_the_request(request, head):
            raise OriginError(Failure.BAD_HEAD, "a 206 that does not fit the range asked for")
        exchange.start(head.status, fields, _body_bytes(request, head))
        exchange.push()
        buffer = memoryview(bytearray(edge.config.limits.pass_buffer_bytes))
        while received := await response.read_into(buffer):
            if tap is not None:
                tap.take(buffer[:received])
            exchange.queue(buffer[:received])
            await exchange.flushed()
        if tap is not None:
            tap.ended()
        exchange.finish(_trailers(request, response))
        await response.sent()
    finally:
        note_received(edge.metrics, response)
        response.close()


def _body_bytes(request: Request, head: ParsedResponseHead) -> int | None:
    if request.method == b"HEAD" or head.status in (204, 304):
        stated = head.headers.get(b"content-length")
        if head.status == 204 or stated is None:
            return 0 if head.status in (204, 304) else None
        return int(stated)
    return head.body_bytes if head.body_bytes >= 0 else None


def _trailers(request: Request, response: FailoverResponse) -> list[Field] | None:
    """Return the trailer fields to pass: only to a client that said it takes them."""
    wanted = request.headers.get(b"te") or b""
    if b"trailers" not in [option.strip().lower() for option in wanted.split(b",")]:
        return None
    refused = NEVER_TRAILERS | hop_by_hop(Headers(response.trailers))
    return [
        field for field in response.trailers if field[0] not in refused and not is_cmcd(field[0])
    ]
