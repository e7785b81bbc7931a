"""Scenarios: the shipped ones and one's own, and the topology that each wants."""

from __future__ import annotations

import tomllib
from pathlib import Path

import tomli_w

from headrace.config.drill import DRILL
from headrace.config.drill.model import DrillConfig
from headrace.config.loader import load_config
from headrace.lab.errors import LabError
from headrace.lab.network.topology import find_topology
from headrace.lab.network.topology import shipped as shipped_topologies

SHIPPED = Path(__file__).parent / "scenarios"
ALL = "all"


def shipped() -> list[str]:
    """Return the names of the shipped scenarios."""
    return sorted(one.stem for one in SHIPPED.glob("*.toml"))


def find_scenarios(wanted: list[str]) -> dict[str, DrillConfig]:
    """Return scenarios by name: shipped ones, `all` of these, or files, whose own topologies are
    found from where they are. Raises LabError, ConfigError.
    """
    found: dict[str, DrillConfig] = {}
    files: dict[str, Path] = {}
    for word in wanted:
        names = shipped() if word == ALL else [word]
        for name in names:
            file = SHIPPED / f"{name}.toml" if name in shipped() else Path(name)
            if not file.is_file():
                known = ", ".join(shipped())
                raise LabError(f"{name}: no such drill: name a file, `{ALL}`, or some of {known}")
            if files.setdefault(file.stem, file) != file:
                raise LabError(
                    f"{file} and {files[file.stem]}: two drills of one name: rename a file"
                )
            found[file.stem] = _with_its_topology(load_config(file, DRILL), file.parent)
    return found


def _with_its_topology(config: DrillConfig, directory: Path) -> DrillConfig:
    """Relative paths in a file start from its directory."""
    if config.topology in shipped_topologies():
        return config
    return config.model_copy(update={"topology": str(directory / config.topology)})


def topology_text(config: DrillConfig, *, name: str | None = None) -> str:
    """Return the topology that a drill runs in, as a file. Raises LabError."""
    table = tomllib.loads(find_topology(name or config.topology).read_text())
    if config.bfd is not None:
        for site in table.get("site", []):
            site["bfd"] = config.bfd
    return tomli_w.dumps(table)
