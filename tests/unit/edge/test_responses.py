from __future__ import annotations

import json

import msgspec

from headrace.edge.responses import (
    error_response,
    not_modified_fields,
    prepared_head,
    stored_fields,
)
from tests.unit.cache.values import NOW, RECORD


def test_a_stored_response_says_its_age_and_way() -> None:
    stored = msgspec.structs.replace(RECORD, corrected_age_s=3.0, headers=((b"date", b"x"),))
    fields = dict(stored_fields(stored, NOW + 4.5, b"headrace"))
    assert (fields[b"age"], fields[b"via"], fields[b"accept-ranges"]) == (
        b"7",
        b"1.1 headrace",
        b"bytes",
    )


def test_via_is_appended_to() -> None:
    stored = msgspec.structs.replace(RECORD, headers=((b"via", b"1.1 origin"),))
    assert dict(stored_fields(stored, NOW, b"edge"))[b"via"] == b"1.1 origin, 1.1 edge"


def test_a_304_leaves_out_what_describes_the_body() -> None:
    fields = [(b"etag", b'"a"'), (b"content-type", b"video/mp4"), (b"last-modified", b"x")]
    assert not_modified_fields(fields) == [(b"etag", b'"a"')]


def test_a_304_without_tag_keeps_the_date_of_change() -> None:
    fields = [(b"content-type", b"video/mp4"), (b"last-modified", b"x")]
    assert not_modified_fields(fields) == [(b"last-modified", b"x")]


def test_a_prepared_head_is_whole() -> None:
    assert prepared_head(200, [(b"etag", b'"a"')], 5) == (
        b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 5\r\n\r\n'
    )


def test_an_error_is_a_problem_document() -> None:
    fields, body = error_response(502, "the origin is away", 0.0)
    assert dict(fields)[b"content-type"] == b"application/problem+json"
    assert json.loads(body) == {
        "title": "Bad Gateway",
        "status": 502,
        "detail": "the origin is away",
    }
