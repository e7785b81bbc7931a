from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from headrace.errors import HeadraceError
from headrace.simulate.engine import Result
from headrace.simulate.figures import as_dict, figures_of
from headrace.simulate.network import Source
from tests.harness.scenarios import a_network, loads_between, simulated

PRINTS_FIGURES = """
import json
from headrace.simulate.figures import as_dict, figures_of
from tests.harness.scenarios import simulated
print(json.dumps(as_dict(figures_of(simulated(seed=7), {}, 0.0, 0.0))))
"""


def figures(result: Result) -> dict[str, object]:
    return as_dict(figures_of(result, {}, 0.0, 0.0))


def test_the_same_seed_brings_the_same_figures_in_any_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PRINTS_FIGURES],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs.pop().strip()


def test_another_seed_brings_others() -> None:
    assert figures(simulated(seed=1)) != figures(simulated(seed=2))


def test_as_many_watch_as_the_scenario_says() -> None:
    result = simulated(audience=[{"network": "isp-a", "viewers": 1000, "curve": [1.0] * 24}])
    watching = result.series.viewers[5:]
    assert 900 < sum(watching) / len(watching) < 1100


def test_each_network_is_served_by_its_own_site() -> None:
    result = simulated(audience=[{"network": "isp-a", "viewers": 50}])
    assert sum(result.series.sites["north"].clients_bps) > 0
    assert sum(result.series.sites["south"].clients_bps) == 0


def test_each_request_is_served_somewhere() -> None:
    totals = simulated().totals
    assert totals.requests == sum(totals.by_source.values()) > 1000
    assert totals.by_source[Source.NOWHERE] == 0
    assert totals.failed == 0
    assert totals.client_bytes == totals.requests * 10 * 5_000_000 // 8


def test_the_warm_up_is_not_counted() -> None:
    whole, warm = simulated(), simulated(warm_up=300)
    assert 0 < warm.totals.requests < whole.totals.requests
    assert whole.series.requests == warm.series.requests


def test_clients_of_a_dead_site_get_nothing_while_nobody_tells_the_router() -> None:
    result = simulated(failure=[{"site": "north", "from": 200, "until": 400}])
    assert max(loads_between(result, "north", 200, 400)) == 0
    assert sum(loads_between(result, "north", 400, 500)) > 0
    assert result.totals.failed > 0
    assert result.totals.waited_s > 0


def test_clients_of_a_withdrawn_site_are_served_by_the_next_of_their_coverage() -> None:
    result = simulated(
        audience=[{"network": "isp-a", "viewers": 50}],
        withdrawal=[{"site": "north", "from": 200, "until": 400}],
    )
    assert max(loads_between(result, "north", 200, 400)) == 0
    assert sum(loads_between(result, "south", 200, 400)) > 0
    assert result.moved.clients > 0


def test_sessions_end_where_they_are_while_a_site_drains() -> None:
    result = simulated(
        audience=[{"network": "isp-a", "viewers": 50}],
        withdrawal=[{"site": "north", "from": 500, "drains": 300}],
    )
    assert sum(loads_between(result, "north", 200, 300)) > 0
    assert sum(loads_between(result, "south", 200, 300)) > 0


def test_a_server_drains_when_the_one_before_has_returned() -> None:
    withdrawal = {"site": "north", "from": 200, "each": 100, "drains": 50}
    seen = [(one.at_s, one.text) for one in simulated(withdrawal=[withdrawal]).happenings]
    assert seen[:6] == [
        (150, "n1: draining"),
        (200, "n1: withdrawn"),
        (300, "n1: returned"),
        (300, "n2: draining"),
        (350, "n2: withdrawn"),
        (450, "n2: returned"),
    ]


def test_who_gets_nothing_for_too_long_gives_up() -> None:
    failure = {"site": "north", "from": 200, "until": 400}
    audience = [{"network": "isp-a", "viewers": 50}]
    lost = simulated(audience=audience, failure=[failure], clients={"patience": 30}).totals
    patient = simulated(audience=audience, failure=[failure], clients={"patience": 600}).totals
    assert lost.gave_up > 30
    assert patient.gave_up == 0
    assert lost.waited_s < patient.waited_s


def test_a_server_that_lost_its_store_fills_it_again() -> None:
    failure = {"site": "south", "from": 300, "until": 305}
    kept = simulated(failure=[failure])
    lost = simulated(failure=[{**failure, "loses_store": True}])
    assert lost.totals.edge_hits < kept.totals.edge_hits


def test_a_server_that_is_not_there_yet_gets_nothing() -> None:
    result = simulated(new_server=[{"site": "north", "at": 300}])
    assert max(loads_between(result, "north", 0, 300)) == 0
    assert sum(loads_between(result, "north", 310, 600)) > 0
    assert result.totals.failed == 0


def test_everybody_asks_for_the_newest_piece_of_an_event() -> None:
    result = simulated(
        a_network(),
        catalogue=[],
        live=[
            {
                "name": "final", "host": "vod.example", "at": 60, "length": 300, "viewers": 500,
                "ramp": 60, "chunk": 6,
            }
        ],
    )  # fmt: skip
    totals = result.totals
    # Each piece is asked for once at the origin, whoever watches, since one mid server owns it.
    assert totals.origin_requests <= 50
    assert totals.requests > 10_000
    assert max(result.series.viewers) == 500


def test_demand_above_what_a_site_can_send_is_waited_for() -> None:
    result = simulated(
        a_network(1),
        audience=[{"network": "isp-a", "viewers": 4000, "curve": [1.0] * 24}],
        length=60,
    )
    assert max(result.series.sites["north"].load()) > 1
    assert result.totals.starved_s > 0


@pytest.mark.parametrize("by", ["redirect", "dns", "anyhow"])
def test_however_clients_come_to_servers_all_are_served(by: str) -> None:
    result = simulated(clients={"by": by})
    assert result.totals.failed == 0
    assert result.totals.requests > 1000


def test_clients_that_know_nothing_of_shards_find_less_in_the_first_server() -> None:
    sharded, spread = simulated(), simulated(clients={"by": "anyhow"})
    assert spread.totals.by_source[Source.SIBLING] > sharded.totals.by_source[Source.SIBLING]
    assert spread.totals.by_source[Source.HIT] < sharded.totals.by_source[Source.HIT]


def test_a_model_of_a_tenth_stands_for_the_whole() -> None:
    audience = [{"network": "isp-a", "viewers": 2000, "curve": [1.0] * 24, "session": "5m"}]
    catalogue = [{"name": "films", "host": "vod.example", "titles": 1000, "chunk": 10}]
    network = a_network(storage_bytes=20 * 10**9)
    whole = simulated(network, audience=audience, catalogue=catalogue)
    tenth = simulated(network, audience=audience, catalogue=catalogue, scale=0.1)
    assert tenth.totals.requests == pytest.approx(whole.totals.requests, rel=0.1)
    ratios = [one.totals.by_source[Source.HIT] / one.totals.requests for one in (whole, tenth)]
    assert ratios[1] == pytest.approx(ratios[0], abs=0.05)


@pytest.mark.parametrize(
    "tables",
    [
        {"audience": [{"network": "unknown", "viewers": 5}]},
        {"failure": [{"servers": ["unknown"], "from": 5}]},
        {"failure": [{"site": "unknown", "from": 5}]},
        {"catalogue": [{"name": "films", "host": "unknown.example", "titles": 5}]},
    ],
)
def test_what_the_network_does_not_have_is_refused_by_name(tables: dict[str, Any]) -> None:
    with pytest.raises(HeadraceError, match="unknown"):
        simulated(**tables)


def test_servers_whose_store_nobody_describes_are_refused() -> None:
    with pytest.raises(HeadraceError, match="storage"):
        simulated(a_network(storage_bytes=0))
