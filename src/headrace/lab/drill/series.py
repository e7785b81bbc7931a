"""Which runs of which drills there are, and which are left: so a series that was interrupted can be
continued. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from headrace.config.drill.model import DrillConfig, ExpectTable
from headrace.lab.drill.figures import Figures
from headrace.lab.drill.summary import Summary, summarize


class Drilled(msgspec.Struct, frozen=True):
    """A drill with all its runs, and what was wrong with those that did not end. `digest` is of
    what was to be run, and where.
    """

    summary: Summary
    hoped_s: float | None
    runs: list[Figures]
    errors: list[str] = []
    digest: str = ""


@dataclass(slots=True)
class Row:
    """A drill of a series, as far as it has come."""

    name: str
    title: str
    digest: str
    expect: ExpectTable = field(default_factory=ExpectTable)
    heals: bool = False
    runs: list[Figures] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def left(self, repeat: int) -> int:
        """Return how many runs are left until so many count: as many more at most as were refused
        are made in their place.
        """
        counted = len([run for run in self.runs if not run.refused]) + len(self.errors)
        made = len(self.runs) + len(self.errors)
        return max(0, min(repeat - counted, 2 * repeat - made))

    def done(self) -> Drilled:
        """Return it as reports have it."""
        summary = summarize(self.name, self.title, self.runs, self.expect, self.heals, self.errors)
        return Drilled(
            summary, self.expect.works_again_s, list(self.runs), list(self.errors), self.digest
        )


def row_of(name: str, config: DrillConfig, topology: str, players: Sequence[str] = ()) -> Row:
    """Return a scenario's row, without any runs."""
    heals = any(step.healed for step in config.steps)
    what = digest(config.model_dump_json(), topology, *players)
    return Row(name, config.title, what, config.expect, heals)


def digest(*parts: str) -> str:
    """Return what tells what is run from everything else."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def resumed(rows: Mapping[str, Row], before: Sequence[Drilled]) -> list[str]:
    """Put the runs of an earlier report where they belong, and return the names of those drills of
    which it had other runs than are wanted now.
    """
    changed = []
    for one in before:
        row = rows.get(one.summary.name)
        if row is None:
            continue
        if row.digest != one.digest:
            changed.append(row.name)
            continue
        row.runs[:] = one.runs
        row.errors[:] = one.errors
    return changed
