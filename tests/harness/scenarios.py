"""Small scenarios for tests of the simulator, and the networks that they run in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from headrace.config.scenario import SCENARIO
from headrace.config.scenario.model import ScenarioConfig
from headrace.simulate.build import engine_of
from headrace.simulate.engine import Result
from headrace.topology.model import ContentClass, Topology
from tests.harness.networks import two_sites

STORE_BYTES = 10**9
VOD = ContentClass(
    "vod",
    ("vod.example",),
    shard_pattern=re.compile("/(?P<title>[^/]+)/", re.ASCII),
    shard_key="{title}",
)


def a_network(servers_each: int = 2, *, storage_bytes: int = STORE_BYTES) -> Topology:
    """Return two edge sites below a mid site; each stands in for the other."""
    topology = two_sites(servers_each)
    return replace(
        topology,
        classes=(VOD,),
        servers=tuple(replace(one, storage_bytes=storage_bytes) for one in topology.servers),
    )


def a_scenario(**tables: Any) -> ScenarioConfig:
    """Return a few minutes of a few viewers in both networks; `tables` are further keys."""
    document: dict[str, Any] = {
        "network": Path("network.toml"),
        "length": 600,
        "interval": 5,
        "starts": "20h",
        "audience": [
            {"network": "isp-a", "viewers": 60, "session": "5m", "places": 20},
            {"network": "isp-b", "viewers": 40, "session": "5m", "places": 20},
        ],
        "catalogue": [
            {"name": "films", "host": "vod.example", "titles": 50, "length": "10m", "chunk": 10}
        ],
        **tables,
    }
    config = ScenarioConfig.model_validate(document)
    assert not SCENARIO.inconsistencies(config)
    return config


def simulated(topology: Topology | None = None, **tables: Any) -> Result:
    """Return what came of such a scenario."""
    network = a_network() if topology is None else topology
    return engine_of(a_scenario(**tables), network).run()


def loads_between(result: Result, site: str, from_s: float, until_s: float) -> list[float]:
    """Return what a site sent to clients in each interval of a time, in bits per second."""
    series: Mapping[float, float] = dict(
        zip(result.series.at_s, result.series.sites[site].clients_bps, strict=True)
    )
    return [bps for at, bps in series.items() if from_s <= at < until_s]
