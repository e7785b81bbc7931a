from __future__ import annotations

import contextlib
import math
import weakref
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from headrace.http.server.timer_wheel import UNWATCHED, TimerWheel


@dataclass(eq=False)
class Item:
    deadline: float
    bucket: int = UNWATCHED
    calls: list[float] = field(default_factory=list)

    def on_deadline(self, now: float) -> None:
        self.calls.append(now)
        self.deadline = math.inf


def test_a_deadline_is_called_once_it_has_passed() -> None:
    wheel = TimerWheel(0.25)
    item = Item(1.0)
    wheel.watch(item)
    for tick in range(10):
        wheel.tick(tick * 0.25)
    assert item.calls == [1.25]


def test_a_deadline_that_moved_on_is_not_called() -> None:
    wheel = TimerWheel(0.25)
    item = Item(1.0)
    wheel.watch(item)
    item.deadline = 2.0
    wheel.tick(1.5)
    assert item.calls == []
    wheel.tick(2.5)
    assert item.calls == [2.5]


def test_an_infinite_deadline_is_dropped_and_can_be_watched_again() -> None:
    wheel = TimerWheel(0.25)
    item = Item(1.0)
    wheel.watch(item)
    item.deadline = math.inf
    wheel.tick(2.0)
    assert item.bucket == UNWATCHED
    item.deadline = 3.0
    wheel.watch(item)
    wheel.tick(3.5)
    assert item.calls == [3.5]


def test_a_forgotten_item_is_not_called() -> None:
    wheel = TimerWheel(0.25)
    item = Item(1.0)
    wheel.watch(item)
    wheel.forget(item)
    wheel.tick(5.0)
    assert item.calls == []


def test_a_forgotten_item_is_not_held() -> None:
    wheel = TimerWheel(0.25)
    item = Item(1000.0)
    wheel.watch(item)
    item.deadline = 1.0  # hastened, so that it stands in another bucket
    wheel.watch(item)
    wheel.forget(item)
    held = weakref.ref(item)
    del item
    assert held() is None


class Forgetful(Item):
    """Ends another when its time has come."""

    def forget_then(self, wheel: TimerWheel, other: Item) -> None:
        self.wheel, self.other = wheel, other

    def on_deadline(self, now: float) -> None:
        super().on_deadline(now)
        self.wheel.forget(self.other)


class Faulty(Item):
    """Fails when it is first asked to end."""

    def on_deadline(self, now: float) -> None:
        super().on_deadline(now)
        if len(self.calls) == 1:
            self.deadline = now
            raise KeyError


def test_a_fault_at_one_limit_loses_neither_the_others_nor_its_own() -> None:
    wheel = TimerWheel(0.25)
    items = [Faulty(1.0), Faulty(1.0), *(Item(1.0) for _ in range(20)), Item(1.1)]
    for item in items:
        wheel.watch(item)
    for tick in range(10):
        with contextlib.suppress(KeyError):
            wheel.tick(1.25 + tick * 0.25)
    assert [len(item.calls) for item in items] == [2, 2, *[1] * 21]


def test_an_item_without_a_limit_any_more_is_not_held() -> None:
    wheel = TimerWheel(0.25)
    item = Item(60.0)
    wheel.watch(item)
    item.deadline = math.inf
    wheel.watch(item)
    held = weakref.ref(item)
    del item
    assert held() is None


def test_an_item_that_another_forgets_on_its_way_is_not_called() -> None:
    wheel = TimerWheel(0.25)
    one, other = Forgetful(1.0), Forgetful(1.0)
    one.forget_then(wheel, other)
    other.forget_then(wheel, one)
    wheel.watch(one)
    wheel.watch(other)
    wheel.tick(2.0)
    assert len(one.calls) + len(other.calls) == 1


@given(st.lists(st.floats(0.1, 20.0), min_size=1, max_size=20))
def test_nothing_is_called_early_or_more_than_two_ticks_late(deadlines: list[float]) -> None:
    wheel = TimerWheel(0.25)
    items = [Item(deadline) for deadline in deadlines]
    for item in items:
        wheel.watch(item)
    for tick in range(100):
        wheel.tick(tick * 0.25)
    for item, deadline in zip(items, deadlines, strict=True):
        (called,) = item.calls
        assert deadline <= called <= deadline + 0.5
