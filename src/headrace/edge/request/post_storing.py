"""Stores answers to POST for later GETs, where the service allows it.

The answer goes to its client as it comes; a copy of the body is held in memory meanwhile, for at
most `MOST_BYTES` an answer and `MOST_HELD_BYTES` a worker, so that a slow client locks nothing.
What is longer, or was cut off, is not stored. Nothing here can fail a request.
"""

from __future__ import annotations

from headrace.cache.posting import decide_post_storing
from headrace.cache.record import StoredResponse
from headrace.cache.storing import Storing
from headrace.cache.vary import variant_text
from headrace.edge.context import WorkerContext
from headrace.edge.fill.names import VERSION_BYTES, part_name
from headrace.edge.service.resource import Resource
from headrace.http.message import Request, ResponseHead
from headrace.http.parser import ParsedResponseHead
from headrace.reasons import Reason
from headrace.store import Busy, StoreError

MOST_BYTES = 1024 * 1024
MOST_HELD_BYTES = 16 * 1024 * 1024


class PostStoring:
    """The answers to POST that pass through this worker now and may be stored."""

    def __init__(self, edge: WorkerContext) -> None:
        self.edge = edge
        self.held_bytes = 0

    def begin(self, resource: Resource, request: Request) -> PostedAnswer | None:
        """Before the origin is asked; None where its answer cannot be stored."""
        rules = resource.rules
        if request.method != b"POST" or not rules.store_post_answers or not rules.shared:
            return None
        if resource.service.keyed_fields or rules.languages:
            return None  # this request was not asked in the words that tell variants apart
        return PostedAnswer(self, resource, request)


class PostedAnswer:
    """One answer on its way. `close` it in the end, whatever came of it."""

    def __init__(self, posts: PostStoring, resource: Resource, request: Request) -> None:
        self._posts = posts
        self._resource = resource
        self._request = request
        self._request_time = posts.edge.now()
        self._response_time = 0.0
        self._status = 0
        self._began = posts.edge.store.generation()
        self._generation = -1
        self._storing: Storing | None = None
        self._body = bytearray()

    def answered(self, head: ParsedResponseHead) -> None:
        """Decide. Call it before this request's own invalidation."""
        edge, resource = self._posts.edge, self._resource
        self._response_time = edge.now()
        if edge.store.generation() != self._began:
            return  # something was purged meanwhile, perhaps because of a later POST
        if head.body_bytes == -2 or head.body_bytes > self._most_bytes():
            return  # the end of a body that lasts until the connection does proves nothing
        storing = decide_post_storing(
            self._request,
            ResponseHead(head.status, head.headers, head.reason, head.version),
            resource.rules,
            resource.service.key_rules,
            request_time=self._request_time,
            response_time=self._response_time,
        )
        if storing.store:
            self._status = head.status
            self._storing = storing

    def follow(self) -> None:
        """Follow the body: what is purged from here on takes this answer with it."""
        self._generation = self._posts.edge.store.generation()

    def take(self, piece: memoryview) -> None:
        """Keep a copy of what is sent on."""
        if self._storing is None:
            return
        posts = self._posts
        more = len(piece)
        if len(self._body) + more > self._most_bytes() or posts.held_bytes + more > MOST_HELD_BYTES:
            self.close()
            return
        self._body += piece
        posts.held_bytes += more

    def ended(self) -> None:
        """File the body, which has come whole, before the client can know that it was all."""
        edge, storing = self._posts.edge, self._storing
        if storing is None or edge.reason_not_to_store(len(self._body), self._resource.rules):
            return
        stored = self._record(storing)
        try:
            self._file(stored)
        except (StoreError, OSError) as error:
            edge.store_trouble(error)
        edge.hot.drop(stored.key, stored.variant)

    def close(self) -> None:
        """Release the copy. Idempotent."""
        self._posts.held_bytes -= len(self._body)
        self._body = bytearray()
        self._storing = None

    def _most_bytes(self) -> int:
        limit = self._resource.rules.max_object_bytes
        most = min(MOST_BYTES, self._posts.edge.slice_bytes)
        return most if limit is None else min(most, limit)

    def _record(self, storing: Storing) -> StoredResponse:
        resource = self._resource
        return StoredResponse(
            key=resource.key,
            variant=variant_text(storing.vary, self._request.headers, resource.rules),
            vary=storing.vary,
            status=self._status,
            headers=storing.headers,
            response_time=self._response_time,
            corrected_age_s=storing.corrected_age_s,
            lifetime_s=storing.lifetime_s,
            stale_while_revalidate_s=storing.stale_while_revalidate_s,
            stale_if_error_s=storing.stale_if_error_s,
            flags=int(storing.flags),
            length=len(self._body),
            slice_bytes=self._posts.edge.slice_bytes,
            version=self._posts.edge.random_bytes(
                VERSION_BYTES
            ),  # never combined with slices that a GET brought
            generation=self._generation,
            tags=storing.tags,
        )

    def _file(self, stored: StoredResponse) -> None:
        """Raises StoreError, OSError."""
        part = self._posts.edge.store.begin_part(
            part_name(self._resource.key_hash, stored.variant), 0
        )
        if isinstance(part, Busy):
            return  # a GET is being answered with what is newer, or as new
        try:
            part.set_head(stored)
            part.write(self._body, 0)
            part.finish(stored, len(self._body))
        except BaseException:
            part.fail(Reason.STORE_FAILED)
            raise
        finally:
            part.close()
