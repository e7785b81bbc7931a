"""Writes message heads: status lines, customary field names, framing fields. Bytes only."""

from __future__ import annotations

import http
from collections.abc import Iterable

from headrace.http.message import Field

REASONS: dict[int, bytes] = {status.value: status.phrase.encode() for status in http.HTTPStatus}
# As RFC 9110 calls them; older Pythons know the names of RFC 7231.
REASONS |= {
    103: b"Early Hints",
    413: b"Content Too Large",
    414: b"URI Too Long",
    416: b"Range Not Satisfiable",
    422: b"Unprocessable Content",
}

# Names whose customary form is not "each word capitalised".
_CUSTOMARY = {
    b"etag": b"ETag",
    b"te": b"TE",
    b"www-authenticate": b"WWW-Authenticate",
    b"x-xss-protection": b"X-XSS-Protection",
    b"dnt": b"DNT",
    b"content-md5": b"Content-MD5",
    b"cdn-cache-control": b"CDN-Cache-Control",
}
_known_names: dict[bytes, bytes] = dict(_CUSTOMARY)
# Names come from strangers, so many short ones are kept and no long one: 256 KiB of them at most.
_KNOWN_NAMES_LIMIT = 1024
_LONGEST_KNOWN = 40


def customary(name: bytes) -> bytes:
    """Return the name as most servers write it: `content-length` becomes `Content-Length`."""
    known = _known_names.get(name)
    if known is None:
        known = b"-".join(part.capitalize() for part in name.split(b"-"))
        if len(name) <= _LONGEST_KNOWN and len(_known_names) < _KNOWN_NAMES_LIMIT:
            _known_names[name] = known
    return known


def status_line(status: int) -> bytes:
    """Return `HTTP/1.1 <status> <reason>` and CRLF."""
    return b"HTTP/1.1 %d %s\r\n" % (status, REASONS.get(status, b""))


def field_lines(fields: Iterable[Field]) -> bytes:
    """Return each field as `Name: value` and CRLF."""
    known = _known_names.get
    return b"".join(
        [b"%s: %s\r\n" % (known(name) or customary(name), value) for name, value in fields]
    )


def request_head(method: bytes, target: bytes, fields: Iterable[Field]) -> bytes:
    """Return a whole HTTP/1.1 request head with its blank line."""
    return b"%s %s HTTP/1.1\r\n%s\r\n" % (method, target, field_lines(fields))
