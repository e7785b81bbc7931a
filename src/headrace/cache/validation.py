"""Validating stored responses, and updating them by what comes back. Pure.

RFC 9111 sections 3.2, 3.4, 4.3; RFC 9110 sections 8.8 and 15.3.7.3.
"""

from __future__ import annotations

import msgspec

from headrace.cache.rules import CacheRules
from headrace.cache.stored import StoredFlag, StoredResponse
from headrace.cache.storing import decide_storing
from headrace.http.fields import hop_by_hop
from headrace.http.message import Field, Headers, Request, ResponseHead

# A 304 or a HEAD's answer says nothing about these (RFC 9111 section 3.2).
_NOT_UPDATED = frozenset(
    (b"content-length", b"content-encoding", b"content-type", b"content-range", b"age", b"trailer")
)


def is_strong(tag: bytes) -> bool:
    """Whether an entity tag is a strong validator (RFC 9110 section 8.8.1)."""
    return len(tag) >= 2 and tag.startswith(b'"') and tag.endswith(b'"')


def validation_fields(stored: StoredResponse) -> tuple[Field, ...]:
    """The conditions of a validating request (RFC 9111 section 4.3.1)."""
    fields: list[Field] = []
    for name, value in stored.headers:
        if name == b"etag":
            fields.append((b"if-none-match", value))
        elif name == b"last-modified":
            fields.append((b"if-modified-since", value))
    return tuple(fields)


def same_representation(one: Headers, other: Headers) -> bool:
    """Whether two responses carry the same strong entity tag, so that parts may be combined
    (RFC 9110 section 15.3.7.3).
    """
    tag = one.get(b"etag")
    return tag is not None and is_strong(tag) and tag == other.get(b"etag")


def freshened(
    stored: StoredResponse,
    response: ResponseHead,
    rules: CacheRules,
    request: Request,
    *,
    request_time: float,
    response_time: float,
) -> StoredResponse:
    """The stored response after a 304 (RFC 9111 sections 3.2 and 4.3.4).

    When the updated fields no longer allow storing, it is stale at once and must be validated.
    """
    headers = _updated(Headers(stored.headers), response.headers)
    storing = decide_storing(
        request, ResponseHead(stored.status, headers), rules,
        request_time=request_time, response_time=response_time,
    )  # fmt: skip
    if not storing.store:
        return msgspec.structs.replace(
            stored,
            response_time=response_time,
            corrected_age_s=0.0,
            lifetime_s=0.0,
            stale_while_revalidate_s=0.0,
            stale_if_error_s=0.0,
            flags=int(StoredFlag.NO_CACHE),
        )
    return msgspec.structs.replace(
        stored,
        headers=storing.headers,
        response_time=response_time,
        corrected_age_s=storing.corrected_age_s,
        lifetime_s=storing.lifetime_s,
        stale_while_revalidate_s=storing.stale_while_revalidate_s,
        stale_if_error_s=storing.stale_if_error_s,
        flags=int(storing.flags),
        tags=storing.tags or stored.tags,
    )


def _updated(stored: Headers, news: Headers) -> Headers:
    """Each field of the answer replaces all lines of that name (RFC 9111 section 3.2)."""
    skipped = _NOT_UPDATED | hop_by_hop(news)
    fresh = [field for field in news if field[0] not in skipped]
    return stored.without(name for name, _value in fresh).plus(fresh)


def head_update(
    stored: StoredResponse,
    response: ResponseHead,
    rules: CacheRules,
    request: Request,
    *,
    request_time: float,
    response_time: float,
) -> StoredResponse | None:
    """The stored response after a 200 to HEAD; None when it is outdated (RFC 9111 4.3.5)."""
    known = Headers(stored.headers)
    for name in (b"etag", b"last-modified"):
        value = response.headers.get(name)
        if value is not None and value != known.get(name):
            return None
    length = response.headers.get(b"content-length")
    if length is not None and length != b"%d" % stored.length:
        return None
    as_get = Request(
        b"GET", request.target, request.scheme, request.authority, request.path, request.query,
        request.version, request.headers,
    )  # fmt: skip
    return freshened(
        stored, response, rules, as_get, request_time=request_time, response_time=response_time
    )
