"""The explorer itself, on a play whose fault is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.harness.interleaving import Broken, explore, replay, sample


def three() -> dict[str, list[str]]:
    return {"a": ["reads", "writes"], "b": ["reads", "writes"], "c": ["talks", "talks"]}


@dataclass
class Counting:
    """Two actors add one to a number, each by reading and writing it; one more only talks."""

    left: dict[str, list[str]] = field(default_factory=three)
    number: int = 0
    read: dict[str, int] = field(default_factory=dict)
    careful: bool = False

    def choices(self) -> list[str]:
        busy = [who for who in self.read if self.left[who]]
        return [
            f"{who} {steps[0]}"
            for who, steps in self.left.items()
            if steps and not (self.careful and steps[0] == "reads" and busy)
        ]

    def move(self, name: str) -> None:
        who, what = name.split()
        self.left[who].pop(0)
        if what == "reads":
            self.read[who] = self.number
        elif what == "writes":
            self.number = self.read[who] + 1

    def finish(self) -> None:
        while choices := self.choices():
            self.move(choices[0])
        if self.number != 2:
            raise Broken("both are counted", str(self.number))

    def close(self) -> None:
        return


def careful() -> Counting:
    return Counting(careful=True)


def test_every_order_is_run_once() -> None:
    explored = explore(careful)
    assert explored.complete
    assert explored.failure is None
    assert explored.runs == 30  # two orders of a and b, and c's two moves anywhere in their four


def test_a_bound_ends_an_exploration() -> None:
    explored = explore(careful, most_runs=7)
    assert (explored.runs, explored.complete) == (7, False)


def test_what_breaks_is_found_and_shrunk() -> None:
    failure = explore(Counting).failure
    assert failure is not None
    assert failure.rule == "both are counted"
    assert failure.moves == ("b reads",)  # the end makes the others, a's first
    assert 'replay(make, [\n    "b reads",\n])' in str(failure)


def test_chance_finds_it_too_and_names_its_seed() -> None:
    failure = sample(Counting, seed=1, count=100).failure
    assert failure is not None
    assert failure.seed is not None
    assert failure.seed.startswith("1/")
    assert failure.moves in (("a reads", "b reads"), ("b reads",))
    assert f"(seed {failure.seed})" in str(failure)


def test_the_same_seed_makes_the_same_runs() -> None:
    first, second = (sample(Counting, seed=3, count=100).failure for _ in range(2))
    assert first == second


def test_a_replay_raises_what_breaks() -> None:
    with pytest.raises(Broken, match="both are counted: 1"):
        replay(Counting, ["a reads", "b reads"])


def test_a_replay_passes_over_moves_that_are_not_possible() -> None:
    replay(Counting, ["c sings", "a reads", "a reads", "a writes", "b reads"])
