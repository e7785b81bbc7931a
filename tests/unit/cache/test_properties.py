"""What must hold for every response and every later 304, whatever they say.

- private and no-store, in the field that counts, are never stored.
- Lifetimes and ages are finite and not negative.
- Nothing is fresh for longer than was stated, by the response or by the last 304 that stated it.
- What is fresh now was fresh before: time alone never makes a response better.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.freshness import current_age_s, remaining_s
from headrace.cache.record import StoredFlag, StoredResponse
from headrace.cache.reuse import Action, decide_reuse
from headrace.cache.rules import CacheRules
from headrace.cache.storing import Storing, decide_storing
from headrace.cache.validation import freshened
from headrace.http.dates import parse_http_date
from headrace.http.message import Field, Headers, Request, ResponseHead
from tests.unit.cache.values import (
    NOW,
    RULES,
    date,
    directive_like,
    field_values,
    record,
    request,
)

ELEMENTS = [
    b"max-age=60", b"s-maxage=60", b"max-age =5", b"public", b"immutable", b"must-revalidate", b"",
    b"stale-while-revalidate=99999999999", b"stale-if-error=9", b'ext="a, b"', b'no-cache="x"',
    b'private="x"', b"max-age=x", b"; public", b"a b c", b"=", b"private=x", b"no-store=",
]  # fmt: skip
moments = st.sampled_from([-(10**9), -86400, -60, 0, 1, 60, 86400, 10**9]).map(date)
DATES = (b"date", b"expires", b"last-modified")
VALUES = (b"max-age=60", b"0", b"max-age=60, stale-while-revalidate=5")
fields_of_freshness: st.SearchStrategy[list[Field]] = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(DATES), moments | st.sampled_from([b"0", b"x"])),
        st.tuples(
            st.just(b"cache-control"), directive_like | st.sampled_from((*VALUES, *ELEMENTS))
        ),
        st.tuples(st.just(b"cdn-cache-control"), directive_like | st.sampled_from(VALUES)),
        st.tuples(st.just(b"age"), st.sampled_from([b"0", b"59", b"-1", b"9" * 30]) | field_values),
        st.tuples(st.sampled_from([b"pragma", b"vary", b"connection"]), field_values),
    ),
    max_size=6,
)
statuses = st.sampled_from([200, 204, 301, 302, 404, 410, 500, 299])


def decided(head: ResponseHead, rules: CacheRules = RULES) -> Storing:
    return decide_storing(request(), head, rules, request_time=NOW, response_time=NOW)


def recorded(decision: Storing, status: int) -> StoredResponse:
    return record(
        status=status, headers=decision.headers, vary=decision.vary, flags=int(decision.flags),
        corrected_age_s=decision.corrected_age_s, lifetime_s=decision.lifetime_s,
        stale_while_revalidate_s=decision.stale_while_revalidate_s,
        stale_if_error_s=decision.stale_if_error_s,
    )  # fmt: skip


@given(
    st.lists(st.sampled_from(ELEMENTS), max_size=8),
    st.lists(st.sampled_from(ELEMENTS), max_size=8),
    st.sampled_from(
        [b"no-store", b"No-Store", b"no-store=1", b"private", b"PRIVATE", b"private=,"]
    ),
    st.sampled_from([b"", b', x="never closed', b'"', b' ="']),
    statuses,
    st.sampled_from([RULES, CacheRules(force_lifetime_s=60.0, default_lifetime_s=60.0)]),
)
def test_what_forbids_storing_is_obeyed_among_all_else(
    before: list[bytes],
    after: list[bytes],
    forbids: bytes,
    end: bytes,
    status: int,
    rules: CacheRules,
) -> None:
    value = b", ".join([*before, forbids, *after]) + end
    headers = Headers([(b"etag", b'"a"'), (b"cache-control", value), (b"expires", date(60))])
    assert not decided(ResponseHead(status, headers), rules).store


@given(
    st.lists(st.sampled_from([b"max-age=60", b"public", b"x=(a b);c", b"immutable"]), max_size=4),
    st.sampled_from([b"no-store", b"private", b"no-store=?1", b"private=9", b"no-store=word"]),
)
def test_so_it_is_in_a_targeted_field(others: list[bytes], forbids: bytes) -> None:
    value = b", ".join([*others, forbids])
    headers = Headers([(b"cdn-cache-control", value), (b"cache-control", b"max-age=60")])
    assert not decided(ResponseHead(200, headers)).store


@given(fields_of_freshness, statuses, st.sampled_from([RULES, CacheRules(force_lifetime_s=60.0)]))
def test_times_are_finite_and_not_negative(
    named: list[Field], status: int, rules: CacheRules
) -> None:
    decision = decided(ResponseHead(status, Headers(named)), rules)
    times = (
        decision.lifetime_s, decision.corrected_age_s, decision.stale_while_revalidate_s,
        decision.stale_if_error_s,
    )  # fmt: skip
    assert all(math.isfinite(seconds) and seconds >= 0 for seconds in times)


@given(fields_of_freshness, statuses, st.lists(st.integers(0, 10**10), min_size=2, max_size=4))
def test_time_alone_makes_nothing_better(
    named: list[Field], status: int, later_s: list[int]
) -> None:
    decision = decided(ResponseHead(status, Headers([*named, (b"etag", b'"a"')])))
    if not decision.store:
        return
    stored = recorded(decision, status)
    order = [Action.FRESH, Action.STALE_WHILE_REVALIDATE, Action.VALIDATE]
    found = [
        order.index(decide_reuse(request(), stored, RULES, NOW + seconds).action)
        for seconds in sorted(later_s)
    ]
    assert found == sorted(found)
    ages = [current_age_s(stored, NOW + seconds) for seconds in sorted(later_s)]
    assert ages == sorted(ages)


@given(
    st.lists(st.integers(0, 10**12), max_size=3),
    st.lists(st.integers(0, 10**12), max_size=3),
    st.none() | st.integers(-(10**6), 10**6),
    st.integers(-(10**6), 10**6),
    st.integers(0, 10**6),
    statuses,
)
def test_nothing_is_stored_for_longer_than_it_says(
    max_ages: list[int],
    s_maxages: list[int],
    expires_s: int | None,
    date_s: int,
    age_s: int,
    status: int,
) -> None:
    pieces = [b"max-age=%d" % n for n in max_ages] + [b"s-maxage=%d" % n for n in s_maxages]
    named = [(b"cache-control", b", ".join(pieces)), (b"date", date(date_s)), (b"etag", b'"a"')]
    named.append((b"age", b"%d" % age_s))
    if expires_s is not None:
        named.append((b"expires", date(expires_s)))
    decision = decided(ResponseHead(status, Headers(named)))
    if not decision.store:
        return
    if s_maxages:
        stated_s: float = s_maxages[0]
    elif max_ages:
        stated_s = max_ages[0]
    elif expires_s is not None:
        stated_s = max(0, expires_s - date_s)
    else:
        return
    assert decision.lifetime_s <= stated_s
    assert decision.corrected_age_s >= max(age_s, -date_s)


# Several 304s, one after the other.

SAYS: list[tuple[Field, ...]] = [
    (),
    ((b"cache-control", b"max-age=60"),),
    ((b"cache-control", b"max-age=600"),),
    ((b"cache-control", b"max-age =600"),),
    ((b"cache-control", b"no-cache"),),
    ((b"cache-control", b"no-store"),),
    ((b"cache-control", b"private, max-age=60"),),
    ((b"cdn-cache-control", b"max-age=30"),),
    ((b"cdn-cache-control", b"&&&"), (b"cache-control", b"max-age=30")),
    ((b"expires", b"0"),),
    ((b"set-cookie", b"a=1"), (b"cache-control", b"max-age=9999")),
    ((b"etag", b'"other"'), (b"cache-control", b"max-age=9999")),
    ((b"vary", b"cookie"), (b"cache-control", b"max-age=9999")),
    ((b"connection", b"x-a"), (b"x-a", b"hop"), (b"cache-control", b"max-age=60")),
    ((b"age", b"50"), (b"cache-control", b"max-age=60")),
]

FORBIDS = SAYS[4:7]


@given(
    st.sampled_from([200, 404, 301]),
    st.lists(st.tuples(st.sampled_from(SAYS), st.integers(0, 700)), min_size=1, max_size=6),
    st.sampled_from([request(), request(authorization="x")]),
)
def test_after_any_304s_nothing_is_fresh_beyond_what_was_said(
    status: int, said: Sequence[tuple[tuple[Field, ...], int]], asked: Request
) -> None:
    first = ResponseHead(
        status, Headers([(b"etag", b'"a"'), (b"cache-control", b"max-age=60"), (b"date", date())])
    )
    stored, now = recorded(decided(first), status), NOW
    for named, later_s in said:
        now += later_s
        stored = freshened(
            stored, ResponseHead(304, Headers(named)), RULES, asked,
            request_time=now, response_time=now,
        )  # fmt: skip
        # 600 s at most was said of this representation to all; an error has its cap.
        most_s = 600.0 if status < 400 else RULES.error_max_s
        assert remaining_s(stored, now) <= most_s
        names = {name for name, _value in stored.headers}
        assert not names & {b"set-cookie", b"connection", b"x-a"}
        assert (b"etag", b'"a"') in stored.headers
        # A stored targeted field stays in force beside a newer Cache-Control (RFC 9213).
        in_force = b"cdn-cache-control" not in names and not asked.headers.fields
        if named in FORBIDS and in_force:
            assert stored.flags & StoredFlag.NO_CACHE
            assert decide_reuse(request(), stored, RULES, now).action is Action.VALIDATE


letters = st.sampled_from([bytes.lower, bytes.upper, bytes.title, bytes.swapcase])


@given(st.integers(-62135596800, 253402300799), letters, st.sampled_from([0, 1, 2]))
def test_every_form_of_a_date_reads_alike_in_any_letters(
    second: int, written: object, form: int
) -> None:
    parts = time.gmtime(second)
    year = parts.tm_year
    texts = (
        time.strftime("%a, %d %b ", parts) + f"{year:04d}" + time.strftime(" %H:%M:%S GMT", parts),
        time.strftime("%a %b ", parts) + f"{parts.tm_mday:2d}"
        + time.strftime(" %H:%M:%S ", parts) + f"{year:04d}",
        time.strftime("%A, %d-%b-%y %H:%M:%S GMT", parts),
    )  # fmt: skip
    assert callable(written)
    found = parse_http_date(written(texts[form].encode()), this_year=2026)
    if form < 2:
        assert found == second
    else:
        assert found is not None
        read = time.gmtime(found)
        assert 1977 <= read.tm_year <= 2076
        assert (read.tm_year - year) % 100 == 0


@pytest.mark.parametrize("name", [b"cache-control", b"vary", b"age", b"expires", b"connection"])
@given(value=st.binary(max_size=300))
def test_no_bytes_in_any_field_raise(name: bytes, value: bytes) -> None:
    decided(ResponseHead(200, Headers([(name, value), (b"etag", value)])))
    stored = record(headers=((b"etag", b'"a"'), (name, value)))
    freshened(
        stored, ResponseHead(304, Headers([(name, value)])), RULES, request(),
        request_time=NOW, response_time=NOW,
    )  # fmt: skip
