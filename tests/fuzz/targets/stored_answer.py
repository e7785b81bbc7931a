"""An origin's fields on their way through the store to a client: nothing raises, and the head that
a client gets is the one that was meant, line for line.

The input is the fields of two answers (the second renews the first) and of a request.
"""

from __future__ import annotations

from headrace.cache.freshness import current_age_s, hot_until, remaining_s
from headrace.cache.record import StoredResponse
from headrace.cache.reuse import decide_reuse
from headrace.cache.rules import CacheRules
from headrace.cache.status import cache_status
from headrace.cache.storing import decide_storing
from headrace.cache.validation import freshened, head_update, validation_fields
from headrace.edge.service.response_heads import HitHeads, not_modified_fields, stored_fields
from headrace.http.conditional import evaluate_conditions, if_range_matches
from headrace.http.message import Headers, Request, ResponseHead
from headrace.http.parser import (
    BadRequest,
    BadResponse,
    HeadLimits,
    ParsedResponseHead,
    RequestParser,
    parse_response_head,
)
from tests.fuzz.inputs import Bytes

WORDS = (
    b"Cache-Control: ", b"max-age=60", b"no-cache", b"private", b"stale-while-revalidate=9",
    b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", b"Expires: 0\r\n", b"Age: 99999999999999999999\r\n",
    b"Vary: ", b"Accept-Encoding", b"ETag: W/\"a\"\r\n", b"ETag: \"a\"\r\n", b"%s%d%%", b"Via: ",
    b"Cache-Status: x; ttl=5\r\n", b"Surrogate-Key: a b\r\n", b"Connection: etag\r\n",
    b"If-None-Match: \"a\"\r\n", b"If-Range: ", b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    b"CDN-Cache-Control: max-age=5;x=\"a\"\r\n", b"Content-Length: 5\r\n", b"max-stale", b"\r\n",
    b"If-Modified-Since: ", b"Range: bytes=0-1\r\n", b"Set-Cookie: a=b\r\n", b"9999 23:59:59 GMT",
    b"Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n", b"Date: Mon, 01 Jan 0001 00:00:00 GMT\r\n",
)  # fmt: skip
NOW = 1_700_000_000.0
STATUSES = (200, 203, 204, 300, 301, 302, 308, 404, 410, 500, 206, 304)
RULES = (
    CacheRules(), CacheRules(default_lifetime_s=60.0), CacheRules(force_lifetime_s=60.0),
    CacheRules(stale_while_revalidate_s=10.0, stale_if_error_s=60.0, store_set_cookie=True),
)  # fmt: skip
_parser = RequestParser(HeadLimits())


def check(data: bytes) -> None:
    """Store the first answer, serve it, renew it by the second."""
    source = Bytes(data)
    rules = source.choice(RULES)
    status = source.choice(STATUSES)
    elapsed_s = float(source.number(100_000))
    request = _request(source.piece())
    first = _answer(status, source.piece())
    second = _answer(source.choice((304, 200)), source.rest())
    if request is None or first is None:
        return
    response = ResponseHead(first.status, first.headers)
    storing = decide_storing(request, response, rules, request_time=NOW, response_time=NOW)
    if not storing.store:
        assert storing.reason
        return
    stored = StoredResponse(
        key=b"s\nh/", variant=b"", vary=storing.vary, status=first.status, headers=storing.headers,
        response_time=NOW, corrected_age_s=storing.corrected_age_s, lifetime_s=storing.lifetime_s,
        stale_while_revalidate_s=storing.stale_while_revalidate_s,
        stale_if_error_s=storing.stale_if_error_s, flags=int(storing.flags), length=5,
        slice_bytes=16, version=b"v" * 16, generation=0, tags=storing.tags,
    )  # fmt: skip
    now = NOW + elapsed_s
    _serve(stored, request, rules, now)
    if second is not None:
        renewed = freshened(
            stored, ResponseHead(second.status, second.headers), rules, request,
            request_time=now, response_time=now,
        )  # fmt: skip
        assert (renewed.key, renewed.version, renewed.length) == (b"s\nh/", b"v" * 16, 5)
        _serve(renewed, request, rules, now + 1)
        head_update(
            stored, ResponseHead(200, second.headers), rules, request,
            request_time=now, response_time=now,
        )  # fmt: skip


def _request(lines: bytes) -> Request | None:
    try:
        head = _parser.parse(b"GET / HTTP/1.1\r\nHost: h\r\n" + _whole(lines))
    except BadRequest:
        return None
    return Request(b"GET", b"/", b"http", b"h", b"/", None, (1, 1), head.headers)


def _answer(status: int, lines: bytes) -> ParsedResponseHead | None:
    try:
        return parse_response_head(b"HTTP/1.1 %d X\r\n" % status + _whole(lines), b"GET")
    except BadResponse:
        return None


def _whole(lines: bytes) -> bytes:
    """The lines as a head's end, cut where they would end it early."""
    lines = lines.partition(b"\r\n\r\n")[0]
    return (lines if lines.endswith(b"\r\n") or not lines else lines + b"\r\n") + b"\r\n"


def _serve(stored: StoredResponse, request: Request, rules: CacheRules, now: float) -> None:
    age_s = current_age_s(stored, now)
    assert age_s >= 0
    remaining_s(stored, now)
    hot_until(stored, rules)
    validation_fields(stored)
    decide_reuse(request, stored, rules, now)
    fields = stored_fields(stored, now, b"edge")
    evaluate_conditions(request.headers, b"GET", stored.status, Headers(fields))
    if_range_matches(request.headers.get(b"if-range") or b"", Headers(fields))
    not_modified_fields(list(fields))
    ttl = int(stored.lifetime_s - age_s)
    own = (b"cache-status", cache_status(b"edge", hit=True, ttl=ttl, key=b"s%d; ttl=7\n\xff"))
    heads = HitHeads(stored, [*fields, own])
    for later in (now, now + 7):
        whole = parse_response_head(heads.whole(later), b"HEAD")
        assert whole.status == stored.status
        wanted = [(name, value) for name, value in fields if name != b"age"]
        found = [
            (name, value)
            for name, value in whole.headers
            if name not in (b"age", b"content-length", b"cache-status")
        ]
        assert found == [field for field in wanted if field[0] != b"cache-status"]
        assert whole.headers.all(b"age") == [b"%d" % current_age_s(stored, later)]
        assert whole.headers.all(b"cache-status")[-1].startswith(b"edge; hit; ttl=")
        assert heads.partial(later).startswith(b"HTTP/1.1 206 ")
