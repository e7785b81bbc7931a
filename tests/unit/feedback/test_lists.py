"""Observers with different lists of observers: one side decides, and all say that they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.feedback.exchange.document import Document
from headrace.feedback.exchange.lists import Askers, Listed, by_list, list_digest, right_list
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


FALSE = "ffffffffffffffff"
"""Of lists that as many have it would win."""


@pytest.mark.parametrize("names", ["a", "ab", "abc"])
@pytest.mark.parametrize("calls_itself", ["!", "edge-7", "b"])
def test_one_node_that_knows_the_secret_silences_no_observer(names: str, calls_itself: str) -> None:
    them = Observers(network(), names=tuple(names))
    them.strangers = {calls_itself: Listed(FALSE)}
    them.seconds(15)
    assert who_decide(them) == {"a"}
    for name in names[1:]:
        them.kill(name)
    them.seconds(10)
    assert who_decide(them) == {"a"}


@pytest.mark.parametrize("names", ["abc", "abcd"])
def test_the_last_observer_does_not_take_over_by_untruths_of_whom_it_hears(names: str) -> None:
    def untrue(told: Document) -> Document:
        hears = [f"x{number}" for number in range(60)]
        return msgspec.structs.replace(told, hears=hears, list_digest=FALSE, decides=told.observer)

    them = Observers(network(), names=tuple(names))
    them.untruths[names[-1]] = untrue
    them.seconds(15)
    assert them["a"].deciding.decides == "a"
    assert them["b"].deciding.decides == "a"


def test_whoever_asks_by_one_list_and_another_in_turn_fills_no_history() -> None:
    them = Observers(network())
    told = 0
    for second in range(40):
        them.strangers = {"x": Listed(FALSE)} if second % 2 else {}
        them.seconds(1)
        told += sum(b"observers_differ" in one for one in them["a"].deciding.events)
    assert told == 1
    them.strangers = {}
    them.seconds(10)
    assert alarmed(them) == set()


def test_whoever_asks_has_one_vote_for_its_network() -> None:
    askers = Askers()
    for number in range(200):
        askers.note(f"x{number}", FALSE, "192.0.2.7", 100.0)
        askers.note(f"y{number}", FALSE, f"2001:db8::{number:x}", 100.0)
    assert len(askers.since(0.0)) == 2
    for number in range(200):
        askers.note(f"z{number}", "1", f"198.51.100.{number}", 100.0)
    assert len(askers.since(0.0)) == 64


def test_of_several_in_one_network_the_same_one_counts_again_and_again() -> None:
    askers = Askers()
    for second in range(40):
        askers.note("d", "1", "192.0.2.7", float(second))
        if second < 20:
            askers.note("c", "2", "192.0.2.7", float(second))
        assert set(askers.since(second - 15.0)) == {"c" if second < 29 else "d"}


def test_observers_that_are_tried_out_on_one_machine_all_count() -> None:
    askers = Askers()
    for name in "abc":
        askers.note(name, "1", "127.0.0.1", 100.0)
    assert set(askers.since(100.0)) == set("abc")


def test_a_digest_stands_for_names_in_their_order() -> None:
    lists = [*permutations("abc"), ("a", "b"), ("a",), ("abc",)]
    assert len({list_digest(one) for one in lists}) == len(lists)
