"""Requests, responses and stored records for the policy's tests, in as few words as can be."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from headrace.cache.record import StoredResponse
from headrace.cache.rules import CacheRules
from headrace.cache.storing import Storing, decide_storing
from headrace.http.dates import format_http_date
from headrace.http.message import Field, Headers, Request, ResponseHead

NOW = 1_700_000_000.0
RULES = CacheRules()
DAY_S = 86400.0

# What tests leave unsaid about a record.
RECORD = StoredResponse(
    key=b"service\nhost/",
    variant=b"",
    vary=(),
    status=200,
    headers=(),
    response_time=NOW,
    corrected_age_s=0.0,
    lifetime_s=60.0,
    stale_while_revalidate_s=0.0,
    stale_if_error_s=0.0,
    flags=0,
    length=5,
    slice_bytes=1 << 20,
    version=b"v" * 16,
    generation=0,
    tags=(),
)

field_values = st.binary(max_size=80)
# Text that often comes near to being directives.
directive_like = st.lists(
    st.sampled_from(
        [
            b"max-age", b"s-maxage", b"no-cache", b"no-store", b"private", b"public", b"=", b",",
            b'"', b" ", b"\\", b"60", b"-1", b"?1", b"?0", b"(", b")", b";", b":", b"a", b"\xff",
        ]
    ),
    max_size=20,
).map(b"".join)  # fmt: skip


def fields(**named: str | bytes) -> tuple[Field, ...]:
    """Header fields from keywords: `cache_control="max-age=60"`."""
    return tuple(
        (name.replace("_", "-").encode(), value.encode() if isinstance(value, str) else value)
        for name, value in named.items()
    )


def date(offset_s: float = 0.0) -> bytes:
    """NOW and so many seconds, as an HTTP date."""
    return format_http_date(NOW + offset_s)


def request(method: bytes = b"GET", **named: str | bytes) -> Request:
    """A request for http://host/ with these fields."""
    return Request(method, b"/", b"http", b"host", b"/", None, (1, 1), Headers(fields(**named)))


def response(status: int = 200, **named: str | bytes) -> ResponseHead:
    """A response head with these fields."""
    return ResponseHead(status, Headers(fields(**named)))


def storing(
    answer: ResponseHead, asked: Request | None = None, rules: CacheRules = RULES
) -> Storing:
    """What is decided on an answer that took no time and came at NOW."""
    return decide_storing(
        request() if asked is None else asked, answer, rules, request_time=NOW, response_time=NOW
    )


def record(**changes: object) -> StoredResponse:
    """A fresh 200 of 5 bytes that came at NOW and lives a minute, but for these changes."""
    return msgspec.structs.replace(RECORD, **changes)


def stored_from(
    answer: ResponseHead, rules: CacheRules = RULES, asked: Request | None = None
) -> StoredResponse:
    """The record of an answer that may be stored."""
    decision = storing(answer, asked, rules)
    assert decision.store, decision.reason
    return record(
        status=answer.status,
        headers=decision.headers,
        vary=decision.vary,
        corrected_age_s=decision.corrected_age_s,
        lifetime_s=decision.lifetime_s,
        stale_while_revalidate_s=decision.stale_while_revalidate_s,
        stale_if_error_s=decision.stale_if_error_s,
        flags=int(decision.flags),
        tags=decision.tags,
    )
