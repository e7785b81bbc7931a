from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.topology.announced_document import Approved
from headrace.topology.learnt_rules import LearntRules
from headrace.topology.prefix_set import PrefixSet
from headrace.vip.learn.heard import RESYNC_S
from headrace.vip.learn.history import KeptError, decode_kept
from headrace.vip.learn.learner import NotProposedError
from headrace.vip.learn.learning import Learning, LearningCounts
from tests.harness.announced import OTHER_V4, START, V4, V6, Router, learning_topology

WITHIN = PrefixSet.of(["81.0.0.0/8", "2a00::/16"])
RULES = LearntRules("a", "f", WITHIN, most=20, most_changed=1.0, settle_s=30.0, keep_s=600.0)
STRICT = replace(RULES, most_changed=0.3)


def router(rules: LearntRules = RULES) -> Router:
    learning = Learning("a1")
    learning.described(learning_topology(rules), START)
    found = Router(learning)
    found.up()
    return found


def test_a_prefix_counts_when_it_has_stayed() -> None:
    isp = router()
    isp.announce("81.1.0.0/16", "81.2.0.0/16")
    isp.wait(25)
    assert isp.told() == set()
    isp.wait(10)
    assert isp.told() == {"81.1.0.0/16", "81.2.0.0/16"}
    assert isp.kinds() == ["taken"]


def test_a_server_of_another_site_learns_nothing() -> None:
    learning = Learning("b1")
    learning.described(learning_topology(RULES), START)
    assert not learning.learns


def test_what_is_not_allowed_is_counted_with_a_remedy() -> None:
    isp = router()
    isp.announce("0.0.0.0/0", "81.200.1.0/24", "82.0.0.0/16", "81.1.1.1/32")
    isp.announce("::ffff:81.1.0.0/112", session=V6)
    isp.announce("81.1.0.0/16")
    isp.wait(60)
    assert isp.told() == {"81.1.0.0/16"}
    (status,) = isp.learning.status().coverage
    refused = {one.reason: one for one in status.refused}
    assert set(refused) == {
        "default-route", "others-clients", "not-within", "too-long", "not-global",
    }  # fmt: skip
    assert refused["others-clients"].first == "81.200.1.0/24"
    assert all(one.remedy for one in status.refused)


def test_a_prefix_announced_again_in_a_way_that_is_not_allowed_goes() -> None:
    isp = router(replace(RULES, origin_as=(64500,)))
    isp.announce("81.1.0.0/16")
    isp.wait(60)
    isp.as_path = (64500, 666)
    isp.announce("81.1.0.0/16")
    isp.wait(60)
    assert isp.told() == set()


def test_a_withdrawal_at_one_of_two_sessions_changes_nothing() -> None:
    isp = router()
    isp.up(OTHER_V4)
    isp.announce("81.1.0.0/16")
    isp.announce("81.1.0.0/16", session=OTHER_V4)
    isp.wait(60)
    isp.withdraw("81.1.0.0/16")
    isp.wait(60)
    assert isp.told() == {"81.1.0.0/16"}
    isp.withdraw("81.1.0.0/16", session=OTHER_V4)
    isp.wait(60)
    assert isp.told() == set()


def test_a_prefix_that_comes_and_goes_waits() -> None:
    isp = router()
    isp.announce("81.1.0.0/16", "81.2.0.0/16")
    isp.wait(60)
    for _ in range(4):
        isp.withdraw("81.1.0.0/16")
        isp.wait(20)
        isp.announce("81.1.0.0/16")
        isp.wait(20)
    isp.withdraw("81.1.0.0/16")
    isp.wait(120)
    assert isp.told() == {"81.1.0.0/16", "81.2.0.0/16"}
    assert isp.kinds() == ["taken"]
    isp.wait(3600)
    assert isp.told() == {"81.2.0.0/16"}


def test_a_lost_session_keeps_what_was_taken_and_then_gives_it_up() -> None:
    isp = router()
    isp.announce("81.1.0.0/16")
    isp.wait(60)
    isp.down(lost=["81.1.0.0/16"])
    isp.wait(590)
    assert isp.told() == {"81.1.0.0/16"}
    isp.wait(20)
    assert isp.told() == set()
    assert isp.kinds() == ["taken", "lapsed"]
    isp.up()
    isp.announce("81.1.0.0/16")
    isp.wait(5)
    assert isp.told() == {"81.1.0.0/16"}  # it is no change of what was taken
    assert isp.kinds() == ["taken", "lapsed", "heard-again"]


def test_what_does_not_come_again_with_the_session_goes() -> None:
    isp = router()
    isp.announce("81.1.0.0/16", "81.2.0.0/16")
    isp.wait(60)
    isp.down(lost=["81.1.0.0/16", "81.2.0.0/16"])
    isp.wait(10)
    isp.up()
    isp.announce("81.1.0.0/16")
    isp.wait(RESYNC_S - 5)
    assert isp.told() == {"81.1.0.0/16", "81.2.0.0/16"}
    isp.wait(60)
    assert isp.told() == {"81.1.0.0/16"}


def test_one_family_lapses_without_the_other() -> None:
    isp = router()
    isp.up(V6)
    isp.announce("81.1.0.0/16")
    isp.announce("2a00:1::/32", session=V6)
    isp.wait(60)
    isp.down(V6)
    isp.wait(700)
    assert isp.told() == {"81.1.0.0/16"}


def test_of_two_sessions_the_one_that_stays_away_takes_its_own_along() -> None:
    isp = router()
    isp.up(OTHER_V4)
    isp.announce("81.1.0.0/16")
    isp.announce("81.2.0.0/16", session=OTHER_V4)
    isp.wait(60)
    isp.down(OTHER_V4)
    isp.wait(590)
    assert isp.told() == {"81.1.0.0/16", "81.2.0.0/16"}
    isp.wait(60)
    assert isp.told() == {"81.1.0.0/16"}


def test_a_large_change_waits_for_somebody() -> None:
    isp = router(STRICT)
    isp.announce(*(f"81.{number}.0.0/16" for number in range(10)))
    isp.wait(60)
    assert isp.told() == set()
    (status,) = isp.learning.status().coverage
    assert status.waiting is not None
    assert (status.waiting.prefixes_added, status.waiting.share) == (10, 1.0)
    assert isp.learning.counts() == LearningCounts(0, 1, 0, 0)
    with pytest.raises(NotProposedError, match="that waits is"):
        isp.learning.approve("at-a", "another", "me", isp.now)
    with pytest.raises(NotProposedError, match="is not learnt here"):
        isp.learning.approve("all", status.waiting.digest, "me", isp.now)
    entry = isp.learning.approve("at-a", status.waiting.digest, "me", isp.now)
    assert (entry.kind, entry.by, entry.added) == ("approved", "me", 10)
    assert len(isp.told()) == 10
    with pytest.raises(NotProposedError, match="no change"):
        isp.learning.approve("at-a", status.waiting.digest, "me", isp.now)
    isp.withdraw("81.3.0.0/16")
    isp.wait(60)
    assert len(isp.told()) == 9
    assert isp.kinds() == ["waits", "taken"]


def test_many_small_changes_are_one_large_one() -> None:
    isp = router(STRICT)
    isp.announce(*(f"81.{number}.0.0/16" for number in range(10)))
    isp.wait(60)
    waiting = isp.learning.status().coverage[0].waiting
    assert waiting is not None
    isp.learning.approve("at-a", waiting.digest, "me", isp.now)
    for number in range(6):
        isp.withdraw(f"81.{number}.0.0/16")
        isp.wait(60)
    assert len(isp.told()) == 8
    assert isp.kinds() == ["waits", "taken", "taken", "waits"]
    isp.wait(3600)
    # The hour is over, but what waits by now is too much by itself.
    assert len(isp.told()) == 8


def test_what_was_rejected_is_not_asked_again_until_it_is_another_change() -> None:
    isp = router(replace(RULES, automatic=False))
    isp.announce("81.1.0.0/16")
    isp.wait(60)
    waiting = isp.learning.status().coverage[0].waiting
    assert waiting is not None
    isp.learning.reject("at-a", waiting.digest, "me", isp.now)
    isp.wait(60)
    assert isp.learning.status().coverage[0].waiting is None
    isp.announce("81.2.0.0/16")
    isp.wait(60)
    waiting = isp.learning.status().coverage[0].waiting
    assert waiting is not None
    assert waiting.prefixes_added == 2


def test_too_many_change_nothing_and_are_told() -> None:
    isp = router()
    isp.announce("81.100.0.0/16")
    isp.wait(60)
    flood = [f"81.0.{number}.0/24" for number in range(100)]
    isp.announce(*flood)
    isp.withdraw("81.100.0.0/16")
    isp.wait(120)
    assert isp.told() == {"81.100.0.0/16"}
    (status,) = isp.learning.status().coverage
    assert "more than 20 prefixes" in status.alarm
    assert isp.learning.counts() == LearningCounts(1, 0, 1, 100 - 2 * RULES.most + 1)
    assert status.heard <= 2 * RULES.most
    isp.withdraw(*flood)
    isp.down()
    isp.up()
    isp.announce("81.7.0.0/16")
    isp.wait(120)
    assert isp.told() == {"81.7.0.0/16"}
    assert isp.kinds() == ["taken", "alarm", "alarm-over", "taken", "taken"]
    assert [one.added for one in isp.entries if one.kind == "taken"] == [1, 0, 1]


def test_more_than_the_speaker_keeps_is_too_many() -> None:
    isp = router()
    isp.overflow()
    (refused,) = isp.learning.status().coverage[0].refused
    assert (refused.reason, refused.count) == ("too-many", 1)
    isp.announce("81.1.0.0/16")
    isp.wait(60)
    assert isp.told() == set()
    assert isp.learning.status().coverage[0].alarm


def test_a_restart_keeps_what_was_taken_until_routers_have_spoken() -> None:
    isp = router()
    isp.announce("81.1.0.0/16", "81.2.0.0/16")
    isp.wait(60)
    kept = decode_kept(msgspec.json.encode(isp.learning.keep()))
    again = Router(Learning("a1", kept), isp.now + 10)
    again.learning.described(learning_topology(RULES), again.now)
    assert again.told() == {"81.1.0.0/16", "81.2.0.0/16"}
    again.wait(300)
    assert again.told() == {"81.1.0.0/16", "81.2.0.0/16"}
    again.up()
    again.announce("81.1.0.0/16")
    again.wait(RESYNC_S + 60)
    assert again.told() == {"81.1.0.0/16"}
    assert [one.kind for one in again.learning.history] == ["taken", "taken"]


def test_other_rules_count_at_once_for_what_was_announced_before() -> None:
    isp = router()
    isp.announce("81.1.0.0/16", "83.1.0.0/16")
    isp.wait(60)
    wider = replace(RULES, within=PrefixSet.of(["83.0.0.0/8"]))
    isp.learning.described(learning_topology(wider), isp.now)
    isp.wait(60)
    assert isp.told() == {"83.1.0.0/16"}


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"coverage":[{"name":"x","v4":"AAAA"}]}',
        b'{"coverage":[{"name":"x","v4":"AQEBASE="}]}',
        b'{"history":[{"at":-1,"kind":"x","coverage":"y"}]}',
    ],
)
def test_what_was_kept_is_taken_only_whole(data: bytes) -> None:
    with pytest.raises(KeptError):
        decode_kept(data)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["announce", "withdraw", "down", "up", "wait", "wait-long"]),
        st.integers(0, 5),
        st.sampled_from([V4, OTHER_V4]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_in_the_end_exactly_what_is_announced_counts(steps: list[tuple[str, int, object]]) -> None:
    isp = router(replace(RULES, most_prefixes=1000, most_changed=1.0))
    isp.up(OTHER_V4)
    announced: dict[object, set[str]] = {V4: set(), OTHER_V4: set()}
    up = {V4, OTHER_V4}
    for action, number, session in steps:
        prefix = f"81.{number}.0.0/16"
        assert session in (V4, OTHER_V4)
        if action == "announce" and session in up:
            isp.announce(prefix, session=session)
            announced[session].add(prefix)
        elif action == "withdraw" and session in up:
            isp.withdraw(prefix, session=session)
            announced[session].discard(prefix)
        elif action == "down" and session in up:
            isp.down(session, announced[session])
            announced[session].clear()
            up.discard(session)
        elif action == "up" and session not in up:
            isp.up(session)
            up.add(session)
        elif action.startswith("wait"):
            isp.wait(20 if action == "wait" else 300, 10)
        assert len(isp.told()) <= RULES.most
    isp.wait(3 * 3600, 60)
    waiting = isp.learning.status().coverage[0].waiting
    if waiting is not None:
        isp.learning.approve("at-a", waiting.digest, "me", isp.now)
    assert isp.told() == announced[V4] | announced[OTHER_V4]


def test_a_description_without_its_prefixes_keeps_the_others_out() -> None:
    isp = router()
    whole = learning_topology(RULES)
    nobody = tuple(replace(one, prefixes=PrefixSet()) for one in whole.networks)
    bare = replace(whole, networks=nobody)
    isp.learning.described(bare, isp.now, whole=False)
    isp.announce("81.200.1.0/24", "81.1.0.0/16")
    isp.wait(60)
    assert isp.told() == {"81.1.0.0/16"}
    isp.learning.described(bare, isp.now)
    isp.announce("81.200.1.0/24")
    isp.wait(60)
    assert isp.told() == {"81.1.0.0/16", "81.200.1.0/24"}


def test_what_was_approved_at_one_server_of_a_site_is_followed_by_the_others() -> None:
    first, second, third = router(STRICT), router(STRICT), router(STRICT)
    for isp in (first, second):
        isp.announce("81.1.0.0/16", "81.2.0.0/16")
    third.announce("81.1.0.0/16", "81.9.0.0/16")
    for isp in (first, second, third):
        isp.wait(60)
        assert isp.told() == set()
    (status,) = first.learning.status().coverage
    assert status.waiting is not None
    first.learning.approve(status.name, status.waiting.digest, "ada", first.now)
    told = {"a1": first.learning.approved(first.now)}
    (entry,) = second.learning.follow(told, second.now)
    assert (entry.kind, entry.by) == ("followed", "a1")
    assert second.told() == {"81.1.0.0/16", "81.2.0.0/16"}
    # One that heard something else asks somebody itself; who only followed is followed by nobody.
    assert third.learning.follow(told, third.now) == []
    assert second.learning.approved(second.now) == ()
    assert second.learning.follow(told, second.now) == []
    # It counts for an hour, also over a restart, and for the whole of the change alone.
    kept = Learning("a1", decode_kept(msgspec.json.encode(first.learning.keep())))
    assert kept.approved(first.now + 3599.0) == told["a1"]
    assert kept.approved(first.now + 3601.0) == ()
    fresh = router(STRICT)
    fresh.announce("81.1.0.0/16", "81.2.0.0/16")
    fresh.wait(60)
    (one,) = told["a1"]
    for wrong in (
        Approved(one.coverage, one.change[:12] + "0" * 52),
        Approved("another", one.change),
    ):
        assert fresh.learning.follow({"a1": (wrong,)}, fresh.now) == []
    assert fresh.told() == set()


def test_one_isps_router_has_no_part_in_anothers_coverage() -> None:
    """It says whatever it likes, also a path that ends with the other's number."""
    topology = learning_topology(replace(RULES, origin_as=(64500,), router_as=(64500,)))
    learning = Learning("a1", routers={V4: 64500, OTHER_V4: 64666})
    learning.described(topology, START)
    isp = Router(learning)
    isp.up()
    isp.up(OTHER_V4)
    isp.announce("81.1.0.0/16")
    isp.as_path = (64666, 64500)
    isp.announce("81.2.0.0/16", *(f"81.3.{n}.0/24" for n in range(50)), session=OTHER_V4)
    isp.wait(60)
    assert isp.told() == {"81.1.0.0/16"}
    isp.overflow(OTHER_V4)
    isp.as_path = (64500,)
    isp.announce("81.4.0.0/16")
    isp.wait(60)
    assert isp.told() == {"81.1.0.0/16", "81.4.0.0/16"}
    assert set(isp.kinds()) == {"taken"}
    # Nor does it keep in force what the coverage's own router does not announce any more.
    isp.announce("81.1.0.0/16", session=OTHER_V4)
    isp.withdraw("81.1.0.0/16")
    isp.wait(60)
    assert isp.told() == {"81.4.0.0/16"}


def test_which_routers_are_heard_may_change() -> None:
    learning = Learning("a1", routers={V4: 64500, OTHER_V4: 64666})
    learning.described(learning_topology(RULES), START)
    isp = Router(learning)
    isp.up()
    isp.up(OTHER_V4)
    isp.announce("81.1.0.0/16")
    isp.announce("81.2.0.0/16", session=OTHER_V4)
    isp.wait(60)
    assert isp.told() == {"81.1.0.0/16", "81.2.0.0/16"}
    learning.described(learning_topology(replace(RULES, router_as=(64500,))), isp.now)
    isp.wait(120)
    assert isp.told() == {"81.1.0.0/16"}


def test_a_large_set_is_not_made_anew_whenever_a_router_likes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headrace.vip.learn.heard.SETTLED_PER_S", 1)
    isp = router()
    isp.announce(*(f"81.{n}.0.0/16" for n in range(10)))
    isp.wait(40, step_s=1)
    assert isp.kinds() == ["taken"]
    for n in range(10, 20):
        isp.announce(f"81.{n}.0.0/16")
        isp.wait(1, step_s=1)
    isp.wait(60, step_s=1)
    assert len(isp.told()) == 20
    assert isp.kinds() == ["taken"] * 3
