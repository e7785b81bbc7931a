"""Observers with different lists of observers: one side decides, and all say that they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.feedback.exchange.lists import Listed, by_list, list_digest, right_list
from headrace.feedback.observation import Outcome
from headrace.feedback.states.model import AlarmKind
from tests.harness.observers import Observers
from tests.unit.feedback.networks import network

SERVER = "s0a0"


def differ(lists: Mapping[str, Sequence[str]]) -> Observers:
    return Observers(network(), names=tuple(lists), lists=lists)


def who_decide(all_of: Observers) -> set[str]:
    """Return those that decide themselves."""
    return {name for name, one in all_of.members.items() if one.deciding.decides == name}


def alarmed(all_of: Observers) -> set[str]:
    return {
        name
        for name, one in all_of.members.items()
        if any(alarm.kind is AlarmKind.OBSERVERS_DIFFER for alarm in one.deciding.alarms)
    }


@pytest.mark.parametrize(
    ("lists", "decides"),
    [
        ({"a": "abc", "b": "bac", "c": "bac"}, {"b"}),
        ({"a": "a", "b": "abc", "c": "abc"}, {"b"}),
        ({"a": "ac", "b": "abc", "c": "ac"}, {"a"}),  # b was forgotten
        ({"a": "abcd", "b": "abc", "c": "abc", "d": "abcd"}, None),
        ({"a": "ade", "b": "abc", "c": "abc", "d": "ade", "e": "ade"}, {"a"}),
        ({"a": "ab", "b": "ba"}, None),
        ({"a": "ab", "b": "b"}, None),
    ],
)
def test_one_decides_and_each_says_that_lists_differ(
    lists: Mapping[str, str], decides: set[str] | None
) -> None:
    them = differ(lists)
    them.seconds(15)
    assert len(who_decide(them)) == 1
    assert decides in (None, who_decide(them))
    # d and e of the longest case are asked by nobody who has another list.
    assert alarmed(them) >= set(lists) - set("de")
    published = [len(one.published) for one in them.members.values()]
    them.failing[SERVER] = Outcome.REFUSED
    them.seconds(10)
    assert len(who_decide(them)) == 1
    for name, one in them.members.items():
        if name not in who_decide(them):
            # It publishes what was decided, or nothing.
            (senior,) = who_decide(them)
            decided = [view.version for view in them[senior].published]
            new = one.published[published[list(lists).index(name)] :]
            assert all(view.version in decided for view in new)


def test_a_list_that_is_changed_at_one_after_the_other_keeps_all_deciding() -> None:
    three = Observers(network())
    three.seconds(10)
    for name in "cab":
        three.lists[name] = ("b", "c", "a")
        three[name].deciding.configure(("b", "c", "a"), 1.0, 30.0, 10.0)
        for _second in range(8):
            three.seconds(1)
            assert len(who_decide(three)) == 1
    assert who_decide(three) == {"b"}
    assert alarmed(three) == set()


def test_one_that_is_gone_has_no_list() -> None:
    them = differ({"a": "ab", "b": "ba"})
    them.seconds(10)
    (senior,) = who_decide(them)
    (other,) = {"a", "b"} - {senior}
    them.kill(senior)
    them.seconds(10)
    assert them[other].deciding.decides == other
    assert not them[other].deciding.alarms


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["1", "2", "3"]), min_size=1))
def test_all_that_hear_each_other_find_the_same_list(digests: dict[str, str]) -> None:
    lists = {name: Listed(digest, tuple(digests)) for name, digest in digests.items()}
    found = {right_list(by_list(name, lists)) for name in digests}
    assert len(found) == 1
    counts = sorted(list(digests.values()).count(one) for one in set(digests.values()))
    assert list(digests.values()).count(found.pop()) == counts[-1]


def test_a_digest_stands_for_names_in_their_order() -> None:
    lists = [*permutations("abc"), ("a", "b"), ("a",), ("abc",)]
    assert len({list_digest(one) for one in lists}) == len(lists)
