from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.freshness import remaining_s
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.status import cache_status
from headrace.edge.service.response_heads import (
    HitHeads,
    head_of_one_hit,
    head_of_one_miss,
    hit_head,
    not_modified_fields,
    ready_head,
    stored_fields,
)
from headrace.http.message import Field
from headrace.http.serializer import field_lines
from headrace.store import ready_rows
from tests.unit.cache.values import NOW, RECORD


def hit_fields(stored: StoredResponse, now: float, key: bytes | None) -> list[Field]:
    ttl = int(remaining_s(stored, now))
    status = cache_status(b"edge", hit=True, ttl=ttl, key=key)
    timing = (b"server-timing", b"cache;desc=hit; ttl=9")
    return [*stored_fields(stored, now, b"edge"), (b"cache-status", status), timing]


VALUES = st.sampled_from(
    [b"x", b"50%", b"%d %s %%", b"max-age=9; ttl=3", b"edge; hit; ttl=5", b"1.1 origin"]
)
NAMES = st.sampled_from([b"x-a", b"x%d", b"via", b"date", b"etag"])


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=4, unique_by=lambda field: field[0]),
    st.sampled_from([None, b"service /a; ttl=7", b"100%", b"\xff"]),
    st.floats(-10, 10_000),
    st.floats(-10, 10_000),
)
def test_the_heads_of_a_hit_are_those_of_any_second(
    headers: list[Field], key: bytes | None, made_s: float, asked_s: float
) -> None:
    stored = msgspec.structs.replace(
        RECORD, corrected_age_s=3.2, lifetime_s=60.5, headers=tuple(headers)
    )
    heads = HitHeads(stored, hit_fields(stored, NOW + made_s, key))
    asked = NOW + asked_s
    lines = field_lines(hit_fields(stored, asked, key))
    length = b"Content-Length: %d\r\n\r\n" % stored.length
    assert heads.whole(asked) == b"HTTP/1.1 200 OK\r\n" + lines + length
    assert heads.partial(asked) == b"HTTP/1.1 206 Partial Content\r\n" + lines


@given(
    st.lists(
        st.tuples(st.one_of(NAMES, st.sampled_from([b"accept-ranges", b"cache-status"])), VALUES),
        max_size=6,
    ),
    st.sampled_from([200, 204, 404]),
    st.sampled_from([0, int(StoredFlag.HTTP_1_0)]),
    st.sampled_from([b"edge", b"an edge"]),
    st.floats(-10, 10_000),
)  # fmt: skip
def test_the_head_of_one_hit_is_the_same_in_fewer_steps(
    headers: list[Field], status: int, flags: int, node_id: bytes, asked_s: float
) -> None:
    stored = msgspec.structs.replace(
        RECORD, corrected_age_s=3.2, lifetime_s=60.5, headers=tuple(headers), status=status,
        flags=flags,
    )  # fmt: skip
    now = NOW + asked_s
    ttl = int(remaining_s(stored, now))
    own = (b"cache-status", cache_status(node_id, hit=True, ttl=ttl))
    slowly = hit_head(stored, [*stored_fields(stored, now, node_id), own])
    assert head_of_one_hit(stored, now, node_id) == slowly
    fetched = cache_status(node_id, hit=False, fwd=b"uri-miss", ttl=ttl, stored=True)
    of_miss = [*stored_fields(stored, now, node_id), (b"cache-status", fetched)]
    assert head_of_one_miss(stored, now, node_id) == hit_head(stored, of_miss)
    row = ready_rows.encode(stored, b"k" * 32, 1, 2)
    assert (row is None) is (status == 204)
    if row is not None:
        block = ready_rows.read(row, b"k" * 32)
        assert block is not None
        assert ready_head(block, now, node_id) == slowly


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
