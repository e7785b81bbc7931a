"""Runs drills one after another, each in the lab that it wants, and reports them."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from headrace.config.drill.model import DrillConfig
from headrace.lab.drill.figures import Figures, figures_of
from headrace.lab.drill.report import Drilled, Report, machine
from headrace.lab.drill.run import Drill
from headrace.lab.drill.shipped import topology_text
from headrace.lab.drill.summary import summarize
from headrace.lab.drill.tables import run_line
from headrace.lab.drill.vrrp import run_beside
from headrace.lab.errors import LabError
from headrace.lab.network.control import Lab, end_lab, start_lab

USUAL_NAME = "drill"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be run: scenarios by name, how often each, the lab's name and
    place, and whether keepalived is to be set beside it."""

    scenarios: Mapping[str, DrillConfig]
    repeat: int
    root: Path
    name: str = USUAL_NAME
    topology: str | None = None
    keepalived: bool = False


def run_drills(wanted: Wanted, say: Say) -> Report:
    """Run drills, and return the report. Drills that want the same lab share it. Raises LabError,
    ConfigError, OSError.
    """
    by_topology: dict[str, list[str]] = {}
    for name, config in wanted.scenarios.items():
        text = topology_text(config, name=wanted.topology)
        by_topology.setdefault(text, []).append(name)
    found: dict[str, Drilled] = {}
    for text, names in by_topology.items():
        lab = _lab(wanted, text, say)
        try:
            for name in names:
                found[name] = asyncio.run(_drill(lab, name, wanted, say))
        finally:
            end_lab(wanted.root, wanted.name)
    drills = [found[name] for name in wanted.scenarios]
    if wanted.keepalived:
        drills += run_beside(wanted.root, wanted.name, wanted.repeat, say)
    return Report(machine(), os.cpu_count() or 1, drills)


def _lab(wanted: Wanted, topology: str, say: Say) -> Lab:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(topology)
        file.flush()
        return start_lab(wanted.root, wanted.name, Path(file.name), say)


async def _drill(lab: Lab, name: str, wanted: Wanted, say: Say) -> Drilled:
    """Run one drill until as many runs as wanted count, with as many more at most as were refused.
    A run that fails to end is said, and the next one begins.
    """
    config = wanted.scenarios[name]
    say(f"{name}: {config.title}")
    runs: list[Figures] = []
    errors: list[str] = []
    async with Drill(lab, config) as drill:
        for number in range(1, 2 * wanted.repeat + 1):
            if len([run for run in runs if not run.refused]) + len(errors) >= wanted.repeat:
                break
            try:
                figures = figures_of(await drill.once())
            except LabError as error:
                errors.append(f"run {number}: {error}")
                say(f"  {errors[-1]}")
                continue
            runs.append(figures)
            say(f"  {run_line(number, figures)}")
            if figures.refused:
                also = f", and {len(figures.refused) - 1} more" if len(figures.refused) > 1 else ""
                say(f"    refused: {figures.refused[0]}{also}")
    healed = any(step.healed for step in config.steps)
    summary = summarize(name, config.title, runs, config.expect, healed, errors)
    return Drilled(summary, config.expect.works_again_s, runs)
