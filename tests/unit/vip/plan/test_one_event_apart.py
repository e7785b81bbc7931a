"""Servers of a site that do not know the same yet: some have a new description or view, some an old
one. No VIP may be left unannounced between them.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from headrace.topology.model import AdminState, Topology
from headrace.topology.view import NO_VIEW, Cause, ServerState, ServerView, View
from headrace.topology.vips import Announce
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.model import Address
from headrace.vip.plan.order import SiteOrder, site_order
from headrace.vip.plan.plan import HOLD_S
from tests.harness.announcing import SITE, AnnouncingSite, Planner
from tests.unit.vip.plan.sites import NOW, a_server, a_site, names_of

SOUND = Verdict(Soundness.SOUND, for_s=100.0)
FAILED = Verdict(Soundness.FAILED)


@st.composite
def changes(draw: st.DrawFn) -> tuple[Topology, Topology]:
    """Return a description and another that differs by one event."""
    count = draw(st.integers(2, 5))
    servers = [a_server(name, draw(st.integers(1, 3))) for name in names_of(count)]
    announce = Announce(draw(st.integers(1, 2)), linger_s=draw(st.sampled_from([0.0, 10.0])))
    at = draw(st.integers(0, count - 1))
    one = servers[at]
    state = draw(st.sampled_from([AdminState.DRAINING, AdminState.WITHDRAWN]))
    changed = {
        "joins": [*servers, a_server("n9", draw(st.integers(0, 3)))],
        "leaves": servers[:at] + servers[at + 1 :],
        "is to leave": [replace(each, state=state) if each is one else each for each in servers],
        "is larger": [
            replace(each, capacity_bps=4 * one.capacity_bps) if each is one else each
            for each in servers
        ],
        "has another VIP": [
            replace(each, vips=(*each.vips, *a_server("x9").vips)) if each is one else each
            for each in servers
        ],
    }[draw(st.sampled_from(["joins", "leaves", "is to leave", "is larger", "has another VIP"]))]
    more = replace(announce, neighbours=draw(st.sampled_from([1, 2])))
    before, after = a_site(servers, announce), a_site(changed, announce)
    if draw(st.booleans()):
        after = a_site(servers, more)
    return (after, before) if draw(st.booleans()) else (before, after)


def vips_of(topology: Topology) -> set[Address]:
    return {each for one in topology.servers for vip in one.vips for each in vip.addresses}


def adopt(site: AnnouncingSite, name: str, topology: Topology) -> None:
    """Let a server have another description. One that is new to the site begins with it."""
    order = site_order(topology, SITE)
    if name in site.servers:
        site.servers[name].order = order
    else:
        site.servers[name] = Planner(name, order, SOUND)


@given(changes(), st.data())
@settings(max_examples=60)
def test_between_two_descriptions_no_vip_is_left_whoever_fails(
    both: tuple[Topology, Topology], data: st.DataObject
) -> None:
    """Every VIP of both is announced at each moment by somebody who serves, while any that either
    description names a candidate for it does."""
    before, after = both
    site = AnnouncingSite(before, NOW)
    site.settle()
    names = sorted({one.name for one in (*before.servers, *after.servers)})
    vips = vips_of(before) & vips_of(after)
    old, new = site_order(before, SITE), site_order(after, SITE)
    dead = data.draw(st.sampled_from([None, *names]))
    changing = data.draw(st.permutations(names))
    fails_at = data.draw(st.integers(0, len(names)))
    for turn, name in enumerate([*changing, None]):
        if turn == fails_at and dead in site.servers:
            site.servers[dead].verdict = FAILED
            site.settle()  # one that has been withdrawn returns when it has seen this
        check(site, vips, dead if turn >= fails_at else None, (old, new))
        if name is None:
            break
        site.now += data.draw(st.sampled_from([0.0, 3.0, 6.0])) if turn < HOLD_S / 6 else 0.0
        adopt(site, name, after)
        if name == dead and turn >= fails_at:
            site.servers[name].verdict = FAILED
        order = data.draw(st.permutations(sorted(site.servers)))
        for each in order:
            site.check(each)
        for each in order:
            site.step(each)


def check(
    site: AnnouncingSite, vips: set[Address], dead: str | None, orders: tuple[SiteOrder, ...]
) -> None:
    """Check that each VIP is announced, if anybody that either order names for it can."""
    for vip in vips:
        named = {name for order in orders for name in order.vips[vip].names}
        if named & set(site.servers) - {dead}:
            assert site.announcers(vip), (vip, named, dead)


@st.composite
def views(draw: st.DrawFn) -> tuple[Topology, View, View]:
    """Return a site, a view of it, and another that says otherwise of one server."""
    count = draw(st.integers(2, 5))
    topology = a_site(
        [a_server(name, 2) for name in names_of(count)],
        Announce(draw(st.integers(1, 2)), linger_s=draw(st.sampled_from([0.0, 10.0]))),
    )
    states = st.builds(
        ServerView,
        st.sampled_from(ServerState),
        cause=st.sampled_from(Cause),
        until=st.sampled_from([None, NOW + 3.0, NOW + 20.0]),
    )
    before = {name: draw(states) for name in names_of(count)}
    name = draw(st.sampled_from(names_of(count)))
    after = {**before, name: draw(states)}
    # Who orders all of a site out gets that: nobody is to announce it then.
    for view in (before, after):
        assume(
            not all(
                one.state is ServerState.FAILED and one.cause is Cause.ORDERED
                for one in view.values()
            )
        )
    return topology, View(1, servers=before), View(2, servers=after)


@given(views(), st.data())
@settings(max_examples=25)
def test_between_two_views_no_vip_is_left(
    case: tuple[Topology, View, View], data: st.DataObject
) -> None:
    topology, before, after = case
    site = AnnouncingSite(topology, NOW)
    site.settle()
    for view in (NO_VIEW, before, after):
        for name in data.draw(st.permutations(sorted(site.servers))):
            site.servers[name].view = view
            for _step in range(data.draw(st.integers(1, 2))):
                site.now += data.draw(st.sampled_from([0.0, 1.0, 6.0]))
                for each in data.draw(st.permutations(sorted(site.servers))):
                    site.check(each)
                    site.step(each)
                    for vip in vips_of(topology):
                        assert site.announcers(vip)


def test_who_loses_a_place_keeps_it_until_who_gets_it_has_had_time_to_learn_of_it() -> None:
    """The worst case of each VIP that gets another neighbour: its owner is dead, and those who lose
    their places have the new description long before those who get them."""
    changed = 0
    announce = Announce(1)
    for count in range(2, 7):
        servers = [a_server(name, 2) for name in names_of(count)]
        before, after = a_site(servers, announce), a_site([*servers, a_server("n9")], announce)
        old, new = site_order(before, SITE), site_order(after, SITE)
        for vip, was in old.vips.items():
            (loses,) = was.names[1:]
            if new.vips[vip].names == was.names:
                continue
            changed += 1
            site = AnnouncingSite(before, NOW)
            site.settle()
            site.servers[was.owner].verdict = FAILED
            site.step(was.owner)
            site.servers[loses].order = new
            for after_s in (0.0, 1.0, HOLD_S - 2.0):
                site.now = NOW + after_s
                site.step(loses)
                assert set(site.announcers(vip)) == {loses}
            gains = new.vips[vip].names[1]
            site.servers.setdefault(gains, Planner(gains, new, SOUND)).order = new
            site.step(gains)
            site.now = NOW + HOLD_S + 1.0
            site.step(loses)
            assert set(site.announcers(vip)) == {gains}
    assert changed > 2
