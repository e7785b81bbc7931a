"""How the clients that full sites pass on are shared among the sites behind them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.feedback.control.site_shares import shared_weights
from headrace.topology.model import (
    ContentClass,
    Coverage,
    Server,
    Site,
    SiteChoice,
    SiteKind,
    Topology,
)


def network(*orders: int, external: bool = False) -> Topology:
    """Return a coverage of edge sites of these orders with a mid site behind them, and an external
    one."""
    sites = [Site(f"s{place}", parents=("mid",)) for place in range(len(orders))]
    sites += [Site("mid", kind=SiteKind.MID)]
    if external:
        sites.append(Site("out", kind=SiteKind.EXTERNAL, base_url="https://cdn.example"))
    servers = [Server(f"{one.name}a", one.name, f"{one.name}.example") for one in sites[:-1]]
    servers += [] if external else [Server("mida", "mid", "mid.example")]
    classes = [ContentClass("vod", external=False)]
    if external:
        classes.append(ContentClass("free", external=True))
    choices = tuple(SiteChoice(f"s{place}", order=order) for place, order in enumerate(orders))
    return Topology(
        sites=tuple(sites),
        servers=tuple(servers),
        coverage=(Coverage("all", choices, default=True),),
        classes=tuple(classes),
    )


ALL = {"s0", "s1", "s2", "mid"}


def shared(net: Topology, alive: set[str] = ALL, **shares: float) -> dict[str, float]:
    return shared_weights(net, shares, alive)[0].get("all", {})


def test_what_is_passed_on_goes_to_the_next_order() -> None:
    assert shared(network(1, 2, 2), s0=0.6) == {"s0": 0.6, "s1": 0.2, "s2": 0.2}
    assert shared(network(1, 2, 3), s0=0.6, s1=0.5) == {"s0": 0.6, "s1": 0.2, "s2": 0.2}


def test_sites_of_one_order_take_it_from_each_other_first() -> None:
    weights = shared(network(1, 1, 2), s0=0.5)
    assert weights == {"s0": pytest.approx(1 / 3, abs=1e-3), "s1": pytest.approx(2 / 3, abs=1e-3)}


def test_nothing_goes_to_a_site_that_is_dead_and_the_mid_site_helps_last() -> None:
    assert shared(network(1, 2), {"s0", "mid"}, s0=0.6) == {"s0": 0.6, "mid": 0.4}
    assert shared(network(1, 2), {"s0"}, s0=0.6) == {}
    assert shared(network(1, 2), {"s1", "mid"}, s0=0.6) == {}


def test_external_sites_help_those_classes_that_they_may_serve() -> None:
    net = network(1, external=True)
    first, own = shared_weights(net, {"s0": 0.6, "mid": 0.5}, {"s0", "mid"})
    assert first == {"all": {"s0": 0.6, "mid": 0.2, "out": 0.2}}
    assert own == {"vod": {"all": {"s0": 0.75, "mid": 0.25}}}


SHARES = st.lists(st.floats(0.1, 1.0), min_size=4, max_size=4)


@given(st.lists(st.integers(1, 3), min_size=3, max_size=3), SHARES, st.floats(-0.05, 0.05))
def test_nothing_jumps_when_a_share_changes_a_little(
    orders: list[int], kept: list[float], change: float
) -> None:
    net = network(*orders)
    names = ["s0", "s1", "s2", "mid"]
    before = dict(zip(names, kept, strict=True))
    after = {**before, "s0": min(max(before["s0"] + change, 0.1), 1.0)}
    one = shared_weights(net, before, ALL)[0].get("all") or _first(net)
    other = shared_weights(net, after, ALL)[0].get("all") or _first(net)
    assert sum(one.values()) == pytest.approx(1.0, abs=1e-3)
    moved = sum(abs(one.get(name, 0.0) - other.get(name, 0.0)) for name in names) / 2
    assert moved <= 10 * abs(change) + 2e-3


def _first(net: Topology) -> dict[str, float]:
    least = min(one.order for one in net.coverage[0].sites)
    names = [one.site for one in net.coverage[0].sites if one.order == least]
    return {name: 1 / len(names) for name in names}
