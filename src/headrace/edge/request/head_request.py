"""What the answer to a HEAD tells of a stored response (RFC 9111 section 4.3.5)."""

from __future__ import annotations

import msgspec

from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.validation import head_update
from headrace.edge.context import WorkerContext
from headrace.edge.service.resource import Resource
from headrace.http.message import Request, ResponseHead
from headrace.http.parser import ParsedResponseHead


def learn(
    edge: WorkerContext,
    resource: Resource,
    request: Request,
    stored: StoredResponse,
    head: ParsedResponseHead,
    *,
    request_time: float,
    generation: int,
) -> None:
    """Freshen or invalidate what is stored. `generation` is of the purges before the request.

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
        updated = msgspec.structs.replace(updated, generation=generation)
    edge.store.record(updated, resource.key_hash)
    edge.hot.drop(stored.key, stored.variant)
