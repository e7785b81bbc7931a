"""Byte ranges: requests for them and answers in them (RFC 9110 section 14). Pure.

Ranges are half-open pairs (start, end) of byte offsets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from headrace.errors import HeadraceError

Span = tuple[int, int]

_SPEC = re.compile(rb"[ \t]*([0-9]*)[ \t]*-[ \t]*([0-9]*)[ \t]*")
_SIMPLE = re.compile(rb"bytes=([0-9]{1,18})-([0-9]{1,18})")
_CONTENT_RANGE = re.compile(rb"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE)
_MOST_DIGITS = 18
_BEYOND = 10**_MOST_DIGITS


PARTIAL_END = b"Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n"
"""The end of a 206's head: first and last byte, the whole length, and the part's."""


class RangeNotSatisfiable(HeadraceError):
    """No range of the request lies within the representation: answer 416."""


class TooManyRanges(HeadraceError):
    """More ranges than the limit."""


def parse_range(value: bytes, length: int, max_ranges: int) -> list[Span] | None:
    """Return the satisfiable ranges of a Range field, overlapping ones joined, as ordered there.

    None means that the field is to be ignored: another unit, or malformed. Raises
    RangeNotSatisfiable, TooManyRanges.
    """
    simple = _SIMPLE.fullmatch(value)
    if simple is not None:  # as players ask
        start, end = int(simple[1]), int(simple[2]) + 1
        if start < end <= length:
            return [(start, end)]
    unit, equals, text = value.partition(b"=")
    if not equals or unit.strip().lower() != b"bytes":
        return None
    specs = [spec for spec in text.split(b",") if spec.strip(b" \t")]
    if not specs:
        return None
    if len(specs) > max_ranges:
        raise TooManyRanges(f"{len(specs)} ranges, over the limit of {max_ranges}")
    spans: list[Span] = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None or not (match[1] or match[2]):
            return None
        first, last = byte_position(match[1]), byte_position(match[2])
        if match[1] and match[2] and last < first:
            return None
        span = _span(match[1], first, match[2], last, length)
        if span is not None:
            spans.append(span)
    if not spans:
        raise RangeNotSatisfiable(f"no range lies within {length} bytes")
    return _joined(spans)


def lone_span(value: bytes, length: int) -> Span | None:
    """Return the range of a Range field that asks for one which lies within `length` bytes; None
    for every other, which `parse_range` is for.
    """
    simple = _SIMPLE.fullmatch(value)
    if simple is not None:
        start, end = int(simple[1]), int(simple[2]) + 1
        if start < end <= length:
            return start, end
    try:
        spans = parse_range(value, length, 1)
    except (RangeNotSatisfiable, TooManyRanges):
        return None
    return spans[0] if spans is not None and len(spans) == 1 else None


def may_be_passed(value: bytes, max_ranges: int) -> bool:
    """Return whether a Range field may go to an origin as the client wrote it.

    Several ranges that overlap, or are out of order, make an origin send the same bytes many times
    for a short request (RFC 9110 section 14.2 lets a server ignore them). One range may, and
    several that ascend without touching; without a length at hand, an open or a suffix range
    overlaps any that follows it.
    """
    unit, equals, text = value.partition(b"=")
    if not equals or unit.strip().lower() != b"bytes":
        return b"," not in value  # nothing that an origin would multiply
    specs = [spec for spec in text.split(b",") if spec.strip(b" \t")]
    if len(specs) <= 1:
        return True
    if len(specs) > max_ranges:
        return False
    end = -1
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None or not match[1] or byte_position(match[1]) <= end:
            return False
        end = byte_position(match[2]) if match[2] else _BEYOND
    return True


def byte_position(digits: bytes) -> int:
    """Return a byte's number; one that no file can have stands for all beyond it."""
    digits = digits.lstrip(b"0") or b"0"
    return int(digits) if len(digits) <= _MOST_DIGITS else _BEYOND


def _span(has_first: bytes, first: int, has_last: bytes, last: int, length: int) -> Span | None:
    if not has_first:
        return (max(0, length - last), length) if last and length else None
    if first >= length:
        return None
    return (first, min(last + 1, length) if has_last else length)


def _joined(spans: list[Span]) -> list[Span]:
    """Overlapping and adjoining ranges as one, where the first of them stood."""
    if len(spans) == 1:
        return spans
    result: list[Span] = []
    for start, end in spans:
        merged = (start, end)
        place = len(result)
        for index in range(len(result) - 1, -1, -1):
            other = result[index]
            if merged[0] <= other[1] and other[0] <= merged[1]:
                merged = (min(merged[0], other[0]), max(merged[1], other[1]))
                del result[index]
                place = index
        result.insert(place, merged)
    return result


def content_range(start: int, end: int, length: int) -> bytes:
    """Return the Content-Range of a 206 (RFC 9110 section 14.4)."""
    return b"bytes %d-%d/%d" % (start, end - 1, length)


def unsatisfied_range(length: int) -> bytes:
    """Return the Content-Range of a 416."""
    return b"bytes */%d" % length


def parse_content_range(value: bytes) -> tuple[int, int, int | None] | None:
    """Return (start, end, total or None) of a Content-Range, or None when it is not valid."""
    match = _CONTENT_RANGE.fullmatch(value.strip(b" \t"))
    if match is None:
        return None
    start, end = int(match[1]), int(match[2]) + 1
    total = None if match[3] == b"*" else int(match[3])
    if end <= start or (total is not None and end > total):
        return None
    return start, end, total


@dataclass(frozen=True, slots=True)
class MultipartPlan:
    """A multipart/byteranges body (RFC 9110 section 14.6): each part's head and range, the tail."""

    parts: list[tuple[bytes, int, int]]
    tail: bytes
    total_bytes: int


def multipart_plan(
    spans: list[Span], length: int, content_type: bytes | None, boundary: bytes
) -> MultipartPlan:
    """Lay out a multipart/byteranges body."""
    parts: list[tuple[bytes, int, int]] = []
    total_bytes = 0
    kind = b"" if content_type is None else b"Content-Type: %s\r\n" % content_type
    for position, (start, end) in enumerate(spans):
        head = b"%s--%s\r\n%sContent-Range: %s\r\n\r\n" % (
            b"\r\n" if position else b"", boundary, kind, content_range(start, end, length),
        )  # fmt: skip
        parts.append((head, start, end))
        total_bytes += len(head) + end - start
    tail = b"\r\n--%s--\r\n" % boundary
    return MultipartPlan(parts, tail, total_bytes + len(tail))
