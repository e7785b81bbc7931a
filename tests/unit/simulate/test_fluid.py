"""The fluid model: streams follow weights, reports are late, lost and wrong, nothing is lost."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from headrace.feedback.observation import NodeReport
from headrace.simulate.fluid import Conditions, Fluid, Policy
from headrace.topology.view import ServerState, ServerView, View
from tests.unit.feedback.balance.networks import GBPS, network

NET = network({"c": [["a"], ["b"]]})
STREAMS = {("c", "vod"): 30.0 * GBPS}


class Told(Policy):
    """Says what it is told to from a time on, and keeps what it hears."""

    def __init__(self, view: View, from_s: float) -> None:
        self.heard: list[dict[str, NodeReport]] = []
        self._view = view
        self._from_s = from_s
        self._now_s = 0.0

    def step(
        self,
        servers: Mapping[str, ServerView],
        reports: Mapping[str, NodeReport],
        elapsed_s: float,
    ) -> View:
        """Return the view."""
        self._now_s += elapsed_s
        self.heard.append(dict(reports))
        return self._view if self._now_s >= self._from_s else View(servers=servers)


def fluid(policy: Policy, conditions: Conditions | None = None) -> Fluid:
    return Fluid(NET, lambda _now_s: STREAMS, policy, conditions or Conditions(follow_s=10.0))


def test_clients_follow_a_weight_with_their_time_constant() -> None:
    half = View(coverage={"c": {"a": 0.5, "b": 0.5}})
    record = fluid(Told(half, 20.0)).run(60.0)
    assert record.used["a"][19] == 0.5
    for after_s in (1, 10, 30):
        left = 0.25 + 0.25 * math.exp(-after_s / 10.0)
        assert record.used["a"][19 + after_s] == pytest.approx(left)
        assert record.used["b"][19 + after_s] == pytest.approx(0.5 - left)
    assert sum(record.moved_bps) == pytest.approx(15.0 * GBPS * (1 - math.exp(-4)), rel=0.01)


def test_reports_come_late() -> None:
    policy = Told(View(), 1e9)
    fluid(policy, Conditions(delay_s=10.0)).run(30.0)
    assert not policy.heard[9]
    assert {one.age_s for one in policy.heard[10].values()} == {10.0}
    sent = [one.report.egress_bps for one in policy.heard[15].values()]
    assert sum(sent) == pytest.approx(30.0 * GBPS)


def test_some_reports_are_lost_and_the_last_ones_stay() -> None:
    policy = Told(View(), 1e9)
    fluid(policy, Conditions(loss=0.5, seed=3)).run(100.0)
    ages = [one.age_s for reports in policy.heard[50:] for one in reports.values()]
    assert max(ages) >= 10.0
    assert len(policy.heard[-1]) == len(NET.servers)


@pytest.mark.parametrize("steadily", [False, True])
def test_reports_are_wrong_by_no_more_than_said(steadily: bool) -> None:
    policy = Told(View(), 1e9)
    fluid(policy, Conditions(lie=0.1, steadily=steadily)).run(60.0)
    sent = [reports["a-0"].report.egress_bps / (5 * GBPS) for reports in policy.heard[5:]]
    assert all(0.9 - 1e-9 <= one <= 1.1 + 1e-9 for one in sent)
    assert any(abs(one - 1.0) > 0.01 for one in sent)
    assert (len(set(sent)) == 1) is steadily


def test_clients_of_a_dead_site_are_at_the_next_at_once() -> None:
    made = fluid(Policy())
    made.run(10.0)
    made.down = {server.name for server in NET.servers_of("a")}
    record = made.run(12.0)
    assert record.used["b"][-1] == pytest.approx(0.5)
    assert made.capacities() == {"b": 60.0 * GBPS}


def test_a_full_site_gets_no_new_clients() -> None:
    full = {server.name: ServerView(ServerState.FULL) for server in NET.servers_of("a")}
    record = fluid(Told(View(servers=full), 10.0)).run(100.0)
    assert record.used["a"][-1] < 0.001


def test_what_is_beyond_a_sites_capacity_is_counted() -> None:
    made = Fluid(NET, lambda _now_s: {("c", "vod"): 66.0 * GBPS}, Policy(), Conditions())
    assert made.run(5.0).beyond_bps == pytest.approx([6.0 * GBPS] * 5)


def test_places_send_each_client_to_its_nearest_site() -> None:
    near = {"c": {"a": 0.25, "b": 0.75}}
    net = network({"c": [["a", "b"]]})
    made = Fluid(net, lambda _now_s: STREAMS, Policy(), Conditions(), near=near)
    made.run(3.0)
    assert made.shares(("c", "vod")) == pytest.approx({"a": 0.25, "b": 0.75})
