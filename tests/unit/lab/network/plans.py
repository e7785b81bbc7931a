"""Plans of the shipped topologies."""

from __future__ import annotations

from pathlib import Path

from headrace.config.lab import LAB
from headrace.config.loader import load_config
from headrace.lab.network.plan import LabPlan, make_plan
from headrace.lab.network.topology import SHIPPED


def plan_of(name: str = "two-isps", directory: Path = Path("/labs/lab")) -> LabPlan:
    """The plan of a shipped topology."""
    return make_plan(load_config(SHIPPED / f"{name}.toml", LAB), directory)
