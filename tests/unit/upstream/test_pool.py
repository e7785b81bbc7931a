"""Which origin of a pool is asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.upstream.endpoint import Endpoint
from headrace.upstream.health import HealthRule
from headrace.upstream.outliers import OutlierRule
from headrace.upstream.pool import Choice, Origin, Pool, PoolState


def origin(name: str, *, weight: float = 1.0, backup: bool = False, concurrent: int = 10) -> Origin:
    endpoint = Endpoint(name, 80, name.encode(), b"", None)
    return Origin(name, endpoint, weight=weight, backup=backup, concurrent=concurrent)


def pool(*origins: Origin, choice: Choice = "first", **more: object) -> Pool:
    return replace(Pool("p", origins, choice=choice), **more)  # type: ignore[arg-type]


ABC = (origin("a"), origin("b"), origin("c"))


def test_the_first_that_is_alive_is_asked() -> None:
    state = PoolState(pool(*ABC))
    assert state.choose(b"k", 0.0, 0.5) == 0
    assert state.choose(b"k", 0.0, 0.5, {0}) == 1
    assert state.choose(b"k", 0.0, 0.5, {0, 1, 2}) is None


def test_backups_come_after_all_others() -> None:
    state = PoolState(pool(origin("spare", backup=True), origin("a"), origin("b")))
    assert state.choose(b"k", 0.0, 0.5) == 1
    assert state.choose(b"k", 0.0, 0.5, {1}) == 2
    assert state.choose(b"k", 0.0, 0.5, {1, 2}) == 0


def test_an_origin_at_its_limit_is_not_asked() -> None:
    state = PoolState(pool(origin("a", concurrent=1), origin("b", concurrent=1)))
    state.states[0].active = 1
    assert state.choose(b"k", 0.0, 0.5) == 1
    state.states[1].active = 1
    assert state.choose(b"k", 0.0, 0.5) is None


def test_when_all_are_thought_down_they_are_asked_all_the_same() -> None:
    state = PoolState(pool(*ABC))
    rule = HealthRule(b"/", fall=1)
    for each in state.states:
        assert each.health.checked(rule, 1.0, good=False)
    assert state.choose(b"k", 2.0, 0.5) == 0


def test_weights_are_shares() -> None:
    state = PoolState(pool(origin("a", weight=3), origin("b", weight=1), choice="weighted"))
    found = Counter(state.choose(b"k", 0.0, step / 1000) for step in range(1000))
    assert found == {0: 750, 1: 250}


def test_consistent_choice_spreads_keys_and_stays() -> None:
    state = PoolState(pool(*ABC, choice="consistent"))
    keys = [b"key-%d" % number for number in range(3000)]
    chosen = {key: state.choose(key, 0.0, 0.5) for key in keys}
    assert all(800 < count < 1200 for count in Counter(chosen.values()).values())
    without = {key: state.choose(key, 0.0, 0.5, {2}) for key in keys}
    assert all(without[key] == found for key, found in chosen.items() if found != 2)


def test_failures_eject_for_a_while_and_longer_each_time() -> None:
    state = PoolState(pool(*ABC, outlier=OutlierRule(failures=3, ejection_s=10.0, most=0.5)))
    assert [state.failed(0, 1.0, None) for _ in range(3)] == [False, False, True]
    assert state.choose(b"k", 5.0, 0.5) == 1
    assert state.choose(b"k", 11.5, 0.5) == 0
    for _ in range(2):
        assert not state.failed(0, 12.0, None)
    assert state.failed(0, 12.0, None)
    assert state.choose(b"k", 31.0, 0.5) == 1
    assert state.choose(b"k", 32.5, 0.5) == 0


def test_a_success_makes_the_next_ejection_short_again() -> None:
    state = PoolState(pool(*ABC, outlier=OutlierRule(failures=1, ejection_s=10.0)))
    assert state.failed(0, 0.0, None)
    assert state.failed(0, 20.0, None)
    state.succeeded(0, 50.0)
    assert state.failed(0, 50.0, None)
    assert state.choose(b"k", 61.0, 0.5) == 0


def test_a_reload_with_another_rule_judges_by_it() -> None:
    before = PoolState(pool(*ABC, outlier=OutlierRule(failures=1)))
    after = PoolState(pool(*ABC, outlier=OutlierRule(failures=0)), before)
    assert not after.failed(0, 0.0, None)


@given(st.integers(1, 6), st.floats(0, 1), st.lists(st.integers(0, 5), max_size=80))
def test_ejection_never_takes_more_than_its_share_nor_the_last(
    size: int, most: float, failures: list[int]
) -> None:
    origins = tuple(origin(str(number)) for number in range(size))
    state = PoolState(pool(*origins, outlier=OutlierRule(failures=1, ejection_s=1e6, most=most)))
    for index in failures:
        state.failed(index % size, 1.0, None)
    usable = sum(each.health.usable(1.0) for each in state.states)
    assert usable >= 1
    assert size - usable <= size * most + 1e-9


def test_one_that_returns_begins_slowly() -> None:
    state = PoolState(pool(*ABC, choice="weighted", slow_start_s=10.0))
    health, rule = state.states[0].health, HealthRule(b"/", rise=1, fall=1)
    health.checked(rule, 0.0, good=False)
    health.checked(rule, 100.0, good=True)
    assert [state.weight(0, now) for now in (100.0, 105.0, 111.0)] == pytest.approx([0.1, 0.5, 1.0])


def test_health_needs_several_answers_to_change() -> None:
    state = PoolState(pool(*ABC))
    health, rule = state.states[0].health, HealthRule(b"/", rise=2, fall=3)
    assert [health.checked(rule, 1.0, good=False) for _ in range(3)] == [False, False, True]
    assert not health.usable(1.0)
    assert [health.checked(rule, 2.0, good=True) for _ in range(2)] == [False, True]
    assert health.usable(2.0)


def test_a_reload_keeps_what_is_known_of_an_origin() -> None:
    before = PoolState(pool(*ABC))
    before.states[1].health.up = False
    after = PoolState(pool(origin("z"), origin("b")), before)
    assert [each.health.up for each in after.states] == [True, False]
