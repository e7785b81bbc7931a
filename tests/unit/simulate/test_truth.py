"""Tiny networks whose figures are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from headrace.simulate.engine import Moved, Result
from headrace.simulate.figures import Figures, SiteFigures, figures_of
from headrace.simulate.network import Origins, Source
from headrace.simulate.node import Node
from headrace.simulate.stores import make_store
from headrace.simulate.tally import Tally
from headrace.topology.model import Server, Site, SiteKind, Topology
from tests.harness.scenarios import a_network, simulated

INTERVAL_S = 5.0
VIDEO_BPS = 5_000_000
CAPACITY_BPS = 10_000_000


class Small:
    """Two sites of two servers that can send 10 Mbit/s each, below one above; told by hand what
    viewers of 5 Mbit/s got in an interval."""

    def __init__(self, site_capacity_bps: int | None = None, origin_bps: int | None = None) -> None:
        sites = (
            Site("a", capacity_bps=site_capacity_bps, price_per_gb=0.5, target_utilisation=0.8),
            Site("b", target_utilisation=0.8),
            Site("above", SiteKind.MID),
        )
        servers = tuple(
            Server(f"{site.name}{number}", site.name, "", capacity_bps=CAPACITY_BPS)
            for site in sites
            for number in (1, 2)
        )
        self.topology = Topology((), sites, servers, (), ())
        self.nodes = {
            server.name: Node(number, server, make_store("fifo", 1))
            for number, server in enumerate(servers)
        }
        self.origins = Origins()
        self.tally = Tally(
            self.topology, [*self.nodes.values()], interval_s=INTERVAL_S, warm_up_s=0.0, scale=1.0,
            origin_bps=origin_bps,
        )  # fmt: skip
        self.at_s = 0.0

    def interval(self, watching: dict[str, int], *, from_origins: int = 0) -> None:
        """Let so many viewers watch at servers, so many of them what comes from the origins."""
        each_bytes = round(VIDEO_BPS * INTERVAL_S / 8)
        for name, viewers in watching.items():
            node = self.nodes[name]
            node.client_bytes += viewers * each_bytes
            node.client_requests += viewers
            node.client_hits += viewers
            node.played_s += viewers * INTERVAL_S
        self.tally.by_source[Source.HIT] += sum(watching.values()) - from_origins
        self.tally.by_source[Source.ORIGIN] += from_origins
        self.origins.bytes += from_origins * each_bytes
        self.origins.requests += from_origins
        self.tally.end_interval(self.at_s, self.origins, sum(watching.values()))
        self.at_s += INTERVAL_S

    def figures(self, *, origin_price: float = 0.0) -> Figures:
        """Return what it comes to; the usual price is 0.25 a GB."""
        result = Result(
            "", self.topology, self.tally.series, self.tally.totals, (), Moved(), 0, {}, 0.0
        )
        return figures_of(result, {}, 0.25, origin_price)


def site(figures: Figures, name: str) -> SiteFigures:
    return next(one for one in figures.sites if one.name == name)


def test_who_gets_half_of_the_video_waits_half_of_the_time() -> None:
    small = Small()
    small.interval({"a1": 4})
    assert small.figures().rebuffering == pytest.approx(0.5)


def test_who_gets_all_does_not_wait() -> None:
    small = Small()
    small.interval({"a1": 2, "a2": 2, "b1": 2})
    assert small.figures().rebuffering == 0.0


def test_a_site_below_its_servers_limits_them() -> None:
    small = Small(site_capacity_bps=15_000_000)
    small.interval({"a1": 2, "a2": 2})
    figures = small.figures()
    assert figures.rebuffering == pytest.approx(0.25)
    assert site(figures, "a").peak_load == pytest.approx(20 / 15)


def test_origins_above_what_they_can_send_are_waited_for() -> None:
    small = Small(origin_bps=2_500_000)
    small.interval({"a1": 2}, from_origins=1)
    assert small.figures().rebuffering == pytest.approx(0.25)


def test_nobody_waits_more_than_all_of_the_time() -> None:
    small = Small(origin_bps=1000)
    small.interval({"a1": 100}, from_origins=100)
    assert 0.99 < small.figures().rebuffering <= 1.0


def test_viewers_of_wrong_bytes_wait_all_of_the_time() -> None:
    result = simulated(
        audience=[{"network": "isp-a", "viewers": 20}],
        failure=[{"site": "north", "from": 0, "how": "wrong"}],
    )
    figures = figures_of(result, {}, 0.0, 0.0)
    assert figures.failed == figures.requests > 0
    assert figures.rebuffering == pytest.approx(1.0)


def test_times_above_target_and_capacity_are_those_of_whole_intervals() -> None:
    small = Small()
    for viewers in (2, 3, 4, 5):  # of four that the site can serve: 0.5, 0.75, 1, 1.25
        small.interval({"a1": viewers, "a2": 0})
    found = site(small.figures(), "a")
    assert found.peak_bps == 25_000_000
    assert (found.above_target_s, found.above_capacity_s) == (10.0, 5.0)
    assert found.mean_load == pytest.approx(0.875)
    assert found.fullest_server == pytest.approx(2.5)


def test_the_balance_of_a_site_is_its_load_beside_its_fullest_server() -> None:
    small = Small()
    small.interval({"a1": 1, "a2": 1})
    small.interval({"a1": 2, "a2": 1, "b1": 2})
    figures = small.figures()
    assert site(figures, "a").balance == pytest.approx(0.75)
    assert site(figures, "b").balance == pytest.approx(0.5)
    assert site(figures, "above").balance == 0.0


def test_the_balance_of_sites_is_their_mean_beside_the_fullest() -> None:
    small = Small()
    small.interval({"a1": 2, "a2": 2, "b1": 2})
    assert small.figures().balance == pytest.approx(0.75)


def test_bytes_cost_what_the_description_says_of_their_site() -> None:
    small = Small()
    for _ in range(320):  # of 3.125 MB a viewer: 1 GB
        small.interval({"a1": 1, "b1": 2}, from_origins=1)
    figures = small.figures(origin_price=4.0)
    assert site(figures, "a").cost == pytest.approx(0.5)
    assert site(figures, "b").cost == pytest.approx(2 * 0.25)
    assert figures.cost == pytest.approx(0.5 + 0.5 + 4.0)


def test_a_scenario_has_the_last_word_on_prices() -> None:
    topology = a_network()
    sites = tuple(replace(one, price_per_gb=1.0) for one in topology.sites)
    result = simulated(replace(topology, sites=sites))
    gigabytes = {name: of / 1e9 for name, of in result.totals.site_client_bytes.items()}
    figures = figures_of(result, {"north": 0.0}, 7.0, 0.0)
    assert site(figures, "north").cost == 0.0
    assert figures.cost == pytest.approx(sum(gigabytes.values()) - gigabytes["north"])


def test_what_moves_before_the_warm_up_ends_does_not_count() -> None:
    lost: dict[str, Any] = {"withdrawal": [{"site": "north", "from": 100, "until": 150}]}
    assert simulated(**lost).moved.clients > 0
    after = simulated(**lost, warm_up=300)
    assert (after.moved.clients, after.moved.views, after.moved.keys) == (0, 0, 0.0)


def test_each_client_network_of_a_lost_site_moves_once_and_once_back() -> None:
    audience = [{"network": "isp-a", "viewers": 400, "places": 1, "curve": [1.0] * 24}]
    withdrawal = [{"site": "north", "from": 200, "until": 400}]
    result = simulated(
        audience=audience, withdrawal=withdrawal, clients={"by": "redirect", "stay": "chunk"}
    )
    assert result.moved.clients == 2


def test_one_of_two_servers_takes_half_of_the_shards_with_it_and_brings_them_back() -> None:
    result = simulated(withdrawal=[{"servers": ["n1"], "from": 200, "until": 400}])
    # Each time half of those of one site of three that have servers.
    assert result.moved.keys == pytest.approx(2 * 0.5 / 3, rel=0.2)
