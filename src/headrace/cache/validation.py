"""Validating stored responses, and updating them by what comes back. Pure.

RFC 9111 sections 3.2, 3.4, 4.3; RFC 9110 sections 8.8 and 15.3.7.3.
"""

from __future__ import annotations

import msgspec

from headrace.cache.freshness import corrected_initial_age_s
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.rules import CacheRules
from headrace.cache.statuses import FIRST_ERROR
from headrace.cache.storing import decide_storing, kept_fields, response_directives
from headrace.cache.vary import vary_names
from headrace.http.dates import format_http_date
from headrace.http.fields import hop_by_hop
from headrace.http.message import Field, Headers, Request, ResponseHead
from headrace.http.validators import is_weak, weakly_equal

# A 304 or a HEAD's answer says nothing about these (RFC 9111 section 3.2), or only what the
# record's variant already says (Vary).
_NOT_UPDATED = frozenset(
    (
        b"content-length",
        b"content-encoding",
        b"content-type",
        b"content-range",
        b"trailer",
        b"vary",
    )
)
# Why an answer may not be stored although others to the same question may.
_NOT_FOR_ALL = frozenset((b"authorization", b"request-no-store", b"set-cookie"))


def validation_fields(stored: StoredResponse) -> tuple[Field, ...]:
    """Return the conditions of a validating request (RFC 9111 section 4.3.1)."""
    fields: list[Field] = []
    for name, value in stored.headers:
        if name == b"etag":
            fields.append((b"if-none-match", value))
        elif name == b"last-modified":
            fields.append((b"if-modified-since", value))
    return tuple(fields)


def freshened(
    stored: StoredResponse,
    response: ResponseHead,
    rules: CacheRules,
    request: Request,
    *,
    request_time: float,
    response_time: float,
) -> StoredResponse:
    """Return the stored response after a 304 (RFC 9111 sections 3.2 and 4.3.4).

    A 304 about another representation, or to a request whose answers are not for all, leaves it
    stale as it was. One that forbids storing makes it need validation each time.
    """
    if not corresponds(Headers(stored.headers), response.headers):
        return stored
    if not _varies_alike(stored, response.headers):
        return _to_be_validated(stored, response_time)
    headers = _updated(Headers(stored.headers), response.headers, response_time)
    storing = decide_storing(
        request, ResponseHead(stored.status, headers), rules,
        request_time=request_time, response_time=response_time,
    )  # fmt: skip
    if storing.reason in _NOT_FOR_ALL:
        return stored
    silent = _is_silent(response.headers, rules)
    # An error's time is its statuses' rule, whatever was once said.
    keeps = silent and not _counts_from_date(stored) and stored.status < FIRST_ERROR
    if not storing.store and not keeps:
        return _to_be_validated(stored, response_time)
    known_flags = stored.flags & ~int(StoredFlag.INVALIDATED) if silent else 0
    renewed = msgspec.structs.replace(
        stored,
        headers=kept_fields(headers, response_directives(headers, rules)[0], rules),
        response_time=response_time,
        corrected_age_s=corrected_initial_age_s(
            headers, request_time=request_time, response_time=response_time
        ),
        flags=known_flags,
        tags=storing.tags or stored.tags,
    )
    if keeps:
        return renewed
    return msgspec.structs.replace(
        renewed,
        lifetime_s=min(storing.lifetime_s, stored.lifetime_s) if silent else storing.lifetime_s,
        stale_while_revalidate_s=storing.stale_while_revalidate_s,
        stale_if_error_s=storing.stale_if_error_s,
        flags=int(storing.flags) | known_flags,
    )


def corresponds(stored: Headers, news: Headers) -> bool:
    """Return whether a 304 is about this stored response (RFC 9111 section 4.3.4).

    By entity tag, weakly compared, else by Last-Modified; a 304 without either is about whatever
    was asked for. Servers that compress on the way out weaken the tag of a 200 and leave that of a
    304 strong; as only one tag was asked about, it can be no other representation.
    """
    tag = news.get(b"etag")
    if tag is not None:
        return weakly_equal(stored.get(b"etag") or b"", tag)
    modified = news.get(b"last-modified")
    return modified is None or modified == stored.get(b"last-modified")


def _varies_alike(stored: StoredResponse, news: Headers) -> bool:
    """Return whether the variant still is one: a 304 may name fewer fields in Vary, not others."""
    names = vary_names(news)
    return names is not None and set(names) <= set(stored.vary)


def _is_silent(news: Headers, rules: CacheRules) -> bool:
    """Return whether a 304 says nothing of freshness, so that what is stored still holds.

    The record knows it, its fields may not: the targeted field meant for this cache is not kept.
    """
    if rules.force_lifetime_s is not None:
        return False
    return not any(name in news for name in (b"cache-control", b"expires", *rules.targeted))


def _counts_from_date(stored: StoredResponse) -> bool:
    """Return whether a lifetime may shrink as Date moves on: one guessed, or given by Expires."""
    return bool(stored.flags & StoredFlag.HEURISTIC) or b"expires" in Headers(stored.headers)


def _to_be_validated(stored: StoredResponse, response_time: float) -> StoredResponse:
    """Return the record as one to validate before each use, for the origin still has it."""
    return msgspec.structs.replace(
        stored,
        response_time=response_time,
        corrected_age_s=0.0,
        lifetime_s=0.0,
        stale_while_revalidate_s=0.0,
        stale_if_error_s=0.0,
        flags=int(StoredFlag.NO_CACHE),
    )


def _updated(stored: Headers, news: Headers, response_time: float) -> Headers:
    """Replace all lines of a name by the field of the answer (RFC 9111 section 3.2).

    An answer without Date counts as made when it came (RFC 9110 section 6.6.1). A strong tag is not
    put on a body that is known by a weak one: parts of both would be taken for one.
    """
    skipped = _NOT_UPDATED | hop_by_hop(news)
    if is_weak(stored.get(b"etag") or b""):
        skipped |= {b"etag"}
    fresh = [field for field in news if field[0] not in skipped]
    if b"date" not in news:
        fresh.append((b"date", format_http_date(response_time)))
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
    """Return the stored response after a 200 to HEAD; None when it is outdated (RFC 9111 4.3.5).

    One without a validator shows by its length alone that the stored response is outdated, never
    that it is not: then all stays as it was.
    """
    known = Headers(stored.headers)
    agrees = False
    for name in (b"etag", b"last-modified"):
        value = response.headers.get(name)
        if value is not None:
            if value != known.get(name):
                return None
            agrees = True
    length = response.headers.get(b"content-length")
    if length is not None and stored.length >= 0 and length != b"%d" % stored.length:
        return None
    if not agrees:
        return stored
    as_get = Request(
        b"GET", request.target, request.scheme, request.authority, request.path, request.query,
        request.version, request.headers,
    )  # fmt: skip
    return freshened(
        stored, response, rules, as_get, request_time=request_time, response_time=response_time
    )
