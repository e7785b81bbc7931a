"""Ranges: the bytes that a Range field asks for, against a model that counts them one by one.

The input is a length, how many ranges are allowed, and the field's value.
"""

from __future__ import annotations

import re

from headrace.http.ranges import (
    RangeNotSatisfiable,
    TooManyRanges,
    content_range,
    multipart_plan,
    parse_content_range,
    parse_range,
)
from tests.fuzz.inputs import Bytes

WORDS = (
    b"bytes=", b"bytes ", b"-", b",", b"0-", b"-1", b"*/", b"/100", b"999999999999999999", b" ",
)  # fmt: skip

# Blanks around the hyphen are let pass, beyond the grammar.
_SPEC = re.compile(rb"(?:([0-9]+)[ \t]*-[ \t]*([0-9]*)|-[ \t]*([0-9]+))")
# Larger numbers are all alike: no representation is as long.
_BEYOND = 10**18
_UNIT = re.compile(rb"[ \t\r\n\f\v]*bytes[ \t\r\n\f\v]*=", re.IGNORECASE)


def check(data: bytes) -> None:
    """Read the field, and count."""
    source = Bytes(data)
    length = source.number(300)
    most = 1 + source.number(20)
    value = source.rest()
    _check_content_range(value)
    wanted = _wanted(value, length)
    try:
        spans = parse_range(value, length, most)
    except RangeNotSatisfiable:
        assert wanted == set()
        return
    except TooManyRanges:
        assert value.count(b",") >= most
        return
    if spans is None:
        assert wanted is None, "a good field is ignored"
        return
    covered: set[int] = set()
    for start, end in spans:
        assert 0 <= start < end <= length
        span = set(range(start, end))
        assert not covered & span, "ranges overlap"
        covered |= span
        assert parse_content_range(content_range(start, end, length)) == (start, end, length)
    assert covered == wanted
    assert len(spans) <= most
    plan = multipart_plan(spans, length, b"text/plain", b"b")
    said = sum(len(head) + end - start for head, start, end in plan.parts) + len(plan.tail)
    assert plan.total_bytes == said


def _wanted(value: bytes, length: int) -> set[int] | None:
    """The offsets asked for; None when the field is none that RFC 9110 section 14 defines."""
    unit = _UNIT.match(value)
    if unit is None:
        return None
    wanted: set[int] = set()
    specs = [spec.strip(b" \t") for spec in value[unit.end() :].split(b",")]
    specs = [spec for spec in specs if spec]
    if not specs:
        return None
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None:
            return None
        first, last, suffix = match.groups()
        if suffix is not None:
            wanted |= set(range(max(0, length - int(suffix)), length))
        else:
            if last and min(int(last), _BEYOND) < min(int(first), _BEYOND):
                return None
            wanted |= set(range(int(first), min(int(last) + 1 if last else length, length)))
    return wanted


def _check_content_range(value: bytes) -> None:
    found = parse_content_range(value)
    if found is None:
        return
    start, end, total = found
    assert 0 <= start < end
    assert total is None or end <= total
