"""What purges that one server knows of mean for what another one has."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.record import StoredResponse
from headrace.edge.peers.purges import (
    BEGAN,
    began_at,
    began_field,
    effect,
    newest_of,
    times_of,
)
from headrace.http.message import Headers
from headrace.store import PurgeRule
from headrace.store.purge_rules import PurgeEffect, RuleSet
from headrace.upstream.peering import MOST_TAGS, NO_PURGES, PurgeTimes, TagPurge, tag_digest
from tests.unit.cache.values import RECORD

KEPT, SOFT, HARD = PurgeEffect.KEPT, PurgeEffect.SOFT, PurgeEffect.HARD
KEY = b"vod\nhttp://vod.example/film"


def stored(began: float, *tags: bytes, key: bytes = KEY) -> StoredResponse:
    return msgspec.structs.replace(RECORD, key=key, began_at=began, tags=tags)


@pytest.mark.parametrize(
    ("purges", "found"),
    [
        (NO_PURGES, KEPT),
        (PurgeTimes(not_before=100.0), KEPT),
        (PurgeTimes(not_before=100.1), HARD),
        (PurgeTimes(stale_before=100.1), SOFT),
        (PurgeTimes(not_before=100.1, stale_before=100.1), HARD),
        (PurgeTimes(tags=(TagPurge(tag_digest(b"a"), 101.0),)), HARD),
        (PurgeTimes(tags=(TagPurge(tag_digest(b"a"), 101.0, soft=True),)), SOFT),
        (PurgeTimes(tags=(TagPurge(tag_digest(b"a"), 100.0),)), KEPT),
        (PurgeTimes(tags=(TagPurge(tag_digest(b"b"), 101.0),)), KEPT),
        (PurgeTimes(tagged_before=101.0), HARD),
    ],
)
def test_what_began_before_a_purge_is_purged(purges: PurgeTimes, found: PurgeEffect) -> None:
    assert effect(purges, stored(100.0, b"a")) is found


def test_what_has_no_tag_is_purged_by_none() -> None:
    assert effect(PurgeTimes(tagged_before=101.0), stored(100.0)) is KEPT


def test_a_record_of_before_times_were_kept_is_older_than_any_purge() -> None:
    assert effect(PurgeTimes(not_before=1.0), stored(0.0)) is HARD


RULES = st.lists(
    st.builds(
        PurgeRule,
        st.sampled_from(["url", "prefix", "tag", "all"]),
        st.sampled_from([b"vod\nhttp://vod.example/film", b"vod\nhttp://vod.example/", b"a", b"b"]),
        st.booleans(),
        st.sampled_from([None, b"vod", b"other"]),
    ),
    max_size=30,
)


@given(RULES, st.lists(st.sampled_from([b"a", b"b", b"c"]), unique=True), st.integers(0, 30))
def test_another_server_removes_whatever_ours_would(
    rules: list[PurgeRule], tags: list[bytes], began: int
) -> None:
    known = RuleSet()
    for number, rule in enumerate(rules, 1):
        known.add(msgspec.structs.replace(rule, generation=number, made_at=float(number)))
    record = stored(began + 0.5, *tags)
    ours = known.effect(msgspec.structs.replace(record, generation=began))
    assert effect(times_of(known, KEY), record) >= ours
    if len({rule.value for rule in rules if rule.kind == "tag"}) * 2 <= MOST_TAGS:
        assert effect(times_of(known, KEY), record) == ours


@given(RULES, RULES, st.lists(st.sampled_from([b"a", b"b"]), unique=True), st.integers(0, 30))
def test_two_servers_together_know_what_each_knows(
    ones: list[PurgeRule], others: list[PurgeRule], tags: list[bytes], began: int
) -> None:
    times = []
    for rules in (ones, others):
        known = RuleSet()
        for number, rule in enumerate(rules, 1):
            known.add(msgspec.structs.replace(rule, generation=number, made_at=float(number)))
        times.append(times_of(known, KEY))
    record = stored(began + 0.5, *tags)
    assert effect(newest_of(*times), record) == max(effect(each, record) for each in times)


def test_the_newest_tags_are_named() -> None:
    known = RuleSet(
        PurgeRule("tag", b"%d" % n, generation=n, made_at=float(n)) for n in range(1, 20)
    )
    times = times_of(known, KEY)
    assert [tag.before for tag in times.tags] == [float(n) for n in range(19, 19 - MOST_TAGS, -1)]
    assert times.tagged_before == 19.0 - MOST_TAGS


def test_a_later_purge_by_a_tag_is_seen() -> None:
    known = RuleSet([PurgeRule("tag", b"a", generation=1, made_at=1.0)])
    assert times_of(known, KEY).tags[0].before == 1.0
    known.add(PurgeRule("tag", b"a", generation=2, made_at=2.0))
    assert times_of(known, KEY).tags[0].before == 2.0


@given(st.floats(0, 1e6), st.floats(0, 50), st.floats(-1000, 1000))
def test_a_copy_is_never_younger_at_the_next_server(
    age_s: float, way_s: float, skew_s: float
) -> None:
    began, sent = 1e9, 1e9 + age_s
    name, value = began_field(stored(began), sent)
    assert name == BEGAN
    # It was asked for before it was sent; both by the other's clock.
    found = began_at(Headers([(name, value)]), sent + skew_s - way_s)
    assert found <= began + skew_s + 0.001


@pytest.mark.parametrize("value", [b"", b"-5", b"1e3", b"9" * 16, b"5, 5"])
def test_what_is_no_time_is_taken_for_now(value: bytes) -> None:
    assert began_at(Headers([(BEGAN, value)]), 7.0) == 7.0
    assert began_at(Headers(), 7.0) == 7.0


@given(st.floats(0, 0.01))
def test_a_copy_never_seems_younger_than_it_is(ago_s: float) -> None:
    sent = 1_000_000.0
    found = began_at(Headers([began_field(stored(sent - ago_s), sent)]), sent)
    assert sent - ago_s - 0.0011 <= found <= sent - ago_s + 1e-9
