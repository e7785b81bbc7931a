"""Answers that are sent at once: a prepared head and a body in memory or mapped, without a task.

Most requests of a busy edge take no more than this. Measure before adding a call or a look-up.
"""

from __future__ import annotations

import math

from headrace.cache.freshness import current_age_s, remaining_s
from headrace.cache.record import StoredResponse
from headrace.cache.status import cache_status
from headrace.cache.vary import variant_text
from headrace.edge.context import WorkerContext
from headrace.edge.hot import Hit, HotEntry, ReadyHit
from headrace.edge.peers.purges import began_field, effect
from headrace.edge.request.promote import AtHand, at_hand, promoted
from headrace.edge.request.response import CacheResult, Response
from headrace.edge.service.resource import Resource
from headrace.edge.service.response_heads import (
    HitHeads,
    head_of_one_hit,
    hit_head,
    ready_head,
    stored_fields,
)
from headrace.http.hosts import host_of
from headrace.http.message import Field
from headrace.http.methods import GET_OR_HEAD
from headrace.http.parser import RequestHead
from headrace.http.ranges import PARTIAL_END, lone_span
from headrace.http.server.exchange import Exchange
from headrace.http.server.send_queue import View
from headrace.store import StoreError


class HotHits:
    """Sends hot entries. `EdgeHandler` builds on it."""

    def __init__(self, edge: WorkerContext) -> None:
        self.edge = edge
        self._now = edge.now
        self._generation = edge.store.state.generation
        self._touch = edge.store.state.touch

    def send_hot(self, exchange: Exchange, head: RequestHead, entry: HotEntry) -> bool:
        """Send a prepared answer if it still holds."""
        edge = self.edge
        if head.method not in GET_OR_HEAD:
            return False
        if self._generation() != edge.purged_up_to:
            try:
                edge.apply_purges()
            except StoreError:
                return False  # it may be purged; the longer way knows what to do about it
        now = self._now()
        if now >= entry.until and not self._still_stored(entry, now):
            return False
        second = int(now)
        if entry.second != second:
            self._prepare(entry, now, second)
        entry.used = True
        if now >= entry.renewal:
            self._renew_soon(entry)
        if head.lone_range is not None:
            return self._send_hot_range(exchange, head.lone_range, entry, now)
        if entry.body is None:
            return False
        if entry.slot >= 0:
            self._touch(entry.slot)
        exchange.context = entry
        if (
            entry.whole
            and exchange.keep_alive
            and not exchange.head_only
            and head.version == (1, 1)
        ):
            exchange.respond_at_once(entry.stored.status, entry.whole)
            return True
        exchange.respond(entry.stored.status, entry.prepared, entry.body, entry.opened)
        return True

    def send_ready(
        self, exchange: Exchange, head: RequestHead, resource: Resource | None
    ) -> bool | None:
        """Send a small response that stands in the index with its head, if it needs no decision;
        None: nothing at all is stored. `resource` is what is asked for where that is known:
        nothing is made of it here.
        """
        edge = self.edge
        if resource is None:
            site = edge.resources.site(head.host, tls=exchange.tls)
            asked = None if site is None else site.asked(head.target)
            if site is None or asked is None:
                return False
            service, authority = site.service, site.authority
            rules, hashed = asked
        else:
            service, authority = resource.service, resource.authority
            rules, hashed = resource.rules, resource.key_hash
        if not (service.sends_ready and rules.shared) or (
            exchange.tls and not covers(exchange, authority)
        ):
            return False
        try:
            if self._generation() != edge.purged_up_to:
                edge.apply_purges()
            now = self._now()
            found = edge.store.ready(
                hashed, now, lambda vary: variant_text(vary, head.headers, rules)
            )
        except StoreError:
            return False  # the longer way knows what to do about it
        if not found:
            return found
        block, body = found
        hot = edge.hot
        if hot.memory_bytes and hot.admits(hash(hashed)):
            if resource is None:
                resource = edge.resources.find(head, tls=exchange.tls)
            at_hand = AtHand(
                block.stored(), memoryview(body), block.slot, edge.purged_up_to, True, now
            )
            entry = promoted(edge, resource, at_hand)
            if entry is not None and self.send_hot(exchange, head, entry):
                return True
        self._touch(block.slot)
        exchange.context = ReadyHit(service.tally, block, edge.resources, head, exchange.tls)
        prepared = ready_head(block, now, edge.node_id_bytes)
        if exchange.keep_alive and not exchange.head_only and head.version == (1, 1):
            exchange.respond_at_once(block.status, prepared + body)
        else:
            exchange.respond(block.status, prepared, memoryview(body))
        return True

    def send_stored(self, exchange: Exchange, head: RequestHead, resource: Resource) -> bool:
        """Send what is stored whole, if it needs no decision: by a hot entry that is made of it,
        or for this once, as long as it is not known to be asked for again.
        """
        edge = self.edge
        found = at_hand(edge, resource, head.headers)
        if found is None:
            return False
        hot = edge.hot
        if hot.memory_bytes and (not found.inside or hot.admits(hash(resource.key_hash))):
            entry = promoted(edge, resource, found)
            if entry is not None and self.send_hot(exchange, head, entry):
                return True
        if not found.inside:
            return False
        self._touch(found.slot)
        stored, now, service = found.stored, found.now, resource.service
        exchange.context = Hit(resource, stored)
        if service.debug or service.server_timing:
            prepared = hit_head(stored, self._hit_fields(resource, stored, now))
        else:
            prepared = head_of_one_hit(stored, now, edge.node_id_bytes)
        assert isinstance(found.body, memoryview)
        if exchange.keep_alive and not exchange.head_only and head.version == (1, 1):
            exchange.respond_at_once(stored.status, prepared + found.body)
        else:
            exchange.respond(stored.status, prepared, found.body)
        return True

    def _hit_fields(self, resource: Resource, stored: StoredResponse, now: float) -> list[Field]:
        """Return the fields of a hit at `now`."""
        edge = self.edge
        fields = stored_fields(stored, now, edge.node_id_bytes)
        service = resource.service
        if service.debug or service.server_timing:
            answer = Response(edge, None, resource, None)
            return fields + answer.cache_fields(CacheResult("hit"), stored)
        ttl = int(remaining_s(stored, now))
        fields.append((b"cache-status", cache_status(edge.node_id_bytes, hit=True, ttl=ttl)))
        return fields

    def send_hot_to_server(
        self, exchange: Exchange, head: RequestHead, resource: Resource, answer: Response
    ) -> bool:
        """Send a prepared answer to the server of the network that asks, if one is at hand that no
        purge hits of which it knows; and how old it is.
        """
        edge, peer = self.edge, answer.peer
        assert peer is not None
        try:
            edge.apply_purges()
        except StoreError:
            return False
        found = resource.hot
        if found is None and resource.vary is not None:
            variant = variant_text(resource.vary, head.headers, resource.rules)
            found = edge.hot.get(resource.key, variant)
        if found is None and head.plain:
            stored = at_hand(edge, resource, head.headers)
            if stored is not None:
                found = promoted(edge, resource, stored)
        now = self._now()
        if not isinstance(found, HotEntry) or effect(peer.purges, found.stored):
            return False
        if now >= found.until and not self._still_stored(found, now):
            return False
        if found.second != int(now):
            self._prepare(found, now, int(now))
        found.used = True
        if now >= found.renewal:
            self._renew_soon(found)
        line = b"Headrace-Began: %s\r\n" % began_field(found.stored, now)[1]
        # What is counted when the answer ends, which may be at once.
        answer.resource, answer.cache = resource, "hit"
        answer.age_s = current_age_s(found.stored, now)
        if head.lone_range is not None:
            return self._send_hot_range(exchange, head.lone_range, found, now, answer, line)
        if found.body is None:
            return False
        if found.slot >= 0:
            self._touch(found.slot)
        exchange.context = answer
        prepared = found.prepared[:-2] + line + b"\r\n"
        exchange.respond(found.stored.status, prepared, found.body, found.opened)
        return True

    def _renew_soon(self, entry: HotEntry) -> None:
        """Ask the store and the body's pages again once this answer is sent, so that no
        client waits for it.
        """
        entry.renewal = math.inf

        self.edge.loop.call_soon(self._check_again, entry)

    def _check_again(self, entry: HotEntry) -> None:
        if not entry.until:
            return
        if not self._still_stored(entry, self._now()):
            self.edge.hot.drop(entry.stored.key, entry.stored.variant)
        elif entry.opened is not None:
            entry.opened.look(self.edge.monotonic())

    def _still_stored(self, entry: HotEntry, now: float) -> bool:
        """Return whether the store has the very same response; then the entry stays."""
        if now >= entry.fresh_until:
            return False
        store, stored, resource = self.edge.store, entry.stored, entry.resource
        try:
            if (store.vary_of(resource.key_hash) or ()) != stored.vary:
                return False
            if store.lookup(resource.key_hash, stored.variant) != stored:
                return False
        except StoreError:
            return False  # the longer way knows what to do about it
        entry.renew(now)
        return True

    def _send_hot_range(
        self, exchange: Exchange, value: bytes, entry: HotEntry, now: float,
        answer: Response | None = None, line: bytes = b"",
    ) -> bool:  # fmt: skip
        """Send one range of a response whose slices are at hand; anything else takes its time."""
        stored = entry.stored
        if stored.status != 200 or exchange.head_only:
            return False
        length = stored.length
        span = lone_span(value, length)
        if span is None:
            return False
        start, end = span
        pieces: list[View] | None
        if entry.body is not None:
            if entry.slot >= 0:
                self._touch(entry.slot)
            pieces = [(entry.body[start:end], entry.opened, start)]
        else:
            pieces = self.edge.bodies.pieces(stored, start, end)
            if pieces is None:
                return False
        exchange.context = entry if answer is None else answer
        if not entry.partial:
            assert entry.heads is not None
            entry.partial = entry.heads.partial(now)
        head = entry.partial + line + PARTIAL_END % (start, end - 1, length, end - start)
        if len(pieces) == 1:
            exchange.respond(206, head, *pieces[0])
        else:
            exchange.respond_in_pieces(206, head, pieces)
        return True

    def _prepare(self, entry: HotEntry, now: float, second: int) -> None:
        stored = entry.stored
        if entry.heads is None:
            entry.heads = HitHeads(stored, self._hit_fields(entry.resource, stored, now))
        entry.prepared = entry.heads.whole(now)
        entry.partial = b""
        if entry.body is not None and entry.opened is None:
            # In one, and kept once: the body is from here on the end of it.
            entry.whole = entry.prepared + entry.body
            entry.body = memoryview(entry.whole)[len(entry.prepared) :]
        entry.second = second


def covers(exchange: Exchange, authority: bytes) -> bool:
    """Return whether this TLS connection's certificate speaks for the host that is asked for.
    Looked up once for each host, as long as a exchange stays with it.
    """
    if exchange.covered == authority:
        return True
    host = host_of(authority).decode("latin-1")
    if host and not exchange.certificate_covers(host):
        return False
    exchange.covered = authority
    return True
