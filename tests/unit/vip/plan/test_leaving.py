"""Servers that drain, leave and return, in any order, while they know of each other what they saw a
while ago.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.topology.model import AdminState
from headrace.topology.vips import Announce
from headrace.vip.plan.floor import NEIGHBOUR_AGE_S
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.model import Standing
from tests.harness.announcing import AnnouncingSite
from tests.harness.best_path import Router
from tests.unit.vip.plan.sites import NOW, a_server, a_site, names_of

NAMES = st.sampled_from(names_of(3))
ACTIONS = st.one_of(
    st.tuples(st.just("check"), NAMES),
    st.tuples(st.just("step"), NAMES),
    st.tuples(st.just("step"), NAMES),
    st.tuples(st.just("drain"), NAMES),
    st.tuples(st.just("withdraw"), NAMES),
    st.tuples(st.just("return"), NAMES),
    st.tuples(st.just("ended"), NAMES),
    st.tuples(st.just("busy"), NAMES),
    st.tuples(st.just("pass"), st.sampled_from([0.4, 1.0, 2.9, 5.0, 11.0])),
)


def act(site: AnnouncingSite, what: str, of: str | float) -> None:
    """Let one thing happen. Nobody stays stopped for long: time passes with all of them planning,
    each second."""
    if isinstance(of, float):
        site.now += of
        return
    match what:
        case "check":
            site.check(of)
        case "step":
            site.step(of)
        case "drain":
            site.drain(of)
        case "withdraw":
            site.drain(of, AdminState.WITHDRAWN)
        case "return":
            site.drain(of, None)
        case "ended" | "busy":
            site.servers[of].connections = 0 if what == "ended" else 7


def a_fresh_site(neighbours: int, linger_s: float, *, says_vips: bool) -> AnnouncingSite:
    servers = [a_server(name, 2) for name in names_of(3)]
    announce = Announce(neighbours, linger_s=linger_s)
    site = AnnouncingSite(a_site(servers, announce), NOW, says_vips=says_vips)
    site.settle()
    return site


SITES = st.builds(
    a_fresh_site, st.integers(1, 2), st.sampled_from([0.0, 10.0]), says_vips=st.booleans()
)


@given(SITES, st.lists(ACTIONS, max_size=40))
@settings(max_examples=100)
def test_while_all_are_sound_no_moment_is_without_an_announcer(
    site: AnnouncingSite, actions: list[tuple[str, str | float]]
) -> None:
    """Whatever operators order of whom, however late it is seen: and who is out is so since another
    was better, or as good."""
    vips = list(next(iter(site.servers.values())).order.vips)
    for what, of in actions:
        act(site, what, of)
        for vip in vips:
            assert site.announcers(vip)


@given(SITES, st.lists(ACTIONS, max_size=40), st.lists(NAMES, max_size=2))
@settings(max_examples=60)
def test_after_failures_all_is_announced_as_soon_as_neighbours_were_checked(
    site: AnnouncingSite, actions: list[tuple[str, str | float]], fail: list[str]
) -> None:
    """One that left returns when the others fail, as the last."""
    for what, of in actions:
        act(site, what, of)
    for name in fail:
        site.servers[name].verdict = Verdict(Soundness.FAILED)
    site.settle()
    router = Router()
    for vip, each in next(iter(site.servers.values())).order.vips.items():
        if set(each.names) - set(fail):
            assert len(router.equally_good(vip, site.routes())) == 1
        else:
            assert not site.announcers(vip)


@given(SITES, st.lists(ACTIONS, max_size=30), NAMES)
@settings(max_examples=60)
def test_a_server_is_withdrawn_only_after_it_was_worse_than_another_for_a_time(
    site: AnnouncingSite, actions: list[tuple[str, str | float]], watched: str
) -> None:
    """No router is left without a route: between best and nothing lies a time with both."""
    worse_since: dict[object, float | None] = {}
    for what, of in actions:
        before = {one.vip: one.standing for one in site.servers[watched].plan.vips}
        act(site, what, of)
        for one in site.servers[watched].plan.vips:
            if one.standing is Standing.WORST:
                worse_since[one.vip] = worse_since.get(one.vip) or site.now
            elif one.standing is not Standing.OUT:
                worse_since[one.vip] = None
            elif before[one.vip] is not Standing.OUT:
                since = worse_since[one.vip]
                assert since is not None
                assert site.now - since > NEIGHBOUR_AGE_S
