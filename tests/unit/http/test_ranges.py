from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.ranges import (
    RangeNotSatisfiable,
    TooManyRanges,
    content_range,
    may_be_passed,
    multipart_plan,
    parse_content_range,
    parse_range,
)


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        (b"bytes=0-9", [(0, 10)]),
        (b"bytes=90-", [(90, 100)]),
        (b"bytes=-10", [(90, 100)]),
        (b"bytes=-1000", [(0, 100)]),
        (b"bytes=90-1000", [(90, 100)]),
        (b"BYTES = 0-0", [(0, 1)]),
        (b"bytes=0-0,50-59", [(0, 1), (50, 60)]),
        (b"bytes=50-59,0-0", [(50, 60), (0, 1)]),
        (b"bytes=0-50,40-60", [(0, 61)]),
        (b"bytes=0-9,10-19", [(0, 20)]),
        (b"bytes=0-9,500-600", [(0, 10)]),
        (b"bytes= 0 - 9 , 20-29 ", [(0, 10), (20, 30)]),
        (b"bytes=0-99999999999999999999999", [(0, 100)]),
    ],
)
def test_ranges_are_read(value: bytes, spans: list[tuple[int, int]]) -> None:
    assert parse_range(value, 100, 16) == spans


@pytest.mark.parametrize(
    "value", [b"", b"bytes", b"bytes=", b"bytes=a-b", b"bytes=9-0", b"lines=0-9", b"bytes=-",
              b"bytes=0-9-", b"bytes=0-9;1-2"],
)  # fmt: skip
def test_what_is_no_range_is_ignored(value: bytes) -> None:
    assert parse_range(value, 100, 16) is None


@pytest.mark.parametrize(("value", "length"), [(b"bytes=100-", 100), (b"bytes=-0", 100),
                                               (b"bytes=0-", 0), (b"bytes=-5", 0)])  # fmt: skip
def test_what_cannot_be_satisfied_says_so(value: bytes, length: int) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(value, length, 16)


def test_too_many_ranges_say_so() -> None:
    with pytest.raises(TooManyRanges):
        parse_range(b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(0, 40, 2)), 100, 16)


@given(st.binary(max_size=60), st.integers(0, 10**6))
def test_whatever_is_asked_lies_within(value: bytes, length: int) -> None:
    try:
        spans = parse_range(b"bytes=" + value, length, 16)
    except (RangeNotSatisfiable, TooManyRanges):
        return
    for start, end in spans or []:
        assert 0 <= start < end <= length


RANGE = st.tuples(st.integers(0, 200), st.integers(0, 200)).map(lambda pair: tuple(sorted(pair)))


@given(st.lists(RANGE, min_size=1, max_size=8))
def test_joined_ranges_cover_the_same_bytes_once(ranges: list[tuple[int, int]]) -> None:
    value = b"bytes=" + b",".join(b"%d-%d" % pair for pair in ranges)
    wanted = {at for first, last in ranges for at in range(first, last + 1) if at < 100}
    try:
        spans = parse_range(value, 100, 16) or []
    except RangeNotSatisfiable:
        spans = []
    covered = [at for start, end in spans for at in range(start, end)]
    assert (set(covered), len(covered)) == (wanted, len(wanted))


@given(st.integers(0, 1000), st.integers(1, 1000), st.integers(0, 1000))
def test_content_range_reads_back(start: int, size: int, more: int) -> None:
    total = start + size + more
    assert parse_content_range(content_range(start, start + size, total)) == (
        start,
        start + size,
        total,
    )


@pytest.mark.parametrize(
    "value", [b"bytes 5-1/10", b"bytes 0-9/5", b"bytes */9", b"bytes 0-9", b"lines 0-1/2", b"x"]
)
def test_what_is_no_content_range_is_none(value: bytes) -> None:
    assert parse_content_range(value) is None


def test_a_multipart_body_is_as_long_as_planned() -> None:
    body = bytes(range(100))
    plan = multipart_plan([(0, 10), (50, 60)], 100, b"video/mp4", b"B")
    written = b"".join(head + body[start:end] for head, start, end in plan.parts) + plan.tail
    assert (len(written), written.count(b"--B")) == (plan.total_bytes, 3)


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        (b"bytes=0-5", True),
        (b"bytes=-5", True),
        (b"bytes=0-", True),
        (b"bytes=x", True),
        (b"bytes=0-5,6-9", True),
        (b"bytes=0-5, 100-200, 300-", True),
        (b"lines=1-2", True),
        (b"bytes=0-,0-", False),
        (b"bytes=0-5,5-9", False),
        (b"bytes=6-9,0-5", False),
        (b"bytes=0-5,-5", False),
        (b"bytes=-5,0-5", False),
        (b"bytes=0-,9-10", False),
        (b"bytes=0-1,3-4,6-7,9-10,12-13", False),
        (b"bytes=0-5,x", False),
        (b"lines=1-2,1-2", False),
        (b"bytes=0-" + b"9" * 5000 + b",1-2", False),
    ],
)
def test_only_ranges_that_ask_for_no_byte_twice_reach_an_origin(value: bytes, passed: bool) -> None:
    assert may_be_passed(value, 4) is passed
