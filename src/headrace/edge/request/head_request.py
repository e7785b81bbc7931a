"""What the answer to a HEAD tells of a stored response (RFC 9111 section 4.3.5)."""

from __future__ import annotations

import msgspec

from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.validation import head_update
from headrace.edge.context import WorkerContext
from headrace.edge.peers.provenance import provenance
from headrace.edge.request.passthrough import own_target
from headrace.edge.service.forwarded_fields import asks_the_same
from headrace.edge.service.resource import Resource
from headrace.http.message import Request, ResponseHead
from headrace.http.parser import ParsedResponseHead


def speaks_for_all(resource: Resource, request: Request, variant: bytes) -> bool:
    """Return whether a client's own request says no more than a shared one would, so that its
    answer may tell of what others get.
    """
    same = asks_the_same(resource.service, request, variant)
    return same and own_target(resource, request) == resource.upstream_target


def learn(
    edge: WorkerContext,
    resource: Resource,
    request: Request,
    stored: StoredResponse,
    head: ParsedResponseHead,
    *,
    request_time: float,
    generation: int,
    by_server: bool,
) -> None:
    """Freshen or invalidate what is stored. `generation` is of the purges before the request;
    `by_server`: another server of the network answers.

    Raises StoreError.
    """
    if head.status != 200 or stored.status != 200:
        return
    updated = head_update(
        stored,
        ResponseHead(head.status, head.headers, head.reason, head.version),
        resource.rules,
        request,
        request_time=request_time,
        response_time=edge.now(),
    )
    if updated is None:
        updated = msgspec.structs.replace(stored, flags=stored.flags | StoredFlag.INVALIDATED)
    else:
        source = provenance(head.headers, request_time, by_server=by_server)
        updated = msgspec.structs.replace(updated, generation=generation, began_at=source.began_at)
    edge.store.record(updated, resource.key_hash)
    edge.hot.drop(stored.key, stored.variant)
