"""Answers that a server makes itself."""

from __future__ import annotations

import json

from headrace.http.answers import error_response, prepared_head


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
