"""Version 1 alone: a site that is full as a whole passes on a part of its clients, and no load
swings to and fro.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feedback.observation import NodeReport, Observations
from headrace.feedback.orders import Mode
from headrace.telemetry.load_report import LoadReport
from headrace.topology.model import SiteChoice, Topology
from headrace.topology.placement_site import Standing, conditions_of
from headrace.topology.view import ServerState, View
from tests.unit.feedback.networks import Loop, observed
from tests.unit.feedback.states.crowd import MBPS, Crowd, network


def two(first: Sequence[int], second: Sequence[int], orders: Sequence[int] = (1, 2)) -> Topology:
    """Return two sites, of which the second stands behind the first unless `orders` says else."""
    net = network([first, second])
    choices = tuple(SiteChoice(f"s{place}", order=order) for place, order in enumerate(orders))
    return replace(net, coverage=(replace(net.coverage[0], sites=choices),))


def told(net: Topology, **used: float) -> Observations:
    """Return that all servers of sites send such shares of what they can."""
    reports = {
        one.name: NodeReport(
            0.0,
            LoadReport(
                node=one.name,
                role="edge",
                interval_s=5.0,
                egress_bps=used[one.site] * one.capacity_bps,
            ),
        )
        for one in net.servers
        if one.site in used
    }
    return replace(observed(net), reports=reports)


NET = two([20, 20], [30, 30])


class Overflowing(Crowd):
    """A crowd that goes to the next order only where the view or a failure sends it."""

    def _sites(self, view: View) -> dict[str, float]:
        weights = dict(view.weights("video", "all"))
        choices = self.topology.coverage[0].sites
        for order in sorted({one.order for one in choices}):
            if any(self._good(site, view) for site in weights):
                break
            weights = {
                one.site: sum(each.capacity_bps for each in self.topology.servers_of(one.site))
                for one in choices
                if one.order == order
            }
        good = {site: weight for site, weight in weights.items() if self._good(site, view)}
        total = sum(good.values())
        return {site.name: good.get(site.name, 0.0) / total for site in self.topology.sites}

    def _good(self, site: str, view: View) -> bool:
        return Standing.USABLE in conditions_of(self._rings[site].servers, view).standings

    def loads(self, seconds: int) -> list[dict[str, float]]:
        """Return the loads of sites in the last seconds."""
        return [
            {
                site.name: sum(
                    used[one.name] * one.capacity_bps for one in self.topology.servers_of(site.name)
                )
                / sum(one.capacity_bps for one in self.topology.servers_of(site.name))
                for site in self.topology.sites
            }
            for used in self.used[-seconds:]
        ]


def swing(loads: Sequence[Mapping[str, float]]) -> float:
    return max(
        max(one[site] for one in loads) - min(one[site] for one in loads) for site in loads[0]
    )


@pytest.mark.parametrize("mode", [Mode.STATES, Mode.DRY_RUN])
def test_a_full_site_passes_on_what_is_too_much(mode: Mode) -> None:
    loop = Loop(NET, mode=mode)
    step = loop.see(told(NET, s0=1.0, s1=0.1), 3)
    assert all(one.state is ServerState.ONLINE for one in step.view.servers.values())
    assert step.view.coverage == {"all": {"s0": pytest.approx(0.8), "s1": pytest.approx(0.2)}}
    for _time in range(3):  # while its load falls, nothing more is done
        step = loop.see(told(NET, s0=0.97 - 0.02 * _time, s1=0.2), 9)
        assert step.view.coverage["all"]["s0"] == pytest.approx(0.8)


def test_it_passes_on_more_when_that_was_not_enough_and_never_all() -> None:
    loop = Loop(NET)
    kept = []
    for _time in range(20):
        step = loop.see(told(NET, s0=1.5, s1=0.1), 11)
        kept.append(step.view.coverage["all"]["s0"])
    assert kept[0] == pytest.approx(0.7)
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] == pytest.approx(0.1)


def test_its_clients_return_slowly_and_ever_more_slowly_where_that_fills_it() -> None:
    loop = Loop(NET)
    waits = []
    for _time in range(3):
        step = loop.see(told(NET, s0=1.1, s1=0.1), 12)
        kept, seconds = step.view.coverage["all"]["s0"], 0
        while step.view.coverage.get("all", {"s0": 1.0})["s0"] <= kept:
            step = loop.see(told(NET, s0=0.5, s1=0.3))
            seconds += 1
            assert seconds < 200
        assert step.view.coverage.get("all", {"s0": 1.0})["s0"] <= kept + 0.05 + 1e-9
        waits.append(seconds)
    assert waits[1] > 1.5 * waits[0]
    assert waits[2] > 1.5 * waits[1]
    step = loop.see(told(NET, s0=0.3, s1=0.1), 3000)
    assert step.view.coverage == {}
    step = loop.see(told(NET, s0=0.3, s1=0.1), 20_000)
    assert loop.memory.states.sites == {}


def test_nothing_is_passed_on_to_those_that_are_as_full() -> None:
    loop = Loop(NET)
    step = loop.see(told(NET, s0=1.2, s1=1.2), 300)
    weights = step.view.coverage.get("all", {"s0": 1.0})
    assert weights["s0"] == pytest.approx(1.0)


def test_a_site_whose_load_nobody_knows_any_more_gets_its_clients_back() -> None:
    loop = Loop(NET)
    assert loop.see(told(NET, s0=1.3, s1=0.1), 3).view.coverage
    assert loop.see(told(NET, s1=0.1), 400).view.coverage == {}


def test_beside_the_balance_it_is_closed_as_before() -> None:
    loop = Loop(NET, mode=Mode.BOTH)
    step = loop.see(told(NET, s0=1.0, s1=0.1), 3)
    assert {one.state for one in step.view.servers.values()} == {ServerState.FULL}


def test_where_clients_have_no_coverage_it_is_closed() -> None:
    net = replace(NET, coverage=(replace(NET.coverage[0], default=False),))
    step = Loop(net).see(told(net, s0=1.0, s1=0.1), 3)
    assert {one.state for one in step.view.servers.values()} == {ServerState.FULL}


@settings(max_examples=10, deadline=None)
@given(
    st.floats(1.02, 2.2),
    st.sampled_from([2, 4, 10, 30, 60]),
    st.booleans(),
    st.sampled_from([0.0, 0.05]),
    st.sampled_from([(1, 2), (1, 1)]),
    st.sampled_from([[30, 30], [60], [100, 20]]),
    st.integers(1, 100),
)
def test_no_load_swings_for_ever_where_the_next_site_has_room(
    part: float,
    follow_s: int,
    sessions: bool,
    noise: float,
    orders: tuple[int, int],
    second: list[int],
    seed: int,
) -> None:
    net = two([20, 20], second, orders)
    demand = min(part * 40, 0.75 * (40 + sum(second)))
    crowd = Overflowing(
        net,
        demand * MBPS,
        heavy={},
        follow_s=follow_s,
        sessions=sessions,
        noise=noise,
        seed=seed,
    )
    crowd.run(600 + 12 * follow_s)
    crowd.run(300)
    loads = crowd.loads(300)
    # What it still does: once in minutes it tries whether clients may return.
    assert swing(loads) <= 0.2
    assert max(max(one.values()) for one in loads) <= 1.0


class Lying(Overflowing):
    """One server always reports that it sends 99 times what it can."""

    liar = ""

    def _report(self, name: str, bps: float) -> NodeReport:
        return super()._report(name, 99.0 * self._capacity[name] if name == self.liar else bps)


def three(demand: float, servers: int, liar: str) -> Lying:
    """Return three sites of the same servers; two stand behind the first, which has to send such a
    share of what it can."""
    net = network([[10] * servers] * 3)
    orders = zip("012", (1, 2, 2), strict=True)
    choices = tuple(SiteChoice(f"s{place}", order=order) for place, order in orders)
    net = replace(net, coverage=(replace(net.coverage[0], sites=choices),))
    crowd = Lying(net, demand * servers * 10 * MBPS, heavy={}, follow_s=10)
    crowd.liar = liar
    return crowd


@pytest.mark.parametrize(("servers", "demand"), [(2, 0.8), (4, 0.9)])
def test_one_server_that_lies_does_not_send_all_clients_of_its_site_away(
    servers: int, demand: float
) -> None:
    crowd = three(demand, servers, "s0a0")
    crowd.run(900)
    [last] = crowd.loads(1)
    assert last["s0"] > demand / 2
    assert max(last.values()) < 1.0


@pytest.mark.parametrize("servers", [1, 4])
def test_one_server_that_lies_does_not_keep_another_site_from_passing_on(servers: int) -> None:
    crowd = three(1.3, servers, "s1a0")
    crowd.run(900)
    [last] = crowd.loads(1)
    assert last["s0"] < 0.96
    assert last["s2"] > 0.15
