"""The plans of all servers of a site, and the choice that a router makes among them."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.topology.model import AdminState, Topology
from headrace.topology.vips import Announce, PreferBy
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.model import Address, PlannedVip, Standing, Why
from headrace.vip.plan.preference import level
from tests.harness.announcing import AnnouncingSite
from tests.harness.best_path import Router
from tests.unit.vip.plan.sites import NOW, a_server, a_site, names_of

GOOD = {Soundness.SOUND, Soundness.DEGRADED}
VERDICTS = st.one_of(
    st.sampled_from(
        [
            Verdict(Soundness.SOUND, for_s=100.0),
            Verdict(Soundness.SOUND, damped=True, for_s=100.0),
            Verdict(Soundness.DEGRADED, for_s=100.0),
            Verdict(Soundness.FAILED),
            Verdict(Soundness.UNKNOWN),
        ]
    )
)
DRAINS = st.sampled_from([None, None, AdminState.DRAINING, AdminState.WITHDRAWN])


@st.composite
def announces(draw: st.DrawFn) -> Announce:
    """Return some way to announce."""
    neighbours = draw(st.integers(0, 3))
    by = draw(st.sampled_from(PreferBy))
    more = draw(st.booleans()) if by is PreferBy.COMMUNITY else False
    communities = tuple(f"64500:{100 - rank}" for rank in range(neighbours + 1 + more))
    return Announce(
        neighbours,
        by,
        med=draw(st.integers(0, 1000)),
        med_step=draw(st.integers(1, 1000)),
        prepend=draw(st.integers(1, 4)),
        communities=communities if by is PreferBy.COMMUNITY else (),
        graceful_shutdown=draw(st.booleans()),
        linger_s=draw(st.sampled_from([0.0, 10.0])),
    )


@st.composite
def topologies(draw: st.DrawFn, least: int = 1) -> Topology:
    """Return a network of one site. VIPs are far enough from each other for any preference."""
    count = draw(st.integers(least, 5))
    servers = [a_server(name, draw(st.integers(0, 3))) for name in names_of(count)]
    return a_site(servers, draw(announces()))


def router_of(topology: Topology, *, honours_shutdown: bool = True) -> Router:
    return Router(topology.sites[0].announce.communities, honours_shutdown)


def planned(site: AnnouncingSite) -> Iterator[tuple[str, PlannedVip]]:
    for name, one in site.servers.items():
        for each in one.plan.vips:
            yield name, each


def candidates(site: AnnouncingSite, vip: Address) -> tuple[str, ...]:
    return next(iter(site.servers.values())).order.vips[vip].names


@st.composite
def sites(draw: st.DrawFn) -> AnnouncingSite:
    """Return a site some time after orders and failures, in which all have seen everything."""
    topology = draw(topologies())
    site = AnnouncingSite(topology, NOW)
    site.settle()
    for name, one in site.servers.items():
        one.verdict = draw(VERDICTS)
        site.drain(name, draw(DRAINS))
        one.connections = draw(st.sampled_from([None, 0, 5]))
    for _turn in range(draw(st.integers(1, 4))):
        site.now += draw(st.sampled_from([1.0, 6.0, 11.0]))
        site.settle()
    return site


@given(sites(), st.booleans())
@settings(max_examples=150)
def test_each_vip_has_exactly_one_best_announcer_while_any_candidate_is_sound(
    site: AnnouncingSite, honours: bool
) -> None:
    order = next(iter(site.servers.values())).order
    router = Router(order.site.announce.communities, honours)
    routes = site.routes()
    for vip, each in order.vips.items():
        able = [name for name in each.names if site.servers[name].verdict.soundness in GOOD]
        best = router.equally_good(vip, routes)
        assert len(best) == (1 if able else 0)
        if able:
            standings = {
                name: (one.standing, one.rank) for name, one in planned(site) if one.vip == vip
            }
            assert standings[best[0]] == min(standings.values())


@given(sites())
@settings(max_examples=60)
def test_nothing_is_announced_without_a_check_that_passed(site: AnnouncingSite) -> None:
    for name, one in planned(site):
        if one.announcement is not None:
            assert site.servers[name].verdict.soundness in GOOD
        else:
            assert one.standing is Standing.OUT


@given(sites())
@settings(max_examples=60)
def test_plans_fit_together_no_two_are_alike_good(site: AnnouncingSite) -> None:
    announce = next(iter(site.servers.values())).order.site.announce
    levels: dict[Address, list[int]] = {}
    for _name, one in planned(site):
        if one.standing is not Standing.OUT:
            levels.setdefault(one.vip, []).append(level(announce, one.standing, one.rank))
    assert all(len(set(found)) == len(found) for found in levels.values())


@given(topologies(least=2), st.data())
@settings(max_examples=60)
def test_who_fails_changes_nothing_of_what_others_announce(
    topology: Topology, data: st.DataObject
) -> None:
    """Neighbours announce before, so that nobody has to learn of it: the router chooses."""
    site = AnnouncingSite(topology, NOW)
    site.settle()
    before, router = site.routes(), router_of(topology)
    name = data.draw(st.sampled_from(sorted(site.servers)))
    had = {
        vip: router.chosen(vip, before) for one in topology.servers for v in one.vips
        for vip in v.addresses
    }  # fmt: skip
    site.servers[name].verdict = Verdict(Soundness.FAILED)
    site.settle()
    after = site.routes()
    assert after.pop(name) == frozenset()
    assert after == {other: its for other, its in before.items() if other != name}
    for vip, who in had.items():
        names = candidates(site, vip)
        expected = who if who != name else (names[1] if len(names) > 1 else None)
        assert router.chosen(vip, after) == expected


@given(topologies(least=2), st.data())
@settings(max_examples=60)
def test_who_drains_changes_its_own_announcements_only(
    topology: Topology, data: st.DataObject
) -> None:
    site = AnnouncingSite(topology, NOW)
    site.settle()
    before = site.routes()
    name = data.draw(st.sampled_from(sorted(site.servers)))
    site.drain(name)
    for _step in range(data.draw(st.integers(1, 30))):
        site.now += 1
        site.settle()
    after = site.routes()
    assert {k: v for k, v in after.items() if k != name} == {
        k: v for k, v in before.items() if k != name
    }


@given(topologies(least=2))
@settings(max_examples=40)
def test_an_announcement_says_why(topology: Topology) -> None:
    site = AnnouncingSite(topology, NOW)
    site.settle()
    for name, one in planned(site):
        assert one.why is (Why.OWNER if one.owner == name else Why.NEIGHBOUR)
