"""Copies of answers to POST are bounded in bytes, each and all together, and given back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.key import KeyRules
from headrace.cache.rules import CacheRules
from headrace.edge.context import WorkerContext
from headrace.edge.request.post_storing import (
    MOST_BYTES,
    MOST_HELD_BYTES,
    PostedAnswer,
    PostStoring,
)
from headrace.edge.service.resource import Resource
from headrace.http.message import Headers
from headrace.http.parser import ParsedResponseHead
from tests.unit.cache.values import fields, request

HEAD = ParsedResponseHead(
    200, b"OK", (1, 1), Headers(fields(content_location="/", cache_control="max-age=60")), -1, True
)
PIECE = memoryview(bytes(64 * 1024))


def posts() -> PostStoring:
    store = SimpleNamespace(generation=lambda: 1)
    return PostStoring(
        cast(
            WorkerContext,
            SimpleNamespace(store=store, slice_bytes=8 * 1024 * 1024, now=lambda: 1000.0),
        )
    )


def begun(where: PostStoring) -> PostedAnswer:
    """An answer whose body comes next."""
    rules = CacheRules(store_post_answers=True)
    service = SimpleNamespace(key_rules=KeyRules(scheme=True), keyed_fields=())
    posted = where.begin(
        cast(Resource, SimpleNamespace(rules=rules, service=service)), request(b"POST")
    )
    assert posted is not None
    posted.answered(HEAD)
    posted.follow()
    return posted


def test_one_answer_is_held_up_to_its_bound_and_no_further() -> None:
    where = posts()
    answer = begun(where)
    for _ in range(MOST_BYTES // len(PIECE)):
        answer.take(PIECE)
    assert where.held_bytes == MOST_BYTES
    answer.take(PIECE[:1])
    answer.take(PIECE)
    assert where.held_bytes == 0
    answer.close()
    assert where.held_bytes == 0


@given(st.lists(st.tuples(st.integers(0, 39), st.integers(1, 20), st.booleans()), max_size=80))
def test_all_answers_together_are_bounded(turns: list[tuple[int, int, bool]]) -> None:
    where = posts()
    answers = [begun(where) for _ in range(40)]
    for number, pieces, ends in turns:
        for _ in range(pieces):
            answers[number].take(PIECE)
        if ends:
            answers[number].close()
        assert 0 <= where.held_bytes <= MOST_HELD_BYTES
    for answer in answers:
        answer.close()
    assert where.held_bytes == 0


@pytest.mark.parametrize(
    ("rules", "keyed"),
    [
        (CacheRules(), ()),
        (CacheRules(store_post_answers=True, shared=False), ()),
        (CacheRules(store_post_answers=True, languages=(b"de",)), ()),
        (CacheRules(store_post_answers=True), (b"x-device",)),
    ],
)
def test_nothing_is_held_for_what_may_not_be_stored(
    rules: CacheRules, keyed: tuple[bytes, ...]
) -> None:
    service = SimpleNamespace(key_rules=KeyRules(scheme=True), keyed_fields=keyed)
    resource = cast(Resource, SimpleNamespace(rules=rules, service=service))
    assert posts().begin(resource, request(b"POST")) is None
