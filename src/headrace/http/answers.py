"""Answers that a server makes itself: a whole head, an error as problem+json. Pure."""

from __future__ import annotations

import json

from headrace.http.dates import format_http_date
from headrace.http.message import Field
from headrace.http.serializer import REASONS, field_lines, status_line


def prepared_head(status: int, fields: list[Field], length: int | None) -> bytes:
    """Return a whole head with Content-Length (if any) and the blank line, without Connection."""
    if length is None:
        return status_line(status) + field_lines(fields) + b"\r\n"
    return b"%sContent-Length: %d\r\n\r\n" % (status_line(status) + field_lines(fields), length)


def error_response(
    status: int, detail: str, now: float, extra: tuple[Field, ...] = ()
) -> tuple[list[Field], bytes]:
    """Return an error of our own as problem+json (RFC 9457): fields and body."""
    title = REASONS.get(status, b"Error").decode()
    body = json.dumps({"title": title, "status": status, "detail": detail}).encode() + b"\n"
    fields = [
        (b"date", format_http_date(now)),
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        *extra,
    ]
    return fields, body
