"""A client is not cut while bytes come and some origin may go on: every order of behaviours.

The model plays one body against three and four origins, each of which behaves in its own way, by
the plans alone. Time is what the plans ask to wait.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle, product
from typing import Literal

import pytest

from headrace.upstream.errors import Failure
from headrace.upstream.pool import Choice, PoolState
from headrace.upstream.resumption import COUNTED_BYTES, FREE_ROUNDS, Resumption, Wait
from headrace.upstream.retry import Attempts, FailureOrStatus, RetryPolicy, Stop, Try
from headrace.upstream.retry_budget import AT_FIRST, RESERVE_PER_S

from .test_pool import ABC, origin, pool

Outcome = Literal["rest", "some", "reset", "nothing", "other", 503, 404]
"""What an origin does when asked: sends the rest; some and breaks off; resets before the head;
breaks off without a byte; has another body; answers a status."""

BEHAVIOURS: dict[str, tuple[list[Outcome], list[Outcome]]] = {
    "sound": ([], ["rest"]),
    "503 once, then sound": ([503], ["rest"]),
    "reset once, then sound": (["reset"], ["rest"]),
    "breaks off": ([], ["some"]),
    "fails and breaks off in turn": ([], [503, "some"]),
    "breaks off without a byte": ([], ["nothing"]),
    "reset": ([], ["reset"]),
    "another body": ([], ["other"]),
    "404": ([], [404]),
}
ABLE = frozenset(list(BEHAVIOURS)[:5])
"""Those that bring something when they are asked twice."""

UNABLE = frozenset(BEHAVIOURS) - ABLE
PIECES = 6


def behaviour(name: str) -> Iterator[Outcome]:
    first, then = BEHAVIOURS[name]
    yield from first
    yield from cycle(then)


@dataclass
class Play:
    """One body. `piece` is how many bytes come when some come."""

    names: tuple[str, ...]
    choice: Choice
    seed: int
    piece: int = COUNTED_BYTES
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    now: float = 0.0
    asked: int = 0
    got: int = 0
    begun: bool = False
    stopped: Stop | None = None

    def run(self) -> Play:
        origins = [origin(str(number)) for number, _name in enumerate(self.names)]
        made = replace(pool(*origins, choice=self.choice), budget=0.0)
        state = PoolState(made)
        acts = [behaviour(name) for name in self.names]
        chance = random.Random(self.seed).random
        attempts = Attempts(state, self.retry, b"key", True, 0.0, chance)
        plan: Resumption | None = None
        step: Try | Wait | Stop = attempts.first(0.0)
        for _turn in range(500):
            if isinstance(step, Stop):
                self.stopped = step
                return self
            self.now += step.pause_s
            if isinstance(step, Wait):
                assert plan is not None
                step = plan.again(self.now)
                continue
            self.asked += plan is not None
            act = next(acts[step.origin])
            if act == "rest" or (act == "some" and self.got + self.piece >= self.whole):
                self.got = self.whole
                self.begun = True
                return self
            if act in ("some", "nothing"):
                got = self.piece if act == "some" else 0
                self.got += got
                self.begun = True
                if plan is None:
                    tried = attempts.tried
                    plan = Resumption(state, self.retry, b"key", chance, tried)
                step = plan.broke(step.origin, got, self.now)
                continue
            reason: FailureOrStatus
            if act == "reset":
                reason = Failure.HEAD_RESET
            elif act == "other":
                reason = Failure.OTHER_BODY if plan is not None else Failure.BAD_HEAD
            else:
                assert isinstance(act, int)
                reason = act
            if plan is None:
                step = attempts.after(step.origin, reason, self.now)
            else:
                step = plan.failed(step.origin, reason, self.now)
        raise AssertionError(f"{self} does not end")

    @property
    def whole(self) -> int:
        return self.piece * PIECES

    @property
    def complete(self) -> bool:
        return self.got == self.whole


def check(play: Play) -> None:
    size = len(play.names)
    if play.begun and ABLE & set(play.names):
        assert play.complete, play
    if UNABLE.issuperset(play.names):
        assert not play.complete
    counted = 1 + play.got // COUNTED_BYTES
    paid = play.asked - FREE_ROUNDS * size * counted
    assert paid <= AT_FIRST + RESERVE_PER_S * play.now + 1, play
    # Between two bytes there is never more than the total time.
    assert play.now <= play.retry.total_s * (PIECES + 1)


@pytest.mark.parametrize("piece", [1, 40_000, COUNTED_BYTES])
def test_every_order_of_three_origins(piece: int) -> None:
    ended = 0
    for names in product(BEHAVIOURS, repeat=3):
        check(Play(names, "first", 0, piece).run())
        for seed in range(6):
            play = Play(names, "weighted", seed, piece).run()
            check(play)
            ended += play.complete
    assert ended > 1000


def test_every_order_of_four_origins() -> None:
    for seed, names in enumerate(product(BEHAVIOURS, repeat=4)):
        check(Play(names, "weighted", seed, 40_000).run())


def test_many_clients_of_a_poor_pool_are_all_served() -> None:
    names = ("503 once, then sound", "breaks off", "reset")
    for seed in range(80):
        assert Play(names, "weighted", seed, 100_000).run().complete


# What the plan says, step by step.


def plan(names: str = "abc", *, tokens: int = 10, tried: tuple[int, ...] = ()) -> Resumption:
    state = PoolState(replace(pool(*(origin(name) for name in names)), budget=0.0))
    for _ in range(10 - tokens):
        assert state.budget.take(0.0)
    return Resumption(state, RetryPolicy(), b"key", lambda: 0.5, tried)


def test_the_others_are_asked_first_and_it_is_waited_before_anybody_is_asked_again() -> None:
    found = plan()
    assert found.broke(0, 10, 0.0) == Try(1, 0.0, 30.0)
    assert found.failed(1, 503, 0.0) == Try(2, 0.0, 30.0)
    step = found.failed(2, Failure.HEAD_RESET, 0.0)
    assert step == Try(0, 0.05, 29.95)


def test_those_that_failed_before_the_body_began_come_later() -> None:
    found = plan(tried=(1,))
    assert found.broke(0, 10, 0.0) == Try(2, 0.0, 30.0)


def test_one_with_another_body_is_left_out_until_more_has_come() -> None:
    found = plan()
    found.broke(0, 10, 0.0)
    assert found.failed(1, Failure.OTHER_BODY, 0.0) == Try(2, 0.0, 30.0)
    assert found.failed(2, 416, 0.0) == Try(0, 0.05, 29.95)
    assert found.failed(0, Failure.OTHER_BODY, 0.0) is Stop.OTHER
    assert found.broke(0, COUNTED_BYTES, 0.0) == Try(1, 0.0, 30.0)


def test_without_a_byte_it_ends_after_some_rounds() -> None:
    found = plan()
    step = found.broke(0, 10, 0.0)
    asked = []
    while isinstance(step, Try):
        asked.append(step.origin)
        step = found.failed(step.origin, Failure.HEAD_RESET, 0.0)
    assert asked == [1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
    assert step is Stop.TRIES


def test_what_the_budget_cannot_pay_in_time_is_not_asked() -> None:
    state = PoolState(replace(pool(*ABC), budget=0.0))
    while state.budget.reserve(0.0, 31.0) is not None:
        pass
    found = Resumption(state, RetryPolicy(), b"key", lambda: 0.5)
    step = found.broke(0, 10, 0.0)
    asked = 0
    while isinstance(step, Try):
        asked += 1
        step = found.failed(step.origin, Failure.HEAD_RESET, 0.0)
    assert (asked, step) == (6, Stop.BUDGET)


def test_tiny_pieces_are_paid_for_and_wait_for_the_budget() -> None:
    found = plan(tokens=0)
    now = 0.0
    pauses = []
    step = found.broke(0, 1, now)
    for _ in range(12):
        assert isinstance(step, Try)
        now += step.pause_s
        pauses.append(step.pause_s)
        step = found.broke(step.origin, 1, now)
    assert sum(pauses[6:]) >= 5


def test_without_a_byte_it_ends_with_the_time() -> None:
    found = plan()
    assert isinstance(found.broke(0, 10, 0.0), Try)
    assert isinstance(found.failed(1, 503, 29.0), Try)
    assert found.failed(2, 503, 30.0) is Stop.TIME


def test_when_no_one_has_room_it_is_waited_for() -> None:
    state = PoolState(pool(origin("a", concurrent=1), origin("b", concurrent=1)))
    places = [each.take_place() for each in state.states]
    found = Resumption(state, RetryPolicy(), b"key", lambda: 0.5)
    assert found.broke(0, 10, 0.0) == Wait(0.05)
    assert found.again(0.05) == Wait(0.05)
    places[1].give_back()
    places[1].give_back()
    assert found.again(0.1) == Try(1, 0.0, 29.9)
    assert state.open_places == 1
