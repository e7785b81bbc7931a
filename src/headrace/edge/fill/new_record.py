"""The record of a response that is about to be stored. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from headrace.cache.presented_fields import headers_asked, vary_with
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.slice_requests import BodySpan
from headrace.cache.storing import Storing
from headrace.cache.validation import freshened
from headrace.cache.vary import variant_text
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.names import version_of
from headrace.edge.peers.provenance import CHAIN, Provenance
from headrace.http.message import ResponseHead


def version_flag(head: ResponseHead) -> int:
    """Return the flag that keeps in mind that an origin speaks HTTP/1.0, or 0."""
    return int(StoredFlag.HTTP_1_0) if head.version == (1, 0) else 0


def as_whole(head: ResponseHead) -> ResponseHead:
    """Return a partial response as the storing rules shall see it: the whole, less what is of the
    part.
    """
    if head.status != 206:
        return head
    headers = head.headers.without((b"content-range", b"content-length"))
    return ResponseHead(200, headers, head.reason, head.version)


def new_record(
    asked: FillRequest,
    head: ResponseHead,
    storing: Storing,
    span: BodySpan,
    *,
    response_time: float,
    source: Provenance,
    generation: int,
    slice_bytes: int,
    random_bytes: Callable[[int], bytes],
) -> StoredResponse:
    """Return the record of what an origin answered to a fill, received at `response_time`."""
    resource = asked.resource
    vary = vary_with(storing.vary, asked.variant, head.headers, resource.rules)
    # Of what Vary names, the origin saw what it was asked with: its answer is for that.
    presented = headers_asked(asked.variant, asked.request.headers, resource.rules)
    variant = variant_text(vary, presented, resource.rules)
    return StoredResponse(
        key=resource.key,
        variant=variant,
        vary=vary,
        status=200 if head.status == 206 else head.status,
        headers=storing.headers + source.chain,
        response_time=response_time,
        corrected_age_s=storing.corrected_age_s,
        lifetime_s=storing.lifetime_s,
        stale_while_revalidate_s=storing.stale_while_revalidate_s,
        stale_if_error_s=storing.stale_if_error_s,
        flags=int(storing.flags) | version_flag(head),
        length=-1 if span.total is None else span.total,
        slice_bytes=slice_bytes,
        version=version_of(
            resource.key, variant, head.headers, generation, slice_bytes, random_bytes
        ),
        generation=generation,
        tags=storing.tags,
        began_at=source.began_at,
    )


def renewed_record(
    asked: FillRequest,
    stored: StoredResponse,
    head: ResponseHead,
    *,
    request_time: float,
    response_time: float,
    source: Provenance,
    generation: int,
) -> StoredResponse:
    """Return the record after a 304."""
    renewed = freshened(
        stored, head, asked.resource.rules, asked.request,
        request_time=request_time, response_time=response_time,
    )  # fmt: skip
    headers = tuple(field for field in renewed.headers if field[0] != CHAIN)
    return msgspec.structs.replace(
        renewed,
        headers=headers + source.chain,
        generation=generation,
        flags=renewed.flags & ~int(StoredFlag.HTTP_1_0) | version_flag(head),
        began_at=stored.began_at if renewed is stored else source.began_at,
    )
