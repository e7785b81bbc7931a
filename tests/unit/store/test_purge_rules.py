"""Purge rules and the set of them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.store import PurgeRule, matches
from headrace.store.purge_rules import PurgeEffect, RuleKind, RuleSet
from tests.unit.store.samples import KEY, a_record


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (PurgeRule("url", KEY), True),
        (PurgeRule("url", KEY[:-1]), False),
        (PurgeRule("prefix", b"films\nexample.org/"), True),
        (PurgeRule("prefix", b"films\nexample.com/"), False),
        (PurgeRule("tag", b"series-7"), True),
        (PurgeRule("tag", b"series"), False),
        (PurgeRule("all"), True),
        (PurgeRule("all", service=b"films"), True),
        (PurgeRule("all", service=b"film"), False),
        (PurgeRule("tag", b"series-7", service=b"music"), False),
    ],
)
def test_a_rule_fits_what_its_words_say(rule: PurgeRule, fits: bool) -> None:
    assert matches(rule, a_record(tags=(b"series-7",))) is fits


def test_a_rule_does_not_hit_what_was_fetched_after_it() -> None:
    rules = RuleSet([PurgeRule("all", generation=3)])
    assert rules.effect(a_record(generation=2)) is PurgeEffect.HARD
    assert rules.effect(a_record(generation=3)) is PurgeEffect.KEPT


def test_a_hard_rule_wins_over_a_soft_one() -> None:
    rules = RuleSet(
        [
            PurgeRule("all", soft=True, generation=1),
            PurgeRule("url", KEY, generation=2),
            PurgeRule("all", soft=True, generation=3),
        ]
    )
    assert rules.effect(a_record()) is PurgeEffect.HARD
    assert rules.effect(a_record(generation=2)) is PurgeEffect.SOFT


texts = st.text("ab/", max_size=3).map(lambda text: text.encode())
kinds: st.SearchStrategy[RuleKind] = st.sampled_from(("url", "prefix", "tag", "all"))
some_rules = st.lists(
    st.builds(PurgeRule, kind=kinds, value=texts, soft=st.booleans(), service=st.none()), max_size=8
)


@given(some_rules, texts, st.lists(texts, max_size=2), st.integers(0, 8))
def test_the_set_says_what_asking_every_rule_would_say(
    rules: list[PurgeRule], key: bytes, tags: list[bytes], generation: int
) -> None:
    numbered = [
        msgspec.structs.replace(rule, generation=number)
        for number, rule in enumerate(rules, start=1)
    ]
    stored = a_record(key, tags=tuple(tags), generation=generation)
    hits = [rule for rule in numbered if rule.generation > generation and matches(rule, stored)]
    expected = PurgeEffect.KEPT
    if hits:
        expected = PurgeEffect.SOFT if all(rule.soft for rule in hits) else PurgeEffect.HARD
    assert RuleSet(numbered).effect(stored) is expected
