"""What was measured ages toward the description; what was decided stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.topology.model import Coverage, SiteChoice
from headrace.topology.view import ServerState, ServerView, View
from headrace.topology.view_age import STEPS, aged, step_of_age
from tests.harness.networks import two_sites

NETWORK = two_sites()
VIEW = View(
    3,
    100.0,
    {
        "north1": ServerView(ServerState.FAILED),
        "north2": ServerView(ServerState.FULL, 0.5),
        "south1": ServerView(ServerState.DRAINING),
        "south2": ServerView(weight=3.0),
    },
    {"others": {"north": 0.0, "south": 4.0}, "unknown": {"north": 1.0}},
    {"vod": {"a": 0.5}},
    {"vod": {"a": 2}},
    {"vod": {"others": {"south": 1.0, "north": 3.0}}, "live": {"others": {}}},
)


@pytest.mark.parametrize(
    ("age_s", "step"), [(0, 0), (599, 0), (600, 1), (659, 1), (660, 2), (1140, 10), (1e9, 10)]
)
def test_it_ages_in_steps(age_s: float, step: int) -> None:
    assert step_of_age(age_s, 600.0) == step


@given(st.floats(0, 1e6), st.floats(1, 1e5))
def test_it_never_ages_backwards(age_s: float, max_age_s: float) -> None:
    assert 0 <= step_of_age(age_s, max_age_s) <= step_of_age(age_s + 1, max_age_s) <= STEPS


def test_a_young_one_is_as_it_was() -> None:
    assert aged(VIEW, NETWORK, 0) is VIEW


def test_half_way_weights_are_half_way() -> None:
    found = aged(VIEW, NETWORK, STEPS // 2)
    assert found.servers["north2"] == ServerView(ServerState.ONLINE, 0.75)
    assert found.servers["south2"] == ServerView(ServerState.ONLINE, 2.0)
    # Described: a half each.
    assert found.coverage == {"others": {"north": 0.25, "south": 0.75}}
    assert found.by_class["vod"] == {"others": {"north": 0.625, "south": 0.375}}


def test_a_class_that_goes_by_the_description_continues_to() -> None:
    assert aged(VIEW, NETWORK, 1).by_class["live"] == {"others": {}}


def test_a_site_of_a_later_order_leaves_in_steps() -> None:
    network = replace(
        NETWORK,
        coverage=(
            Coverage("others", (SiteChoice("north"), SiteChoice("south", None, 2)), default=True),
        ),
    )
    view = View(coverage={"others": {"north": 1.0, "south": 1.0}})
    weights = [aged(view, network, step).coverage["others"]["south"] for step in range(1, STEPS)]
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] == pytest.approx(0.05)


def test_in_the_end_the_description_decides_but_failed_servers_stay_out() -> None:
    found = aged(VIEW, NETWORK, STEPS)
    assert found.coverage == {}
    assert found.by_class == {}
    assert {name: one.state for name, one in found.servers.items()} == {
        "north1": ServerState.FAILED,
        "north2": ServerState.ONLINE,
        "south1": ServerState.DRAINING,
        "south2": ServerState.ONLINE,
    }
    assert {one.weight for one in found.servers.values()} == {1.0}
    assert (found.widths, found.demand) == (VIEW.widths, VIEW.demand)
    assert (found.version, found.made_at) == (3, 100.0)
