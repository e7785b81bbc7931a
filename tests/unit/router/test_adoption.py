"""What comes into force, when, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from headrace.router.adoption import STEP_S, Adoption
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import Topology
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View

NETWORK = NetworkSnapshot(Topology(), "1", CoverageTable(Topology()))


class FakeLoop:
    """Calls what was asked for when it is told to."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def call_later(self, _delay_s: float, call: Callable[[], None]) -> Any:
        self.calls.append(call)
        return self

    def cancel(self) -> None:
        self.calls.clear()

    def turn(self) -> bool:
        """Do what is to be done; return whether there was anything."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()
        return bool(calls)


class Work:
    """A network whose steps take a time."""

    def __init__(self, clock: Clock, version: int, steps: int) -> None:
        self.version = version
        self._clock = clock
        self._steps = steps

    def steps(self) -> Iterator[None]:
        for _ in range(self._steps):
            self._clock.now_s += STEP_S
            yield
            if self.version < 0:
                raise ZeroDivisionError


class Clock:
    """A clock and what is in force under it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.loop = FakeLoop()
        self.in_force: list[int] = []
        self.adoption = Adoption(
            cast("asyncio.AbstractEventLoop", self.loop),
            lambda _network, view: Work(self, view.version, int(view.made_at)),
            lambda made: self.in_force.append(made.version),
            lambda: self.now_s,
        )

    def begin(self, version: int, steps: int) -> None:
        self.adoption.begin(NETWORK, View(version=version, made_at=steps))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_takes_no_step_is_in_force_at_once(clock: Clock) -> None:
    clock.begin(1, 0)
    assert clock.in_force == [1]
    assert not clock.loop.turn()


def test_what_takes_some_leaves_turns_to_others(clock: Clock) -> None:
    clock.begin(1, 4)
    turns = 0
    while clock.loop.turn():
        turns += 1
        assert clock.in_force == ([] if turns < 4 else [1])
    assert turns == 4


def test_of_what_comes_meanwhile_the_last_is_next(clock: Clock) -> None:
    clock.begin(1, 3)
    clock.begin(2, 3)
    clock.loop.turn()
    clock.begin(3, 3)
    while clock.loop.turn():
        pass
    assert clock.in_force == [1, 3]


def test_a_fault_leaves_what_is_in_force_and_the_next_its_turn(clock: Clock) -> None:
    clock.begin(-1, 2)
    with pytest.raises(ZeroDivisionError):
        clock.loop.turn()
    assert clock.in_force == []
    clock.begin(2, 0)
    assert clock.in_force == [2]
    clock.begin(-1, 3)
    clock.begin(3, 0)
    with pytest.raises(ZeroDivisionError):
        clock.loop.turn()
    clock.loop.turn()
    assert clock.in_force == [2, 3]


def test_what_is_not_done_at_the_end_is_dropped(clock: Clock) -> None:
    clock.begin(1, 2)
    clock.adoption.close()
    assert not clock.loop.turn()
    assert clock.in_force == []
