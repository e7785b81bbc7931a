"""Takes request heads from the connections: answers hits at once, starts a task for the rest.

The first lines of `handle` are the whole way of a hit; everything else is behind `_otherwise`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from headrace.cache.vary import variant_text
from headrace.edge.body.growing_slice import SliceFailed
from headrace.edge.context import WorkerContext
from headrace.edge.fill.fill import Fill
from headrace.edge.hot import HotEntry
from headrace.edge.peers.membership import charged_to
from headrace.edge.request.accounting import Accounting
from headrace.edge.request.deliver import SourceLost
from headrace.edge.request.following import Following
from headrace.edge.request.hot_hits import HotHits, covers
from headrace.edge.request.invalidate import invalidate_after
from headrace.edge.request.lookup import Lookup
from headrace.edge.request.passthrough import TOO_MANY, ask_origin, own_target, pass_response
from headrace.edge.request.post_storing import PostStoring
from headrace.edge.request.response import CacheResult, Response
from headrace.edge.request.straight import go_straight
from headrace.edge.service.forwarded_fields import in_loop, nominates
from headrace.edge.service.resource import Misdirected, Resource
from headrace.errors import release_frames
from headrace.http.answers import prepared_head
from headrace.http.dates import format_http_date
from headrace.http.fields import PEER_FIELD
from headrace.http.message import Request
from headrace.http.methods import GET_OR_HEAD, KNOWN, USUAL
from headrace.http.parser import BadRequest, RequestHead
from headrace.http.peer_field import without_peer_field
from headrace.http.server.acceptor import NO_DESCRIPTORS
from headrace.http.server.exchange import ClientGone, Exchange
from headrace.reasons import Reason, meaning_of
from headrace.store import StoreError
from headrace.upstream.errors import OriginError
from headrace.upstream.peering import Peer, PeerRefusal

log = structlog.get_logger()

ALLOWED = b", ".join(USUAL)

_MOST_NAMES = 8
_LOG_AGAIN_S = 10.0
_MOST_REFUSED = 256
_Refused = tuple[PeerRefusal, str | None, tuple[str, ...] | None]
_NO_PEER = "the request is not one of a server that is known here"
_LOOP = (
    "this request has come through here too often: the origin leads back here, or two nodes in a "
    "row have the same node_id"
)


class EdgeHandler(HotHits):
    """The server's handler: see `headrace.http.server.exchange.Handler`."""

    def __init__(self, edge: WorkerContext, accounting: Accounting) -> None:
        super().__init__(edge)
        self.accounting = accounting
        self.finished = accounting.finished
        self.event = accounting.event
        self.connections_changed = accounting.connections_changed
        self._posts = PostStoring(edge)
        self._logged: dict[_Refused, float] = {}

    def handle(self, exchange: Exchange) -> None:
        """Answer a request, or start to."""
        try:
            head = exchange.head
            assert head is not None
            edge, is_stored = self.edge, True  # for all that is known
            if head.plain or head.lone_range is not None:
                resources = edge.resources.tls if exchange.tls else edge.resources.plain
                resource = resources.get((head.host, head.target))
                if resource is not None and (
                    not exchange.tls
                    or exchange.covered == resource.authority
                    or covers(exchange, resource.authority)
                ):
                    entry = resource.hot
                    if entry is None and resource.vary is not None:
                        variant = variant_text(resource.vary, head.headers, resource.rules)
                        entry = edge.hot.get(resource.key, variant)
                    if isinstance(entry, HotEntry) and self.send_hot(exchange, head, entry):
                        return
                if head.plain and head.method in GET_OR_HEAD:
                    sent = self.send_ready(exchange, head, resource)
                    if sent:
                        return
                    is_stored = sent is not None
            self._otherwise(exchange, head, is_stored=is_stored)
        except Exception as error:
            log.error("answering_failed", exc_info=error)
            self._broke(exchange)

    # Everything that is no prepared hit.

    def _otherwise(self, exchange: Exchange, head: RequestHead, *, is_stored: bool) -> None:
        edge = self.edge
        peer: Peer | None = None
        claims = PEER_FIELD in head.headers
        if claims:
            peer = self._asker(head, exchange)
            head = exchange.head = without_peer_field(head)
        answer = Response(edge, exchange, None, None, peer)
        exchange.context = answer
        if peer is None and (exchange.peers_only or (claims and edge.config.network is not None)):
            # A server that is not believed must not take this for what it would have been told.
            answer.error(421, _NO_PEER)
            return
        if head.method == b"OPTIONS" and head.target == b"*":
            self._own_options(exchange, answer)
            return
        try:
            secure = exchange.tls if peer is None else peer.secure
            resource = edge.resources.find(head, tls=secure)
            # A server asks by its own name here, and has signed for the host.
            if exchange.tls and peer is None and not covers(exchange, resource.authority):
                raise Misdirected(resource.authority)
        except BadRequest as error:
            exchange.refuse(error)
            return
        if head.method in GET_OR_HEAD and not exchange.has_body:
            if peer is not None:
                if (head.plain or head.lone_range is not None) and self.send_hot_to_server(
                    exchange, head, resource, answer
                ):
                    return
            elif head.plain and is_stored and self.send_stored(exchange, head, resource):
                return
        request = resource.request(head)
        if head.method not in resource.service.methods:
            self._unknown_method(head, resource, answer)
            return
        if _unknown_expectation(head):
            exchange.refuse(BadRequest(417, "only 100-continue can be expected here"))
            return
        answer.about(resource, request)
        if (peer is not None and peer.hops > edge.most_hops) or in_loop(
            head.headers, edge.node_id, edge.cdn_name, edge.most_hops
        ):
            answer.error(508, _LOOP)
            return
        if resource.service.signs and not self._to_be_signed(exchange, resource, request, answer):
            return
        cached = head.method in GET_OR_HEAD and not exchange.has_body and resource.rules.shared
        if cached and not head.plain and nominates(head.headers):
            cached = False
        if not cached:
            self._begin(self._pass(exchange, resource, request, answer), exchange, answer)
        elif peer is not None or not go_straight(
            edge, exchange, head, resource, request, answer, self._follow
        ):
            lookup = Lookup(edge, exchange, resource, request, answer)
            self._begin(self._serve(lookup, exchange, resource, answer), exchange, answer)

    def _follow(
        self, exchange: Exchange, resource: Resource, request: Request, answer: Response, fill: Fill
    ) -> None:
        """Answer a request from a fill that has begun for it."""
        lookup = Following(self.edge, exchange, resource, request, answer, fill)
        task = self._begin(self._serve(lookup, exchange, resource, answer), exchange, answer)
        task.add_done_callback(lambda _ended: lookup.leave())

    def _begin(
        self, work: Coroutine[Any, Any, None], exchange: Exchange, answer: Response
    ) -> asyncio.Task[None]:
        task = self.edge.loop.create_task(work)
        answer.task = task
        self.edge.tasks.track(task)
        task.add_done_callback(lambda ended: self._ended(ended, exchange, answer))
        return task

    def _asker(self, head: RequestHead, exchange: Exchange) -> Peer | None:
        """Return which server of the network asks; None for one that is not believed."""
        found = self.edge.membership.recognised(head, self._now(), exchange.client_certificate)
        if isinstance(found, Peer):
            return found
        self.edge.metrics.peer_requests_refused[found.value] += 1
        membership = self.edge.membership
        if membership.server:
            shown = exchange.client_certificate
            comes_from = membership.server_at(exchange.address)
            hosts = None if shown is None else tuple(sorted(shown.hosts)[:_MOST_NAMES])
            if not self._is_to_be_logged((found, comes_from, hosts)):
                return None
            log.warning(
                "peer_refused",
                reason=found.value,
                comes_from=comes_from,
                certificate_for=hosts,
                meaning=meaning_of(found.value),
            )
        return None

    def _is_to_be_logged(self, kind: _Refused) -> bool:
        """Return whether a kind of refusal was not logged lately: any client may claim to be a
        server, as often as it likes.
        """
        now, logged = self.edge.monotonic(), self._logged
        if now < logged.get(kind, 0.0):
            return False
        if len(logged) >= _MOST_REFUSED:
            logged.clear()
        logged[kind] = now + _LOG_AGAIN_S
        return True

    @staticmethod
    def _unknown_method(head: RequestHead, resource: Resource, answer: Response) -> None:
        """405 for a method that is common but not served here, else 501 (RFC 9110 section 9.1)."""
        method = head.method.decode("ascii")
        if head.method in KNOWN:
            allow = b", ".join(sorted(resource.service.methods))
            answer.error(405, f"{method} is not served here", extra=((b"allow", allow),))
        else:
            answer.error(501, f"{method} is not a method that is served here")

    def _to_be_signed(
        self, exchange: Exchange, resource: Resource, request: Request, answer: Response
    ) -> bool:
        """Return whether origins that need a signature may be asked this; if not, say so."""
        refusal = self.edge.upstreams.refusal(
            resource, request, own_target(resource, request), has_body=exchange.has_body
        )
        if refusal is None:
            return True
        extra = ((b"allow", b"GET, HEAD"),) if refusal.status == 405 else ()
        answer.error(refusal.status, refusal.message, extra=extra)
        return False

    def _own_options(self, exchange: Exchange, answer: Response) -> None:
        """OPTIONS * asks about this server itself (RFC 9110 section 9.3.7)."""
        fields = [
            (b"date", format_http_date(self._now())),
            (b"allow", ALLOWED),
        ]
        answer.cache = "pass"
        exchange.respond(204, prepared_head(204, fields, None))

    async def _serve(
        self, lookup: Lookup, exchange: Exchange, resource: Resource, answer: Response
    ) -> None:
        try:
            await lookup.run()
        except ClientGone as error:
            release_frames(error)
        except (OriginError, SliceFailed, SourceLost, StoreError, OSError, BadRequest) as error:
            self._failed(exchange, resource, answer, error)

    async def _pass(
        self, exchange: Exchange, resource: Resource, request: Request, answer: Response
    ) -> None:
        edge = self.edge
        with edge.places.hold(charged_to(answer.peer, exchange.address)) as held:
            if held:
                await self._pass_on(exchange, resource, request, answer)
            else:
                answer.error(503, TOO_MANY, Reason.TOO_MANY_REQUESTS.word)

    async def _pass_on(
        self, exchange: Exchange, resource: Resource, request: Request, answer: Response
    ) -> None:
        edge = self.edge
        posted = self._posts.begin(resource, request)
        try:
            response = await ask_origin(
                edge, exchange, resource, request, answer.attempt_logs, peer=answer.peer
            )
            fwd = Reason.REQUEST if request.method in GET_OR_HEAD else Reason.METHOD
            fields = answer.cache_fields(CacheResult("pass", fwd=fwd, fwd_status=response.status))
            try:
                if posted is not None:
                    posted.answered(response.head)
                invalidate_after(edge, resource, request, response.head)
                if posted is not None:
                    posted.follow()
            except BaseException:
                response.close()
                raise
            await pass_response(
                edge, exchange, request, response, fields, posted, to_peer=answer.peer is not None
            )
        except ClientGone as error:
            release_frames(error)
        except (OriginError, OSError, BadRequest) as error:
            self._failed(exchange, resource, answer, error)
        finally:
            if posted is not None:
                posted.close()

    def _ended(self, task: asyncio.Task[None], exchange: Exchange, answer: Response) -> None:
        """A fault of ours must not leave a client waiting."""
        # A task that was cancelled keeps its last frames, and they keep the answer.
        answer.task = None
        if task.cancelled() or task.exception() is None or exchange.context is not answer:
            return
        self._broke(exchange)

    def _broke(self, exchange: Exchange) -> None:
        """Answer a request at which our own code failed, or break off."""
        answer = exchange.context
        if not isinstance(answer, Response):
            answer = exchange.context = Response(self.edge, exchange, None, None)
        answer.fault()

    def _failed(
        self, exchange: Exchange, resource: Resource, answer: Response, error: Exception
    ) -> None:
        """Tell the client as much as can still be told."""
        reason = _word(error)
        if isinstance(error, OriginError):
            self.edge.metrics.origin_errors[reason] += 1
        log.warning(
            "request_failed", service=resource.service.name, reason=reason, problem=str(error)
        )
        if exchange.status and not exchange.discard_unsent():
            exchange.abort(Reason.ORIGIN_FAILED.word if isinstance(error, OriginError) else reason)
        elif isinstance(error, BadRequest):
            exchange.refuse(error)
        else:
            status = error.status if isinstance(error, OriginError | SliceFailed) else 502
            if isinstance(error, OSError) and error.errno in NO_DESCRIPTORS:
                status = 503
            answer.origin_error(status, reason, getattr(error, "summary", ""))
        release_frames(error)

    def refused(self, exchange: Exchange, error: BadRequest) -> None:
        """Answer a request that is refused before it has a resource."""
        answer = exchange.context
        if not isinstance(answer, Response):
            answer = Response(self.edge, exchange, None, None)
            exchange.context = answer
        self.accounting.parse_error(error.status)
        answer.error(error.status, str(error))


def _unknown_expectation(head: RequestHead) -> bool:
    """RFC 9110 section 10.1.1."""
    if head.plain or head.version == (1, 0):
        return False
    value = head.headers.get(b"expect")
    return value is not None and value.lower() != b"100-continue"


def _word(error: Exception) -> str:
    match error:
        case OriginError(failure=failure):
            return failure.value
        case SliceFailed(reason=reason):
            return reason
        case SourceLost():
            return Reason.REPRESENTATION_LOST.word
        case BadRequest():
            return Reason.BAD_REQUEST.word
        case _:
            return Reason.IO_ERROR.word
