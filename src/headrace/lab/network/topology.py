"""Topologies: the shipped ones, and that of a lab that has its directory."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from headrace.config.lab import LAB
from headrace.config.loader import load_config
from headrace.lab.errors import LabError
from headrace.lab.network.plan import USER, LabPlan, make_plan
from headrace.lab.network.state import TOPOLOGY_FILE

SHIPPED = Path(__file__).parent / "topologies"
DEFAULT = "two-isps"


def shipped() -> list[str]:
    """Return the names of the shipped topologies."""
    return sorted(one.stem for one in SHIPPED.glob("*.toml"))


def find_topology(wanted: str) -> Path:
    """Return the file of a topology: a shipped one by its name, or one's own. Raises LabError."""
    if wanted in shipped():
        return SHIPPED / f"{wanted}.toml"
    path = Path(wanted)
    if not path.is_file():
        names = ", ".join(shipped())
        raise LabError(f"{wanted}: no such topology: name a file, or one of {names}")
    return path


def load_plan(directory: Path) -> LabPlan:
    """Return the plan of the lab in a directory, by which it is called. Raises ConfigError."""
    config = load_config(directory / TOPOLOGY_FILE, LAB)
    named = config.model_copy(update={"name": directory.name})
    return make_plan(named, directory, speaker_user())


def speaker_user() -> str:
    """Return who ExaBGP can run as: nobody, unless Headrace is installed where only root may read,
    as in root's home.
    """
    for path in (Path(os.path.realpath(sys.executable)), Path(__file__)):
        if not all(one.stat().st_mode & stat.S_IXOTH for one in path.parents):
            return "root"
    return USER
