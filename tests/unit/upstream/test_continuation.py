"""Whether a response continues what another began."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.parser import ParsedResponseHead, parse_response_head
from headrace.upstream.continuation import (
    Accepted,
    Begun,
    Comparison,
    Continuation,
    Sent,
    accept,
    continuation,
)
from headrace.upstream.pool import Sameness


def head(status: int = 200, **fields: str) -> ParsedResponseHead:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    text = "\r\n".join([f"HTTP/1.1 {status} X", *lines]) + "\r\n\r\n"
    return parse_response_head(text.encode(), b"GET")


FIRST = head(content_length="1000", etag='"a"', last_modified="Mon, 01 Jan 2024 00:00:00 GMT")


def begun(of: ParsedResponseHead = FIRST) -> Begun:
    found = Begun.of(of)
    assert found is not None
    return found


def part(first: int, total: int = 1000, status: int = 206, **fields: str) -> ParsedResponseHead:
    span = f"bytes {first}-{total - 1}/{total}"
    return head(status, content_range=span, content_length=str(total - first), **fields)


def judged(
    answer: ParsedResponseHead, rule: Sameness = "etag", received: int = 400,
    of: ParsedResponseHead = FIRST,
) -> Accepted | str:  # fmt: skip
    asked = continuation(begun(of), received, rule, 100)
    return accept(begun(of), received, rule, asked, answer)


def test_a_part_with_the_same_strong_etag_goes_on() -> None:
    assert judged(part(400, etag='"a"')) == Accepted(0, 0, False)


@pytest.mark.parametrize("tag", ['"b"', 'W/"a"'])
def test_a_part_with_another_or_a_weak_etag_does_not(tag: str) -> None:
    assert judged(part(400, etag=tag)) == "not_proved_the_same"


@pytest.mark.parametrize("tag", ['"a", "b"', '"a b"', '"a', "a"])
def test_a_text_that_is_not_one_entity_tag_proves_nothing(tag: str) -> None:
    first = head(content_length="1000", etag=tag)
    assert not begun(first).comparable("etag")
    assert judged(part(400, etag=tag), of=first) == "not_proved_the_same"


def test_dates_and_lengths_prove_it_where_the_pool_says_so() -> None:
    same = part(400, last_modified="Mon, 01 Jan 2024 00:00:00 GMT", etag='"other"')
    assert judged(same, "modified") == Accepted(0, 0, False)
    later = part(400, last_modified="Tue, 02 Jan 2024 00:00:00 GMT")
    assert judged(later, "modified") == "not_proved_the_same"


def test_overlap_asks_for_the_last_bytes_again() -> None:
    asked = continuation(begun(), 400, "overlap", 100)
    assert asked == Continuation(300, 100, True, ((b"range", b"bytes=300-999"),))
    assert judged(part(300, etag='"other"'), "overlap") == Accepted(100, 100, False)


def test_nothing_but_what_was_sent_can_overlap() -> None:
    assert continuation(begun(), 30, "overlap", 100).overlap_bytes == 30


def test_an_origin_that_ignores_range_is_skipped_and_hashed() -> None:
    assert judged(head(content_length="1000", etag='"a"')) == Accepted(400, 400, True)


def test_another_length_is_another_body() -> None:
    assert judged(head(content_length="1001", etag='"a"')) == "another_length"
    assert judged(part(400, total=1001, etag='"a"')) == "another_range"


def test_a_whole_without_the_etag_needs_enough_that_can_be_compared() -> None:
    unnamed = head(content_length="9000")
    named = head(content_length="9000", etag='"a"')
    assert judged(unnamed, received=4095, of=named) == "without_a_name"
    assert judged(unnamed, received=4096, of=named) == Accepted(4096, 4096, True)
    part_begun = head(206, content_range="bytes 0-8999/9000", content_length="9000", etag='"a"')
    assert judged(unnamed, received=4096, of=part_begun) == Accepted(4096, 4096, True)
    later = head(206, content_range="bytes 1-8999/9000", content_length="8999", etag='"a"')
    assert judged(unnamed, received=8000, of=later) == "without_a_name"


def test_a_whole_without_the_date_needs_enough_that_can_be_compared() -> None:
    dated = head(content_length="9000", last_modified="Mon, 01 Jan 2024 00:00:00 GMT")
    assert judged(head(content_length="9000"), "modified", 10, dated) == "without_a_name"
    assert judged(head(content_length="9000"), "modified", 5000, dated) == Accepted(
        5000, 5000, True
    )


def test_where_nothing_has_a_name_any_beginning_will_do() -> None:
    first = head(content_length="9000")
    assert judged(first, received=0, of=first) == Accepted(0, 0, True)


@pytest.mark.parametrize("rule", ["modified", "overlap"])
def test_a_whole_of_unknown_length_is_refused_where_lengths_are_compared(rule: Sameness) -> None:
    unknown = head(transfer_encoding="chunked", last_modified="Mon, 01 Jan 2024 00:00:00 GMT")
    assert judged(unknown, rule) == "another_length"
    assert judged(head(transfer_encoding="chunked", etag='"a"')) == Accepted(400, 400, True)


def test_another_coding_is_another_body() -> None:
    coded = head(content_length="1000", etag='"a"', content_encoding="gzip")
    assert judged(coded) == "another_encoding"


def test_errors_do_not_go_on() -> None:
    assert judged(head(503, content_length="3")) == "status_503"
    assert judged(head(416, content_length="0")) == "status_416"


def test_a_part_that_begins_elsewhere_is_refused() -> None:
    assert judged(part(300, etag='"a"')) == "another_range"


def test_a_part_that_was_begun_goes_on_inside_itself() -> None:
    first = head(206, content_range="bytes 200-799/1000", content_length="600", etag='"a"')
    asked = continuation(begun(first), 100, "etag", 0)
    assert asked.fields == ((b"range", b"bytes=300-799"), (b"if-range", b'"a"'))
    good = head(206, content_range="bytes 300-799/1000", content_length="500", etag='"a"')
    assert accept(begun(first), 100, "etag", asked, good) == Accepted(0, 0, False)
    whole = head(content_length="1000", etag='"a"')
    assert accept(begun(first), 100, "etag", asked, whole) == Accepted(300, 100, True)


def test_a_body_of_unknown_length_can_only_be_named() -> None:
    chunked = head(transfer_encoding="chunked", etag='"a"')
    assert begun(chunked).comparable("etag")
    assert not begun(chunked).comparable("modified")
    assert not begun(chunked).comparable("overlap")
    assert judged(part(399, etag='"a"'), of=chunked) == Accepted(1, 1, False)
    assert judged(part(400, etag='"a"'), of=chunked) == "another_range"


def test_where_a_body_ends_is_learnt_from_who_continues_it() -> None:
    chunked = begun(head(transfer_encoding="chunked", etag='"a"'))
    assert chunked.missing(400) is None
    known = chunked.ends_as(part(399, etag='"a"'))
    assert (known.start, known.end, known.total) == (0, 1000, 1000)
    assert known.missing(400) == 600
    assert chunked.ends_as(head(content_length="1000")).missing(1000) == 0
    assert chunked.ends_as(head(transfer_encoding="chunked")) == chunked
    assert begun().ends_as(head(content_length="5")) == begun()


def test_the_end_of_a_part_is_not_that_of_a_whole_which_has_none() -> None:
    chunked = head(transfer_encoding="chunked", etag='"a"')
    few = head(206, content_range="bytes 399-500/*", content_length="102", etag='"a"')
    assert judged(few, of=chunked) == "another_range"


@given(
    body=st.binary(min_size=1, max_size=3000),
    cut=st.integers(0, 3000),
    start=st.integers(0, 3000),
    change=st.none() | st.integers(0, 3000),
    pieces=st.lists(st.integers(1, 500), min_size=1, max_size=10),
)
def test_a_whole_body_is_taken_exactly_when_its_beginning_is_the_same(
    body: bytes, cut: int, start: int, change: int | None, pieces: list[int]
) -> None:
    start %= len(body)
    cut = start + cut % (len(body) - start + 1)
    sent = Sent(0)
    sent.add(memoryview(body[start:cut]))
    other = bytearray(body)
    if change is not None:
        other[change % len(body)] ^= 1
    comparison = Comparison(Accepted(cut, cut - start, True), sent)
    at = number = 0
    while comparison.left:
        size = min(comparison.left, pieces[number % len(pieces)])
        comparison.take(memoryview(bytes(other[at : at + size])))
        at, number = at + size, number + 1
    assert comparison.same() is (bytes(other[start:cut]) == body[start:cut])


@given(st.lists(st.binary(max_size=300), max_size=20), st.integers(1, 200))
def test_the_tail_is_the_last_bytes_however_they_came(pieces: list[bytes], keep: int) -> None:
    sent = Sent(keep)
    for piece in pieces:
        if piece:
            sent.add(memoryview(piece))
    assert sent.tail == b"".join(pieces)[-keep:]
    assert sent.size_bytes == sum(map(len, pieces))


def test_an_overlap_that_differs_is_noticed() -> None:
    body = os.urandom(200)
    sent = Sent(50)
    sent.add(memoryview(body))
    for changed in (False, True):
        comparison = Comparison(Accepted(50, 50, False), sent)
        again = bytearray(body[150:])
        again[3] ^= changed
        comparison.take(memoryview(bytes(again)))
        assert comparison.same() is not changed
