"""How peers take turns, and what becomes of slices that fail: with works that are made up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from bench.speed.counters import Counter
from bench.speed.load import LoadWasLate, WrongAnswer
from bench.speed.slices import FORGIVEN, Extent, Rounds
from bench.speed.work import Running, Slice, Taken, Work

EXTENT = Extent(passes=2, rounds=3, slice_s=0.0)


class _Idle:
    """A program that takes no time."""

    def pids(self) -> list[int]:
        return []

    def cpu_s(self) -> float:
        return 0.0


class Script:
    """A work that writes down who had a turn, and fails where it is told."""

    def __init__(self, fails: dict[tuple[str, int], Exception] | None = None) -> None:
        self.turns: list[str] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self._fails = fails or {}

    @contextlib.contextmanager
    def work(self, peer: Running) -> Iterator[Slice]:
        self.opened.append(peer.name)

        def run(_seconds: float) -> Taken:
            number = self.turns.count(peer.name)
            self.turns.append(peer.name)
            if (peer.name, number) in self._fails:
                raise self._fails[peer.name, number]
            return Taken(10, 1.0, 5.0, 0.1)

        yield run
        self.closed.append(peer.name)


def measured(script: Script, names: str = "abc", **fields: Any) -> Rounds:
    idle = cast("Any", _Idle())
    running = {name: Running(name, idle, idle, 0, 0, Path("log"), Path()) for name in names}
    rounds = Rounds(running, [Work("x", "", "", script.work, **fields)], Counter("no-such"),
                    lambda _text: None)  # fmt: skip
    rounds.measure(EXTENT)
    return rounds


def test_peers_take_turns_and_each_is_first_in_its_round() -> None:
    script = Script()
    rounds = measured(script)
    assert "".join(script.turns) == ("abc" + "abcbcacab") * 2  # a warm one each, then the rounds
    assert {len(found) for found in rounds.measured()[0].samples.values()} == {6}
    assert script.opened == script.closed[::-1] or sorted(script.opened) == sorted(script.closed)


def test_a_peer_may_be_measured_in_the_first_pass_only() -> None:
    (found,) = measured(Script(), seldom_for=frozenset("b")).measured()
    assert set(found.samples["b"]) == {0, 1, 2}
    assert {peer: len(each) for peer, each in found.samples.items()} == {"a": 6, "b": 3, "c": 6}


def test_who_does_not_do_a_work_has_no_turn() -> None:
    script = Script()
    measured(script, peers=frozenset("b"))
    assert set(script.turns) == {"b"}


def test_a_slice_that_failed_is_left_out_and_the_work_opened_again() -> None:
    script = Script({("b", 2): WrongAnswer("one | bad")})
    (found,) = measured(script).measured()
    assert set(found.samples["b"]) == {0, 2, 3, 4, 5}
    assert found.failures == {"b": "one bad"}
    assert script.opened.count("b") == 3
    assert set(found.samples["a"]) == set(range(6))


def test_who_fails_too_often_is_left_out_for_good() -> None:
    script = Script({("b", number): OSError("no") for number in range(20)})
    (found,) = measured(script).measured()
    assert script.turns.count("b") == FORGIVEN
    assert "b" not in found.samples


@pytest.mark.parametrize(("late", "said"), [(range(1, 3), {}), (range(20), {"b": "late"})])
def test_a_load_that_was_late_is_not_the_servers_failure(late: range, said: dict[str, str]) -> None:
    script = Script({("b", number): LoadWasLate("late") for number in late})
    (found,) = measured(script).measured()
    assert found.failures == said
    assert script.opened.count("b") == 2


def test_a_slice_without_answers_is_no_figure() -> None:
    class Empty(Script):
        @contextlib.contextmanager
        def work(self, peer: Running) -> Iterator[Slice]:
            yield lambda _seconds: Taken(0, 1.0, 0.0, 0.0)

    (found,) = measured(Empty()).measured()
    assert found.samples == {}
    assert set(found.failures) == set("abc")
