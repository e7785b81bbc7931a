"""Takes requests from the connections and answers each at once: with a redirect, mostly.

`handle` and `_redirect` are the whole way of a usual request; no task is made and nothing is waited
for. Everything else is behind `_otherwise`.
"""

from __future__ import annotations

import structlog

from headrace.http.dates import format_http_date
from headrace.http.methods import GET_OR_HEAD, KNOWN
from headrace.http.parser import BadRequest, RequestHead
from headrace.http.server.exchange import Exchange
from headrace.http.target import QUERY, USUAL_TARGET
from headrace.reasons import Reason
from headrace.router.accounting import Accounting
from headrace.router.answers import send_json, send_preflight, send_problem
from headrace.router.api import answer_api
from headrace.router.askers import Asker
from headrace.router.asking import Unavailable
from headrace.router.clients import Client, Peer
from headrace.router.context import RouterContext
from headrace.router.covered import check_covered
from headrace.router.explain import explained
from headrace.router.network import ClassPlaces, Way
from headrace.router.requested import Requested, requested
from headrace.router.sent import SentRedirect
from headrace.routing.question import Question
from headrace.routing.straight import Straight
from headrace.topology.classify import Classified
from headrace.topology.model import Redirect

log = structlog.get_logger()

API_PREFIX = b"/v1/"
DEBUG_WORD = b"headrace-debug"
FAULT = "the router failed at this request; its log says more"
_REDIRECTED = tuple(sorted(KNOWN - {b"OPTIONS", b"TRACE"}))
_ALLOW = {
    Redirect.FOUND: b"GET, HEAD, OPTIONS",
    Redirect.TEMPORARY: b", ".join((*_REDIRECTED, b"OPTIONS")),
}


class RouterHandler:
    """The server's handler: see `headrace.http.server.exchange.Handler`."""

    def __init__(self, context: RouterContext, accounting: Accounting) -> None:
        self.context = context
        self._now = context.now
        self._accounting = accounting
        self.finished = accounting.finished
        self.event = accounting.event
        self.connections_changed = accounting.connections_changed

    def handle(self, exchange: Exchange) -> None:
        """Answer a request. A fault of ours must not leave its client waiting."""
        try:
            self._answer(exchange)
        except Exception:
            log.exception("request_failed")
            if exchange.status:
                exchange.abort(Reason.INTERNAL_ERROR.word)
            else:
                send_problem(exchange, 500, FAULT, self._now())

    def _answer(self, exchange: Exchange) -> None:
        head = exchange.head
        assert head is not None
        context = self.context
        secure, address, host, target = exchange.tls, exchange.address, head.host, head.target
        if head.method not in GET_OR_HEAD:
            self._otherwise(exchange, head)
            return
        if head.known:
            sent = context.sent[secure].entries.get((address, host, target))
            if sent is not None and (not secure or exchange.covered == sent.authority):
                self._send(exchange, head, sent.way, sent.start)
                return
        asker = context.askers[secure].entries.get((address, host))
        if (
            asker is None
            or (secure and exchange.covered != asker.authority)
            or target.startswith(API_PREFIX)
            or (context.debug.open and DEBUG_WORD in target)
        ):
            self._answer_usual(exchange, head)
            return
        usual = USUAL_TARGET.fullmatch(target)
        if usual is not None:
            shard = asker.shard_of(usual[1])
            straight = asker.straight or self._straight_of_proxied(asker, head, secure=secure)
            owners = straight.find(shard) if straight is not None and shard else None
            if straight is not None and owners is not None and owners.width == 1:
                way = straight.made.get(owners.servers[0].name)
                if isinstance(way, Way):
                    start = way.head + target
                    if head.known and not asker.peer.trusted:
                        sent = SentRedirect(start, way, asker.authority)
                        context.sent[secure].put((address, host, target), sent)
                    self._send(exchange, head, way, start)
                    return
        self._answer_usual(exchange, head)

    def _answer_usual(self, exchange: Exchange, head: RequestHead) -> None:
        """Answer GET or HEAD, quickly if client and host are known and the path is in its one
        form.
        """
        context = self.context
        secure, target = exchange.tls, head.target
        peer = context.clients.peers.get(exchange.address)
        authority = context.authorities[secure].entries.get(head.host)
        if (
            authority is not None
            and peer is not None
            and (not secure or exchange.covered == authority)
            and not target.startswith(API_PREFIX)
            and not (context.debug.open and DEBUG_WORD in target)
        ):
            found = self._classified(authority, target)
            if found is not None:
                self._note_asker(exchange, head, authority, peer)
                client = peer.client
                if peer.trusted:
                    client = context.clients.spoken_for(peer, head.headers)
                    secure = secure if client.secure is None else client.secure
                self._redirect(exchange, head, found, target, client, secure=secure)
                return
        self._otherwise(exchange, head)

    def _note_asker(
        self, exchange: Exchange, head: RequestHead, authority: bytes, peer: Peer
    ) -> None:
        """Note what will be the same for all that a client asks of a host, where there is such."""
        secure, context = exchange.tls, self.context
        whole = context.network.classes.whole(authority)
        if whole is None:
            return
        straight: Straight | None = None
        if not peer.trusted:
            speaks = True if secure else None
            straight = context.network.straight(peer.client.address, whole.content, speaks)
            if straight is None:
                return
        asker = Asker(authority, peer, whole.content, whole.shard_of, straight)
        context.askers[secure].put((exchange.address, head.host), asker)

    def _straight_of_proxied(
        self, asker: Asker, head: RequestHead, *, secure: bool
    ) -> Straight | None:
        """Return where the client goes for whom a proxy asks; None: that takes more."""
        context = self.context
        client = context.clients.spoken_for(asker.peer, head.headers)
        if client.secure is not None and client.secure is not secure:
            return None
        return context.network.straight(client.address, asker.content, True if secure else None)

    def _classified(self, authority: bytes, target: bytes) -> Classified | None:
        """Return what a target asks for whose path is in its one form as the client wrote it;
        None: it is none, or of no class.
        """
        network = self.context.network
        usual = USUAL_TARGET.fullmatch(target)
        if usual is not None:
            return network.classes.of(authority, usual[1])
        path, _mark, query = target.partition(b"?")
        # What is remembered is such a path, too.
        found = network.known.get((authority, path))
        return found if QUERY.fullmatch(query) else None

    def _redirect(
        self,
        exchange: Exchange,
        head: RequestHead,
        asked: Classified,
        suffix: bytes,
        client: Client,
        *,
        secure: bool,
    ) -> None:
        """Send a client to its server."""
        network, shard = self.context.network, asked.shard
        straight = network.straight(client.address, asked.content, True if secure else None)
        way: object = None
        if straight is not None and shard:
            owners = straight.find(shard)
            if owners.width == 1:
                way = straight.made.get(owners.servers[0].name)
        if not isinstance(way, Way):
            way = self._decided(exchange, asked, client, secure=secure)
            if way is None:
                self._refuse(exchange, Unavailable(self.context.retry_after))
                return
        self._send(exchange, head, way, way.head + suffix)

    def _decided(
        self, exchange: Exchange, asked: Classified, client: Client, *, secure: bool
    ) -> Way | None:
        """Return the way of a client by a whole decision; None, counted: nothing serves it."""
        context = self.context
        network, content = context.network, asked.content
        places = network.places[content.name]
        question = Question(client.address, content, asked.shard, True if secure else None, sites=1)
        straight = network.first(question)
        decision = straight or network.decide(question)
        for candidate in decision.candidates:
            place = places.place(candidate, secure=secure)
            if place.head:
                way = Way(place.head, place, places, place.tally.count_of(decision))
                if straight is not None:
                    network.keep(question, candidate, way)
                return way
        exchange.context = places
        context.tallies.of(None, content).count(decision)
        return None

    def _send(self, exchange: Exchange, head: RequestHead, way: Way, start: bytes) -> None:
        """Send a redirect whose first part is `start`, and count it."""
        way.count.number += 1
        exchange.context = way.place
        places = way.places
        now = self._now()
        if places.second != int(now):
            self._renew_tail(places, now)
        if (
            exchange.keep_alive
            and not exchange.head_only
            and not head.body_bytes
            and head.version == (1, 1)
        ):
            exchange.respond_at_once(places.status, start + places.tail)
        else:
            exchange.respond(places.status, start + places.tail)

    def _renew_tail(self, places: ClassPlaces, now: float) -> None:
        """Write what comes behind the path in a redirect of a class, for the second that is now.

        A redirect that a client keeps is one that a retry comes by again, to the same server.
        """
        max_age_s = min(self.context.max_age_s, places.content.ttl_s)
        kept = b"private, max-age=%d" % max_age_s if max_age_s >= 1 else b"no-store"
        places.tail = (
            b"\r\nDate: %s\r\nCache-Control: %s\r\nAccess-Control-Allow-Origin: *\r\n"
            b"Content-Length: 0\r\n\r\n" % (format_http_date(now), kept)
        )
        places.second = int(now)

    # Everything that is not a usual request for what was asked for before.

    def _otherwise(self, exchange: Exchange, head: RequestHead) -> None:
        context = self.context
        peer = context.clients.peer(exchange.address)
        client = context.clients.spoken_for(peer, head.headers) if peer.trusted else peer.client
        secure = exchange.tls if client.secure is None else client.secure
        try:
            if head.method == b"OPTIONS" and head.target == b"*":
                send_preflight(exchange, self._now(), _ALLOW[Redirect.FOUND])
                return
            if API_PREFIX in head.target and answer_api(
                context, exchange, head, client, secure=secure
            ):
                return
            asked = self._requested(exchange, head)
            exchange.context = asked.places
            if head.method == b"OPTIONS":
                send_preflight(exchange, self._now(), _ALLOW[asked.classified.content.redirect])
            elif not _may_be_redirected(head.method, asked.classified.content.redirect):
                self._method_refused(exchange, head, asked)
            elif DEBUG_WORD in head.target and context.debug.open:
                self._explain(exchange, head, asked, client, secure=secure)
            else:
                self._redirect(
                    exchange, head, asked.classified, asked.suffix, client, secure=secure
                )
        except BadRequest as error:
            self._refuse(exchange, error)

    def _requested(self, exchange: Exchange, head: RequestHead) -> Requested:
        """Return what a request asks for. Raises BadRequest."""
        context = self.context
        secure = exchange.tls
        scheme = b"https" if secure else b"http"
        asked = requested(context.network, head.target, head.host, scheme)
        if secure and exchange.covered != asked.authority:
            check_covered(exchange, asked.authority)
        if head.host is not None and head.target.startswith(b"/"):
            context.authorities[secure].put(head.host, asked.authority)
        return asked

    def _method_refused(self, exchange: Exchange, head: RequestHead, asked: Requested) -> None:
        """405 for a method that is common but not redirected here, else 501."""
        method = head.method.decode("ascii")
        if head.method in KNOWN:
            allow = ((b"allow", _ALLOW[asked.classified.content.redirect]),)
            detail = f"{method} is not redirected here"
            send_problem(exchange, 405, detail, self._now(), allow)
        else:
            detail = f"{method} is not a method that is served here"
            send_problem(exchange, 501, detail, self._now())

    def _explain(
        self,
        exchange: Exchange,
        head: RequestHead,
        asked: Requested,
        client: Client,
        *,
        secure: bool,
    ) -> None:
        """Say how the decision is made, to those who may see it."""
        if not self.context.debug.allows(client.address, head.headers):
            raise BadRequest(403, "the debug answer is for those that the configuration names")
        self.context.metrics.router_answers["debug"] += 1
        body = explained(self.context.network, asked.question(client.address, secure=secure))
        send_json(exchange, body, self._now())

    def _refuse(self, exchange: Exchange, error: BadRequest) -> None:
        """Answer what is wrong with a request that was read well: the connection may stay."""
        extra = error.extra if isinstance(error, Unavailable) else ()
        send_problem(exchange, error.status, str(error), self._now(), extra)

    def refused(self, exchange: Exchange, error: BadRequest) -> None:
        """Answer a request that cannot be understood; the connection closes afterwards."""
        self._accounting.parse_error(error.status)
        send_problem(exchange, error.status, str(error), self._now())


def _may_be_redirected(method: bytes, redirect: Redirect) -> bool:
    """Return whether a client does the right thing with this redirect: a 302 may turn another
    method into GET (RFC 9110 section 15.4.3), a 307 keeps it.
    """
    return method in GET_OR_HEAD or (redirect is Redirect.TEMPORARY and method in _REDIRECTED)
