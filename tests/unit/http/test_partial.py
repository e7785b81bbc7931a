"""Whether a 206 is one part, and one that was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.message import Field, Headers, Request
from headrace.http.parser import ParsedResponseHead
from headrace.http.partial import Part, fits_the_request, part_of
from headrace.http.ranges import content_range


def head(body_bytes: int, *fields: Field) -> ParsedResponseHead:
    return ParsedResponseHead(206, b"", (1, 1), Headers(fields), body_bytes, True)


def stated(value: bytes, body_bytes: int = -1) -> ParsedResponseHead:
    return head(body_bytes, (b"content-range", value))


def request(asked: bytes | None, method: bytes = b"GET") -> Request:
    fields = [] if asked is None else [(b"range", asked)]
    return Request(method, b"/", b"http", b"h", b"/", None, (1, 1), Headers(fields))


@given(st.integers(0, 2**40), st.integers(1, 2**40), st.integers(0, 2**40), st.integers(-2, 2))
def test_a_part_is_as_long_as_its_body(start: int, size: int, behind: int, off: int) -> None:
    end, total = start + size, start + size + behind
    value = content_range(start, end, total)
    assert part_of(stated(value)) == Part(start, end, total)
    found = part_of(stated(value, size + off))
    assert found == (None if off and size + off >= 0 else Part(start, end, total))


def test_a_part_of_unknown_length() -> None:
    assert part_of(stated(b"bytes 5-9/*", 5)) == Part(5, 10, None)


@pytest.mark.parametrize(
    "value", [b"bytes */10", b"bytes 9-5/10", b"bytes 5-10/10", b"items 0-1/2", b"", b"0-1/2"]
)
def test_what_is_no_part(value: bytes) -> None:
    assert part_of(stated(value)) is None


def test_a_206_without_content_range_or_with_two_is_no_part() -> None:
    assert part_of(head(5)) is None
    assert part_of(head(5, *[(b"content-range", b"bytes 5-9/10")] * 2)) is None


@pytest.mark.parametrize(
    ("asked", "value", "body_bytes", "fits"),
    [
        (b"bytes=5-9", b"bytes 5-9/100", 5, True),
        (b"bytes=5-9", b"bytes 5-9/*", 5, True),
        (b"bytes=5-9", b"bytes 5-9/100", 6, False),
        (b"bytes=5-9", b"bytes 5-10/100", 6, False),
        (b"bytes=5-9", b"bytes 6-9/100", 4, False),
        (b"bytes=5-9", b"bytes 5-7/100", 3, True),  # fewer bytes than asked for may come
        (b"bytes=-5", b"bytes 95-99/100", 5, True),
        (b"bytes=0-1,50-59", b"bytes 50-59/100", 10, True),
        (b"bytes=100-", b"bytes 0-9/100", 10, False),
        (b"items=1", b"bytes 0-9/100", 10, False),
        (None, b"bytes 0-9/100", 10, False),
    ],
)
def test_a_part_must_have_been_asked_for(
    asked: bytes | None, value: bytes, body_bytes: int, fits: bool
) -> None:
    assert fits_the_request(request(asked), stated(value, body_bytes)) is fits


def test_other_methods_ask_for_no_part() -> None:
    assert not fits_the_request(request(b"bytes=5-9", b"POST"), stated(b"bytes 5-9/100", 5))
    assert fits_the_request(request(b"bytes=5-9", b"HEAD"), head(0))


def test_several_parts_are_left_to_the_client() -> None:
    several = head(99, (b"content-type", b"Multipart/byteranges; boundary=x"))
    assert fits_the_request(request(b"bytes=0-1,5-9"), several)


@given(st.integers(1, 60), st.data())
def test_a_part_within_the_range_fits_and_no_other(total: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, total - 1))
    last = data.draw(st.integers(first, total - 1))
    start = data.draw(st.integers(0, total - 1))
    end = data.draw(st.integers(start + 1, total))
    response = stated(content_range(start, end, total), end - start)
    fits = fits_the_request(request(b"bytes=%d-%d" % (first, last)), response)
    assert fits is (start == first and end <= last + 1)
