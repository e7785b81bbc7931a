from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.loader import load_config
from headrace.config.scenario import SCENARIO
from headrace.simulate.build import engine_of
from headrace.topology.build import load_topology

SCENARIOS = sorted(
    path
    for path in (Path(__file__).parents[3] / "docs" / "examples" / "simulator").glob("*.toml")
    if not path.name.startswith("network")
)


def test_there_are_eleven() -> None:
    assert len(SCENARIOS) == 11


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_each_variant_of_a_shipped_scenario_begins(path: Path) -> None:
    config = load_config(path, SCENARIO)
    for one in [config.as_variant(variant) for variant in config.variants] or [config]:
        short = one.model_copy(update={"length_s": 60.0, "warm_up_s": 0.0, "scale": 0.25})
        assert engine_of(short, load_topology(one.network)).run().totals.requests > 0
