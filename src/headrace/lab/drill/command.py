"""Runs drills one after another, each in the lab that it wants, and reports them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace.config.drill.model import DrillConfig
from headrace.config.lab import LAB
from headrace.config.loader import load_config
from headrace.lab.drill.expanded import expanded
from headrace.lab.drill.figures import Figures, figures_of
from headrace.lab.drill.players_table import player_line
from headrace.lab.drill.report import Report, machine
from headrace.lab.drill.run import Drill
from headrace.lab.drill.series import Row, resumed, row_of
from headrace.lab.drill.shipped import topology_text
from headrace.lab.drill.tables import failure_lines, run_line
from headrace.lab.drill.told import run_until_told
from headrace.lab.drill.vrrp import beside, vrrp_rows
from headrace.lab.errors import LabError
from headrace.lab.hurry import hurried
from headrace.lab.network.control import Lab, end_lab, start_lab
from headrace.lab.network.missing import refuse_missing
from headrace.lab.network.plan import make_plan

USUAL_NAME = "drill"
Say = Callable[[str], None]
Keep = Callable[[Report], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be run: scenarios by name, how often each, the lab's name and
    place, whether keepalived is to be set beside it. `before` is what was run already; `players`
    play meanwhile.
    """

    scenarios: Mapping[str, DrillConfig]
    repeat: int
    root: Path
    name: str = USUAL_NAME
    topology: str | None = None
    keepalived: bool = False
    before: Report | None = None
    players: tuple[str, ...] = ()


class Series:
    """All drills that are wanted. `keep` is given the report after each run."""

    def __init__(self, wanted: Wanted, say: Say, keep: Keep) -> None:
        self._wanted = wanted
        self._say = say
        self._keep = keep
        self.rows: dict[str, Row] = {}
        self._by_topology: dict[str, list[str]] = {}
        for name, config in wanted.scenarios.items():
            text = topology_text(config, name=wanted.topology)
            self.rows[name] = row_of(name, config, text, wanted.players)
            self._by_topology.setdefault(text, []).append(name)
        self._beside = vrrp_rows() if wanted.keepalived else []
        self.rows |= {row.name: row for row in self._beside}

    def report(self) -> Report:
        """Return what there is of it until now."""
        begun = [row.done() for row in self.rows.values() if row.runs or row.errors]
        return Report(machine(), os.cpu_count() or 1, begun)

    def run(self) -> Report:
        """Run what is left of it, and return the whole. Drills that want the same lab share it.
        Raises LabError, ConfigError, OSError.
        """
        if self._wanted.before is not None:
            for name in resumed(self.rows, self._wanted.before.drills):
                self._say(f"{name}: it was another drill before; all its runs are made again")
        # Before any lab is built: all that is wrong is known at once.
        for text, names in list(self._by_topology.items()):
            self._by_topology[text] = self._checked(text, names)
        if self._wanted.scenarios and not any(self._by_topology.values()):
            raise LabError("none of these drills can be run in this lab")
        for text, names in self._by_topology.items():
            left = [name for name in names if self.rows[name].left(self._wanted.repeat)]
            if left:
                self._in_lab(text, left)
        if any(row.left(self._wanted.repeat) for row in self._beside):
            wanted = self._wanted
            run_until_told(beside(wanted.root, wanted.name, wanted.repeat, self._beside, self._ran))
        return self.report()

    def _checked(self, text: str, names: list[str]) -> list[str]:
        """Return the drills that a lab has everything for; what the machine lacks is an error."""
        with _file(text) as file:
            config = load_config(file, LAB)
        refuse_missing(config)
        plan = make_plan(config, self._wanted.root)
        good = []
        for name in names:
            try:
                expanded(self._wanted.scenarios[name], plan)
            except LabError as error:
                self._say(f"{name}: left out: {error}")
                del self.rows[name]
            else:
                good.append(name)
        return good

    def _in_lab(self, text: str, names: list[str]) -> None:
        wanted = self._wanted
        with _file(text) as file:
            lab = start_lab(wanted.root, wanted.name, file, self._say)
        try:
            for name in names:
                with hurried():
                    run_until_told(self._drill(lab, self.rows[name]))
        finally:
            end_lab(wanted.root, wanted.name)

    async def _drill(self, lab: Lab, row: Row) -> None:
        """Run one drill until as many runs as wanted count. A run that fails to end is said, and
        the next one begins.
        """
        self._say(f"{row.name}: {row.title}")
        scenario = self._wanted.scenarios[row.name]
        async with Drill(lab, scenario, self._wanted.players) as drill:
            while row.left(self._wanted.repeat):
                try:
                    figures = figures_of(await drill.once())
                except LabError as error:
                    row.errors.append(f"run {len(row.runs) + len(row.errors) + 1}: {error}")
                    self._say(f"  {row.errors[-1]}")
                    self._keep(self.report())
                else:
                    self._ran(row, figures)

    def _ran(self, row: Row, figures: Figures) -> None:
        row.runs.append(figures)
        self._say(f"  {run_line(len(row.runs) + len(row.errors), figures)}")
        for line in failure_lines(figures):
            self._say(f"    {line}")
        for played in figures.played:
            self._say(f"    {player_line(played)}")
        if figures.refused:
            also = f", and {len(figures.refused) - 1} more" if len(figures.refused) > 1 else ""
            self._say(f"    refused: {figures.refused[0]}{also}")
        self._keep(self.report())


def run_drills(wanted: Wanted, say: Say, keep: Keep = lambda _report: None) -> Report:
    """Run drills, and return the report. Raises LabError, ConfigError, OSError."""
    return Series(wanted, say, keep).run()


@contextlib.contextmanager
def _file(text: str) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        yield Path(file.name)
