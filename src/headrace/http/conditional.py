"""Conditional requests, evaluated against a stored response (RFC 9110 section 13). Pure."""

from __future__ import annotations

from headrace.http.dates import parse_http_date
from headrace.http.fields import date_field, split_list
from headrace.http.message import Headers
from headrace.http.methods import GET_OR_HEAD
from headrace.http.validators import is_weak, strongly_equal, weakly_equal

# A Last-Modified is a strong validator when it is a minute older than the Date beside it
# (RFC 9110 section 8.8.2.2).
STRONG_DATE_AGE_S = 60.0


def evaluate_conditions(
    request: Headers, method: bytes, status: int, response: Headers
) -> int | None:
    """Return 304 or 412 when a condition of the request says so, else None.

    In the order of RFC 9110 section 13.2.2. If-Match and If-Unmodified-Since are evaluated
    against the stored response like the others, so that a client that pins a representation gets
    that one or 412.
    """
    if not 200 <= status < 300:
        return None
    tag = response.get(b"etag")
    match = request.get(b"if-match")
    if match is not None:
        if not _listed(match, tag, strong=True):
            return 412
    else:
        unmodified = request.get(b"if-unmodified-since")
        if unmodified is not None and _modified_since(unmodified, response) is True:
            return 412
    none_match = request.get(b"if-none-match")
    if none_match is not None:
        if _listed(none_match, tag, strong=False):
            return 304 if method in GET_OR_HEAD else 412
        return None
    since = request.get(b"if-modified-since")
    if since is not None and method in GET_OR_HEAD:
        return 304 if _unchanged_since(since, response) else None
    return None


def _listed(value: bytes, tag: bytes | None, *, strong: bool) -> bool:
    if value.strip() == b"*":
        return True
    if tag is None:
        return False
    equal = strongly_equal if strong else weakly_equal
    return any(equal(tag, item) for item in split_list(value))


def _modified_since(value: bytes, response: Headers) -> bool | None:
    """Return whether the response is newer than the date; None when that cannot be known."""
    limit, modified = parse_http_date(value), date_field(response, b"last-modified")
    if limit is None or modified is None:
        return None
    return modified > limit


def _unchanged_since(value: bytes, response: Headers) -> bool:
    """Return whether the response is no newer than the date.

    Without a Last-Modified its Date counts: a client that has what was made later has nothing
    older (RFC 9111 section 4.3.2).
    """
    if b"last-modified" in response:
        return _modified_since(value, response) is False
    limit, made = parse_http_date(value), date_field(response, b"date")
    return limit is not None and made is not None and made <= limit


def if_range_matches(value: bytes, response: Headers) -> bool:
    """Return whether an If-Range condition holds, compared strongly (RFC 9110 section 13.1.5)."""
    value = value.strip()
    if value.startswith(b'"') or is_weak(value):
        return strongly_equal(value, response.get(b"etag") or b"")
    modified = response.get(b"last-modified")
    if modified is None or modified != value:
        return False
    then, now = parse_http_date(modified), date_field(response, b"date")
    return then is not None and now is not None and now - then >= STRONG_DATE_AGE_S
