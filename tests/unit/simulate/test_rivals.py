from __future__ import annotations

import itertools
from typing import Any

import pytest

from headrace.feedback.observation import NodeReport
from headrace.simulate.control.rivals import ByRoom, Name, Threshold, TwoChoices, rival
from headrace.simulate.engine import Result
from headrace.simulate.fluid import Policy
from headrace.telemetry.load_report import LoadReport
from headrace.topology.view import ServerState, ServerView
from tests.harness.scenarios import a_network, a_scenario, loads_between, simulated

NETWORK = a_network(1)
CAPACITY_BPS = NETWORK.servers[0].capacity_bps
NAMES: tuple[Name, ...] = ("none", "threshold", "proportional", "two-choices")


def reports(**loads: float) -> dict[str, NodeReport]:
    """Return reports of servers that send so large a share of what they can."""
    return {
        name: NodeReport(
            0.0,
            LoadReport(node=name, role="edge", interval_s=5.0, egress_bps=load * CAPACITY_BPS),
        )
        for name, load in loads.items()
    }


def test_a_threshold_takes_a_site_out_above_it_and_in_again_well_below() -> None:
    policy = Threshold(NETWORK)
    seen = [
        policy.step({}, reports(n1=load, s1=0.1), 5.0).servers.get("n1", ServerView()).state
        for load in (0.84, 0.86, 0.75, 0.69, 0.75)
    ]
    full, online = ServerState.FULL, ServerState.ONLINE
    assert seen == [online, full, full, online, online]


def test_by_room_each_site_gets_in_proportion_to_what_it_has_left() -> None:
    weights = ByRoom(NETWORK).step({}, reports(n1=0.75, s1=0.5), 5.0).coverage["a"]
    assert weights["north"] == pytest.approx(0.25)
    assert weights["south"] == pytest.approx(0.5)


def test_of_two_sites_that_are_drawn_the_less_loaded_one_gets_three_of_four() -> None:
    weights = TwoChoices(NETWORK).weights({"north": 0.9, "south": 0.2})
    assert weights == {"south": 0.75, "north": 0.25}


def test_of_many_the_shares_are_those_of_all_draws() -> None:
    loads = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}
    drawn = dict.fromkeys(loads, 0)
    for one in loads:
        for other in loads:
            drawn[min(one, other, key=lambda name: loads[name])] += 1
    weights = TwoChoices(NETWORK).weights(loads)
    assert weights == {name: pytest.approx(count / 16) for name, count in drawn.items()}


@pytest.mark.parametrize("name", NAMES)
def test_all_go_by_what_version_1_says_of_servers(name: Name) -> None:
    failed = {"n1": ServerView(ServerState.FAILED)}
    assert rival(name, NETWORK).step(failed, reports(s1=0.1), 5.0).servers == failed


def test_none_decides_nothing() -> None:
    assert type(rival("none", NETWORK)) is Policy


def under(controller: str, **tables: Any) -> Result:
    """Return what becomes of the servers of the north when its viewers want more than they can."""
    audience = [{"network": "isp-a", "viewers": 4000, "curve": [1.0] * 24, "places": 200}]
    control = {"mode": "both", "controller": controller}
    films = {"name": "films", "host": "vod.example", "titles": 200, "chunk": 5}
    return simulated(
        NETWORK, audience=audience, catalogue=[films], control=control, clients={"stay": "ttl"},
        length=300, scale=0.1, **tables,
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_dead_server_is_left_out_under_each(name: Name) -> None:
    result = under(name, failure=[{"site": "north", "from": 100}])
    assert max(loads_between(result, "north", 150, 300)) == 0
    assert sum(loads_between(result, "south", 200, 300)) > 0


def test_where_none_decides_nobody_moves_for_load() -> None:
    result = under("none")
    assert max(loads_between(result, "south", 0, 300)) == 0
    assert max(result.series.sites["north"].load()) > 1


def test_a_threshold_sends_all_to_and_fro() -> None:
    south = loads_between(under("threshold"), "south", 0, 300)
    empty = [bps < 0.2 * max(south) for bps in south]
    assert sum(was and not now for was, now in itertools.pairwise(empty)) >= 2


def test_another_controller_wants_the_mode_in_which_it_decides() -> None:
    with pytest.raises(ValueError, match="both"):
        a_scenario(control={"mode": "states", "controller": "threshold"})
