"""Explores the orders in which a few actors may move, and shows the one that breaks something.

A play is made anew for each run; at every point it says which moves are possible, and the explorer
makes one. The same choices give the same run, so a run is its list of moves: that list is what a
failure prints, what a regression test replays, and what is shrunk until no move can be left out.

    found = explore(make)                 # every order, within the play's own bounds
    found = sample(make, seed=7, count=500)
    assert found.failure is None, found.failure

    replay(make, ["a asks", "turn 0", "origin 0 head", "a leaves"])

Moves that are not possible when their turn comes are passed over in a replay. That keeps a list
that was shrunk, or that is older than the code, of use.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Broken(AssertionError):
    """An invariant does not hold. `rule` is its short name: what a shrunk list must break too."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule


class Play(Protocol):
    """One run. Whatever a move, or the end, raises is a failure."""

    def choices(self) -> list[str]:
        """Return the moves that are possible now; none when only the end is left."""

    def move(self, name: str) -> None:
        """Make one of them. Raises Broken."""

    def finish(self) -> None:
        """Run to the end and check what has to hold then. Raises Broken."""

    def close(self) -> None:
        """Give everything back. Checks nothing."""


Make = Callable[[], Play]
Problem = Exception | None


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that broke something, shrunk."""

    rule: str
    problem: str
    moves: tuple[str, ...]
    first_found: tuple[str, ...]
    seed: str | None = None

    def __str__(self) -> str:
        lines = "".join(f'    "{move}",\n' for move in self.moves)
        seed = "" if self.seed is None else f" (seed {self.seed})"
        return (
            f"{self.problem}{seed}\n"
            f"replay(make, [\n{lines}])\n"
            f"shrunk to {len(self.moves)} moves from {len(self.first_found)}"
        )


@dataclass(slots=True)
class Explored:
    """What an exploration did: `complete` when no order was left out."""

    runs: int = 0
    complete: bool = False
    failure: Failure | None = None


def run(make: Make, choose: Callable[[Play, list[str]], str | None]) -> tuple[list[str], Problem]:
    """Make one play and its moves, as `choose` says (None: go to the end)."""
    play = make()
    moves: list[str] = []
    try:
        while choices := play.choices():
            chosen = choose(play, choices)
            if chosen is None:
                break
            moves.append(chosen)
            play.move(chosen)
        play.finish()
    except Exception as error:  # noqa: BLE001 - whatever breaks is what is looked for
        return moves, error
    finally:
        play.close()
    return moves, None


def explore(make: Make, *, most_runs: int = 100_000, replayed: Make | None = None) -> Explored:
    """Run every order, depth first. What fails is shrunk with `replayed`, which may allow more."""
    explored = Explored()
    path: list[tuple[list[str], int]] = []  # the choices at each point, and the one taken
    while explored.runs < most_runs:
        depth = 0

        def choose(_play: Play, choices: list[str]) -> str | None:
            nonlocal depth
            if depth == len(path):
                path.append((choices, 0))
            elif path[depth][0] != choices:
                raise AssertionError(f"not the same twice: {path[depth][0]} and {choices}")
            known, taken = path[depth]
            depth += 1
            return known[taken]

        moves, problem = run(make, choose)
        explored.runs += 1
        if problem is not None:
            explored.failure = failure_of(replayed or make, moves, problem)
            return explored
        while path and path[-1][1] + 1 == len(path[-1][0]):
            path.pop()
        if not path:
            explored.complete = True
            return explored
        known, taken = path[-1]
        path[-1] = (known, taken + 1)
    return explored


def sample(make: Make, *, seed: int, count: int, keep_on: float = 0.6) -> Explored:
    """Run orders by chance. `keep_on` is how likely the first choice is, which is to let what was
    begun take its course."""
    explored = Explored()
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        steady = chance.choice((0.0, keep_on, 0.9))

        def choose(
            _play: Play, choices: list[str], chance: random.Random = chance, steady: float = steady
        ) -> str:
            return choices[0] if chance.random() < steady else chance.choice(choices)

        moves, problem = run(make, choose)
        explored.runs += 1
        if problem is not None:
            explored.failure = failure_of(make, moves, problem, seed=f"{seed}/{number}")
            return explored
    return explored


def replay(make: Make, moves: Sequence[str]) -> None:
    """Make these moves, and run to the end. Raises whatever breaks."""
    _moves, problem = run(make, _following(moves))
    if problem is not None:
        raise problem


def _following(moves: Sequence[str]) -> Callable[[Play, list[str]], str | None]:
    left = list(moves)

    def choose(_play: Play, choices: list[str]) -> str | None:
        while left:
            wanted = left.pop(0)
            if wanted in choices:
                return wanted
        return None

    return choose


def failure_of(
    make: Make, moves: Sequence[str], problem: Exception, *, seed: str | None = None
) -> Failure:
    """Return what is to be reported, with as few moves as break the same rule."""
    rule = rule_of(problem)
    shrunk = shrink(make, moves, rule)
    _again, shown = run(make, _following(shrunk))
    text = f"{type(shown or problem).__name__}: {shown or problem}"
    return Failure(rule, text, tuple(shrunk), tuple(moves), seed)


def rule_of(problem: Exception) -> str:
    """Return the name of what was broken."""
    return problem.rule if isinstance(problem, Broken) else type(problem).__name__


def shrink(make: Make, moves: Sequence[str], rule: str, *, most_runs: int = 400) -> list[str]:
    """Leave out moves, in ever smaller pieces, as long as the same rule breaks."""
    kept = list(moves)
    piece = max(len(kept) // 2, 1)
    runs = 0
    while runs < most_runs:
        at, left_out = 0, False
        while at < len(kept) and runs < most_runs:
            fewer = kept[:at] + kept[at + piece :]
            made, problem = run(make, _following(fewer))
            runs += 1
            if problem is not None and rule_of(problem) == rule and len(made) < len(kept):
                kept, left_out = made, True
            else:
                at += piece
        if piece == 1 and not left_out:
            break
        piece = max(piece // 2, 1)
    return kept
