"""Which part of a representation a 206 brings, and whether it can be what was asked for. Pure.

An origin that says one thing in Content-Range and another in Content-Length has sent bytes
that belong to no known place: such a response is no part, whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass

from headrace.http.message import Request
from headrace.http.parser import ParsedResponseHead
from headrace.http.ranges import (
    RangeNotSatisfiable,
    TooManyRanges,
    parse_content_range,
    parse_range,
)

MOST_RANGES_PASSED = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes from `start` up to `end` of `total` (None: not stated), at least one of them."""

    start: int
    end: int
    total: int | None


def part_of(head: ParsedResponseHead) -> Part | None:
    """Return the part that a 206 says its body is (RFC 9110 section 15.3.7.1), or None when it
    says none, or one of another length than the body has.

    The status is the caller's to check.
    """
    value = head.headers.get(b"content-range")
    found = parse_content_range(value) if value is not None else None
    if found is None:
        return None
    start, end, total = found
    if head.body_bytes >= 0 and head.body_bytes != end - start:
        return None
    return Part(start, end, total)


def fits_the_request(request: Request, head: ParsedResponseHead) -> bool:
    """Return whether a 206 can answer this request: its range is one that was asked for, and
    whole.

    Several ranges in one response are left for the client to check.
    """
    if request.method == b"HEAD":
        return True  # a range is of no account there (RFC 9110 section 14.2), and no body comes
    asked = request.headers.get(b"range")
    if asked is None or request.method != b"GET":
        return False
    kind = head.headers.get(b"content-type") or b""
    if kind.lower().startswith(b"multipart/byteranges"):
        return True
    part = part_of(head)
    if part is None:
        return False
    if part.total is None:
        return True
    try:
        spans = parse_range(asked, part.total, MOST_RANGES_PASSED)
    except (RangeNotSatisfiable, TooManyRanges):
        return False
    return spans is not None and any(
        part.start == first and part.end <= last for first, last in spans
    )
