"""Heads of responses from the store, and what a 304 repeats of them. Pure."""

from __future__ import annotations

import functools
import re

from headrace.cache.freshness import age_and_ttl_s, current_age_s, remaining_s
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.status import cache_status
from headrace.http import via
from headrace.http.dates import format_http_date
from headrace.http.message import Field
from headrace.http.serializer import field_lines, status_line
from headrace.store import Block

# Fields of the whole representation that a 304 does not repeat (RFC 9110 section 15.4.5).
NOT_IN_304 = frozenset(
    (
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"content-language",
        b"content-range",
        b"last-modified",
    )
)

_HTTP_1_0 = int(StoredFlag.HTTP_1_0)  # a flag's `&` costs as much as a call
_TTL = re.compile(rb"; ttl=-?[0-9]+")


def stored_fields(stored: StoredResponse, now: float, node_id: bytes) -> list[Field]:
    """Return a stored response's fields for a client, with Age and Via."""
    fields = list(stored.headers)
    names = {name for name, _value in fields}
    if b"date" not in names:
        fields.append((b"date", format_http_date(stored.response_time)))
    if b"accept-ranges" not in names and stored.status == 200:
        fields.append((b"accept-ranges", b"bytes"))
    fields.append((b"age", b"%d" % current_age_s(stored, now)))
    version = (1, 0) if stored.flags & _HTTP_1_0 else (1, 1)
    via.add_to_response(fields, via.hop(version, node_id))
    return fields


class HitHeads:
    """The heads of a hit, for any second: Age and the ttl in Cache-Status are all that changes.

    `fields` are those of one moment, with this cache's Cache-Status behind any other.
    """

    __slots__ = ("_partial", "_stored", "_whole")

    def __init__(self, stored: StoredResponse, fields: list[Field]) -> None:
        self._stored = stored
        own = max(n for n, (name, _value) in enumerate(fields) if name == b"cache-status")
        made: list[Field] = []
        for number, (name, value) in enumerate(fields):
            line = b"%d" if name == b"age" else value.replace(b"%", b"%%")
            if number == own:
                line = _TTL.sub(b"; ttl=%d", line, count=1)
            made.append((name.replace(b"%", b"%%"), line))
        lines = field_lines(made)
        length = b"" if stored.status == 204 else b"Content-Length: %d\r\n" % stored.length
        self._whole = b"%s%s%s\r\n" % (status_line(stored.status), lines, length)
        self._partial = status_line(206) + lines

    def whole(self, now: float) -> bytes:
        """Return the head of the whole response at `now`, without Connection."""
        return self._whole % age_and_ttl_s(self._stored, now)

    def partial(self, now: float) -> bytes:
        """Return what a 206 begins with at `now`: all but Content-Range, Content-Length and the
        end.
        """
        return self._partial % age_and_ttl_s(self._stored, now)


def hit_head(stored: StoredResponse, fields: list[Field]) -> bytes:
    """Return what `HitHeads` of these fields returns for their own moment: for one answer, and
    not for those of many seconds.
    """
    length = b"" if stored.status == 204 else b"Content-Length: %d\r\n" % stored.length
    return b"%s%s%s\r\n" % (status_line(stored.status), field_lines(fields), length)


def head_of_one_hit(stored: StoredResponse, now: float, node_id: bytes) -> bytes:
    """Return what `hit_head` does of `stored_fields` and this cache's Cache-Status, in a third of
    the steps: a small response from the store is mostly this.
    """
    return _head_of_one(stored, now, node_id, hit=True)


def head_of_one_miss(stored: StoredResponse, now: float, node_id: bytes) -> bytes:
    """Return the same of a response that came just now, for which nothing was stored."""
    return _head_of_one(stored, now, node_id, hit=False)


def _head_of_one(stored: StoredResponse, now: float, node_id: bytes, *, hit: bool) -> bytes:
    headers = stored.headers
    names = dict(headers)
    if b"via" in names:
        fields = stored_fields(stored, now, node_id)
        fields.append((b"cache-status", _status(node_id, hit, int(remaining_s(stored, now)))))
        return hit_head(stored, fields)
    status = stored.status
    lines = status_line(status) + field_lines(headers)
    if b"date" not in names:
        lines += b"Date: %s\r\n" % format_http_date(stored.response_time)
    if status == 200 and b"accept-ranges" not in names:
        lines += b"Accept-Ranges: bytes\r\n"
    age_s, ttl_s = age_and_ttl_s(stored, now)
    end = (_own_fields if hit else _own_fields_of_miss)(node_id, stored.flags & _HTTP_1_0)
    behind = b"" if hit else b"; stored"
    if status == 204:
        return b"%sAge: %d\r\n%s%d%s\r\n\r\n" % (lines, age_s, end, ttl_s, behind)
    return b"%sAge: %d\r\n%s%d%s\r\nContent-Length: %d\r\n\r\n" % (
        lines, age_s, end, ttl_s, behind, stored.length,
    )  # fmt: skip


def _status(node_id: bytes, hit: bool, ttl_s: int) -> bytes:
    if hit:
        return cache_status(node_id, hit=True, ttl=ttl_s)
    return cache_status(node_id, hit=False, fwd=b"uri-miss", stored=True, ttl=ttl_s)


def ready_head(block: Block, now: float, node_id: bytes) -> bytes:
    """Return what `head_of_one_hit` does of the record whose block this is."""
    # As `age_and_ttl_s` does, without two calls for each hit.
    since_s, age = now - block.response_time, block.corrected_age_s
    if since_s > 0.0:
        age += since_s
    age = max(age, 0.0)
    head, age_s, ttl_s = block.head, int(age), int(block.lifetime_s - age)
    if not block.has_via:
        return b"%sAge: %d\r\n%s%d\r\nContent-Length: %d\r\n\r\n" % (
            head, age_s, _own_fields(node_id, block.http_1_0), ttl_s, block.length,
        )  # fmt: skip
    end = head.index(b"\r\n", head.rindex(b"\r\nVia: ") + 2)
    behind = b", " if head[end - 2 : end] != b": " else b""
    hop = via.hop((1, 0) if block.http_1_0 else (1, 1), node_id)
    status = field_lines([(b"cache-status", cache_status(node_id, hit=True, ttl=ttl_s))])
    return b"%s%s%s%sAge: %d\r\n%sContent-Length: %d\r\n\r\n" % (
        head[:end], behind, hop, head[end:], age_s, status, block.length,
    )  # fmt: skip


@functools.lru_cache(maxsize=64)
def _own_fields(node_id: bytes, http_1_0: int) -> bytes:
    """Return Via, and Cache-Status up to the number of its ttl."""
    hop = via.hop((1, 0) if http_1_0 else (1, 1), node_id)
    status = cache_status(node_id, hit=True, ttl=0)
    return field_lines([(b"via", hop), (b"cache-status", status)])[: -len(b"0\r\n")]


@functools.lru_cache(maxsize=64)
def _own_fields_of_miss(node_id: bytes, http_1_0: int) -> bytes:
    """Return the same of a miss; behind the number it goes on."""
    hop = via.hop((1, 0) if http_1_0 else (1, 1), node_id)
    status = _status(node_id, False, 0)
    return field_lines([(b"via", hop), (b"cache-status", status)])[: -len(b"0; stored\r\n")]


def not_modified_fields(fields: list[Field]) -> list[Field]:
    """Return the fields of a 304, from those of the 200."""
    keep_last_modified = not any(name == b"etag" for name, _value in fields)
    return [
        field
        for field in fields
        if field[0] not in NOT_IN_304 or (field[0] == b"last-modified" and keep_last_modified)
    ]
