from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.record import StoredResponse
from headrace.cache.slice_requests import (
    BodySpan,
    SliceRequest,
    as_asked,
    can_be_completed,
    continues,
    place,
    slice_request_fields,
    slice_request_for,
)
from headrace.http.message import Field, Headers
from headrace.http.parser import ParsedResponseHead
from tests.unit.cache.values import RECORD

SLICE = 1000
TAGGED = msgspec.structs.replace(RECORD, headers=((b"etag", b'"a"'),), length=5500)


def answer(status: int, *fields: Field, body_bytes: int = -1) -> ParsedResponseHead:
    return ParsedResponseHead(status, b"", (1, 1), Headers(fields), body_bytes, True)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"bytes=0-", SliceRequest(0, None)),
        (b"bytes=0-99", SliceRequest(0, 0)),
        (b"bytes=2500-3100", SliceRequest(2, 3)),
        (b"bytes=2500-", SliceRequest(2, None)),
        (b"bytes=-500", SliceRequest(0, 0)),
        (b"bytes=2500-2600, 0-9", SliceRequest(2, 2)),
        (b"bytes=9-5", SliceRequest()),
        (b"bytes=x", SliceRequest()),
        (b"lines=1-2", SliceRequest()),
        (b"bytes=" + b"9" * 30 + b"-", None),
        (b"bytes=" + b"9" * 5000 + b"-", None),
        (b"bytes=999999999999999999-", None),
        (b"bytes=999999999999999999-1", SliceRequest()),
        (b"bytes=0-" + b"9" * 30, SliceRequest(0, None)),
        (b"bytes=" + b"0" * 30 + b"2500-", SliceRequest(2, None)),
    ],
)
def test_a_range_becomes_the_slices_it_touches(value: bytes, wanted: SliceRequest | None) -> None:
    assert slice_request_for(value, SLICE) == wanted


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (SliceRequest(), []),
        (SliceRequest(0, 0), [(b"range", b"bytes=0-999")]),
        (SliceRequest(2, None), [(b"range", b"bytes=2000-")]),
        (SliceRequest(2, 3, TAGGED), [(b"range", b"bytes=2000-3999"), (b"if-range", b'"a"')]),
        (SliceRequest(2, None, TAGGED), [(b"range", b"bytes=2000-5499"), (b"if-range", b'"a"')]),
        (SliceRequest(0, None, TAGGED, validate=True), [(b"if-none-match", b'"a"')]),
    ],
)
def test_the_request_names_slices_and_validators(wanted: SliceRequest, fields: list[Field]) -> None:
    assert slice_request_fields(wanted, SLICE) == fields


@pytest.mark.parametrize(
    ("content_range", "body_bytes", "span"),
    [
        (b"bytes 2000-2999/5500", 1000, BodySpan(2000, 3000, 5500)),
        (b"bytes 2000-5499/5500", 3500, BodySpan(2000, 5500, 5500)),
        (b"bytes 2000-5499/5500", -1, BodySpan(2000, 5500, 5500)),
        (b"bytes 2000-2500/5500", 501, None),
        (b"bytes 1000-2999/5500", 2000, None),
        (b"bytes 2000-2999/*", 1000, None),
        (b"bytes 2000-2999/5500", 999, None),
        (b"nonsense", 1000, None),
    ],
)
def test_only_what_fits_a_slice_has_a_place(
    content_range: bytes, body_bytes: int, span: BodySpan | None
) -> None:
    head = answer(206, (b"content-range", content_range), body_bytes=body_bytes)
    assert place(SliceRequest(2, None), head, SLICE) == span


def test_a_whole_answer_begins_at_the_start() -> None:
    assert place(SliceRequest(2, None), answer(200, body_bytes=70), SLICE) == BodySpan(0, None, 70)


@given(st.binary(max_size=40))
def test_any_content_range_is_placed_or_refused(value: bytes) -> None:
    found = place(SliceRequest(1, 1), answer(206, (b"content-range", value)), SLICE)
    assert found is None or found.start == SLICE


@pytest.mark.parametrize(
    ("tag", "total", "same"),
    [(b'"a"', 5500, True), (b'"b"', 5500, False), (b'W/"a"', 5500, False), (b'"a"', 5501, False)],
)
def test_parts_are_combined_only_by_a_strong_tag_and_length(
    tag: bytes, total: int, same: bool
) -> None:
    span = BodySpan(2000, 3000, total)
    assert continues(TAGGED, span, Headers([(b"etag", tag)])) is same


@pytest.mark.parametrize(
    ("stored", "can"),
    [
        (TAGGED, True),
        (msgspec.structs.replace(TAGGED, length=-1), False),
        (msgspec.structs.replace(TAGGED, headers=((b"etag", b'W/"a"'),)), False),
        (RECORD, False),
    ],
)
def test_missing_slices_need_a_strong_tag(stored: StoredResponse, can: bool) -> None:
    assert can_be_completed(stored) is can


@pytest.mark.parametrize(
    ("wanted", "status", "suits"),
    [
        (SliceRequest(), 206, True),
        (SliceRequest(1), 200, True),
        (SliceRequest(1), 404, True),
        (SliceRequest(1), 206, False),
    ],
)
def test_an_answer_to_an_altered_range_suits_no_one(
    wanted: SliceRequest, status: int, suits: bool
) -> None:
    assert as_asked(wanted, status) is suits
