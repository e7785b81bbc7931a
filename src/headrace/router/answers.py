"""The heads of what the router answers, redirects aside. Pure.

Players ask from pages of other origins, so every answer may be read by any (`CORS`): none holds
anything that is for one origin alone.
"""

from __future__ import annotations

from headrace.http.answers import error_response, prepared_head
from headrace.http.dates import format_http_date
from headrace.http.message import Field
from headrace.http.server.exchange import Exchange

JSON = b"application/json"
CORS: tuple[Field, ...] = ((b"access-control-allow-origin", b"*"),)
PREFLIGHT: tuple[Field, ...] = (
    *CORS,
    (b"access-control-allow-headers", b"*, authorization"),
    (b"access-control-max-age", b"86400"),
)


def send_json(exchange: Exchange, body: bytes, now: float, media_type: bytes = JSON) -> None:
    """Answer with JSON that nobody keeps."""
    fields = [
        (b"date", format_http_date(now)),
        (b"content-type", media_type),
        (b"cache-control", b"no-store"),
        *CORS,
    ]
    exchange.respond(200, prepared_head(200, fields, len(body)), memoryview(body))


def send_problem(
    exchange: Exchange, status: int, detail: str, now: float, extra: tuple[Field, ...] = ()
) -> None:
    """Answer with an error as problem+json."""
    fields, body = error_response(status, detail, now, (*CORS, *extra))
    exchange.respond(status, prepared_head(status, fields, len(body)), memoryview(body))


def send_preflight(exchange: Exchange, now: float, allow: bytes) -> None:
    """Answer OPTIONS: what may be asked, from pages of any origin."""
    methods = (b"access-control-allow-methods", allow.removesuffix(b", OPTIONS"))
    fields = [(b"date", format_http_date(now)), (b"allow", allow), methods, *PREFLIGHT]
    exchange.respond(204, prepared_head(204, fields, None))
