"""When a request is tried again."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from headrace.upstream.errors import Failure
from headrace.upstream.pool import Pool, PoolState
from headrace.upstream.retry import Attempts, RetryPolicy, Stop, Try
from headrace.upstream.retry_budget import RetryBudget

from .test_pool import ABC, origin, pool

RESET = Failure.HEAD_RESET


def without_switching(made: Pool) -> Pool:
    """The same pool whose responses are never continued elsewhere."""
    return replace(made, origins=tuple(replace(origin, switching=False) for origin in made.origins))


def attempts(
    made: Pool | None = None, retry: RetryPolicy | None = None, *, repeatable: bool = True
) -> Attempts:
    state = PoolState(made or without_switching(pool(*ABC)))
    return Attempts(state, retry or RetryPolicy(), b"key", repeatable, 0.0, lambda: 0.5)


def order(found: Attempts, reason: Failure | int = RESET, now: float = 0.0) -> list[object]:
    """The origins asked while each fails, and why it stops."""
    step = found.first(0.0)
    seen: list[object] = []
    while isinstance(step, Try):
        seen.append(step.origin)
        step = found.after(step.origin, reason, now)
    return [*seen, step]


def test_each_origin_is_tried_once() -> None:
    assert order(attempts()) == [0, 1, 2, Stop.TRIES]


def test_more_tries_than_origins_go_round_after_a_pause() -> None:
    found = attempts(retry=RetryPolicy(tries=5, backoff_s=1.0, backoff_most_s=1.5))
    step = found.first(0.0)
    pauses = []
    while isinstance(step, Try):
        pauses.append(step.pause_s)
        step = found.after(step.origin, RESET, 0.0)
    assert pauses == [0.0, 0.0, 0.0, 0.5, 0.0]


def test_what_the_retry_does_not_list_is_not_retried() -> None:
    retry = RetryPolicy(failures=frozenset((Failure.DNS,)), statuses=frozenset((404,)))
    assert order(attempts(retry=retry)) == [0, Stop.NOT_COVERED]
    assert order(attempts(retry=retry), Failure.DNS) == [0, 1, 2, Stop.TRIES]
    assert order(attempts(retry=retry), 404) == [0, 1, 2, Stop.TRIES]
    assert order(attempts(retry=retry), 503) == [0, Stop.NOT_COVERED]


def test_switching_overrides_the_retry() -> None:
    retry = RetryPolicy(failures=frozenset(), statuses=frozenset(), tries=1)
    found = attempts(pool(*ABC), retry)
    assert order(found, Failure.BODY_RESET) == [0, 1, 2, Stop.TRIES]
    assert order(attempts(pool(*ABC), retry), 404) == [0, Stop.NOT_COVERED]


def test_a_single_origin_is_not_switched_from() -> None:
    assert order(attempts(pool(origin("a")))) == [0, Stop.TRIES]


def test_what_may_not_be_repeated_is_not() -> None:
    assert order(attempts(repeatable=False)) == [0, Stop.NOT_REPEATABLE]


def test_no_try_begins_after_the_total_time() -> None:
    assert order(attempts(retry=RetryPolicy(total_s=5.0)), now=6.0) == [0, Stop.TIME]


def test_the_budget_bounds_retries_over_many_requests() -> None:
    state = PoolState(without_switching(replace(pool(*ABC), budget=0.2)))
    retries = 0
    for _ in range(1000):
        found = Attempts(state, RetryPolicy(), b"key", True, 0.0, lambda: 0.5)
        step = found.first(0.0)
        assert isinstance(step, Try)
        while isinstance(step := found.after(step.origin, RESET, 0.0), Try):
            retries += 1
    assert 200 <= retries <= 215


def test_time_gives_a_seldom_asked_pool_its_retries_back() -> None:
    budget = RetryBudget(0.0)
    while budget.take(0.0):
        pass
    assert not budget.take(0.5)
    assert budget.take(2.0)


def test_asking_the_same_origins_again_is_paid_for_even_when_switching() -> None:
    made = replace(pool(*ABC), budget=0.0)
    state = PoolState(made)
    asked = 0
    for _ in range(100):
        found = Attempts(state, RetryPolicy(tries=9), b"key", True, 0.0, lambda: 0.5)
        asked += len(order(found)) - 1
    # Each asks the three origins once; the rest is what the budget begins with.
    assert 300 <= asked <= 310


def test_other_origins_asked_in_place_of_one_are_noted_in_the_budget() -> None:
    state = PoolState(replace(pool(*ABC), budget=0.0))
    for _ in range(10):
        order(Attempts(state, RetryPolicy(), b"key", True, 0.0, lambda: 0.5))
    assert not state.budget.may_retry(0.0)
    assert order(Attempts(state, RetryPolicy(), b"key", True, 0.0, lambda: 0.5))[:-1] == [0, 1, 2]


def test_a_request_that_is_a_retry_itself_is_paid_for() -> None:
    state = PoolState(replace(pool(*ABC), budget=0.0))

    def first() -> Try | Stop:
        return Attempts(state, RetryPolicy(), b"key", True, 0.0, lambda: 0.5, again=True).first(0.0)

    found = [first() for _ in range(11)]
    assert found == [Try(0)] * 10 + [Stop.BUDGET]


def test_a_reload_gives_no_new_budget() -> None:
    before = PoolState(pool(*ABC))
    while before.budget.take(0.0):
        pass
    assert not PoolState(pool(*ABC), before).budget.may_retry(0.0)


def test_a_reserved_retry_waits_its_turn() -> None:
    budget = RetryBudget(0.0)
    while budget.take(0.0):
        pass
    assert [budget.reserve(0.0, 3.5) for _ in range(4)] == [1.0, 2.0, 3.0, None]
    assert not budget.may_retry(3.5)
    assert budget.may_retry(4.5)


@given(st.integers(1, 5), st.integers(1, 12))
def test_no_one_is_asked_twice_while_another_is_untried(size: int, tries: int) -> None:
    made = without_switching(pool(*(origin(str(number)) for number in range(size))))
    asked = order(attempts(replace(made, budget=10.0), RetryPolicy(tries=tries)))[:-1]
    for begin in range(0, len(asked), size):
        one_round = asked[begin : begin + size]
        assert len(set(one_round)) == len(one_round)
    assert len(asked) == tries
