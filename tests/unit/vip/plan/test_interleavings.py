"""Every order in which events, checks of neighbours and plans can come at three servers.

Events of a server come in their sequence; everything else in any. Time passes in steps that are as
long as a check of a neighbour counts, so that each may be used at its very end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from headrace.topology.model import AdminState, Topology
from headrace.topology.vips import Announce
from headrace.vip.plan.floor import NEIGHBOUR_AGE_S
from headrace.vip.plan.model import Memory
from headrace.vip.plan.order import site_order
from tests.harness.announcing import SITE, AnnouncingSite, Planner
from tests.unit.vip.plan.sites import NOW, a_server, a_site, names_of

NAMES = names_of(3)
SERVERS = [a_server(name, 2) for name in NAMES]
USUAL = a_site(SERVERS, Announce(1, linger_s=0.0, drain_s=5.0))
WITHOUT_N1 = a_site(
    [replace(SERVERS[0], state=AdminState.WITHDRAWN), *SERVERS[1:]], USUAL.sites[0].announce
)
FEWEST_STATES = 500

Event = AdminState | Topology | None
SCRIPTS: dict[str, dict[str, list[Event]]] = {
    "two drain": {"n1": [AdminState.DRAINING], "n2": [AdminState.DRAINING]},
    "a description withdraws one as another drains": {
        "n1": [WITHOUT_N1],
        "n2": [WITHOUT_N1, AdminState.WITHDRAWN],
    },
}


def copied(site: AnnouncingSite) -> AnnouncingSite:
    """Return a site that goes its own way from now on."""
    found = AnnouncingSite(USUAL, site.now)
    found.servers = {
        name: replace(one, neighbours=dict(one.neighbours)) for name, one in site.servers.items()
    }
    return found


def key(site: AnnouncingSite) -> object:
    """Return what tells two states apart: ages, and none that makes no difference."""

    def age(at: float) -> float:
        return min(site.now - at, 4 * NEIGHBOUR_AGE_S)

    def of(one: Planner) -> object:
        memory = one.memory or Memory()
        seen = sorted(
            (
                name,
                each.soundness.value,
                each.leaving,
                age(each.at) <= NEIGHBOUR_AGE_S,
                age(each.at),
            )
            for name, each in one.neighbours.items()
            if age(each.at) <= NEIGHBOUR_AGE_S
        )
        standings = tuple(each.standing for each in one.plan.vips)
        drain = (memory.drain.phase, age(memory.drain.since))
        return (one.name, one.own, id(one.order), standings, drain, tuple(map(str, seen)))

    return tuple(of(one) for one in site.servers.values())


def moves(
    site: AnnouncingSite, done: tuple[int, ...], script: dict[str, list[Event]], ticks: int
) -> Iterator[tuple[AnnouncingSite, tuple[int, ...], int]]:
    """Yield each state that can be next."""
    for place, name in enumerate(NAMES):
        if name not in script:  # it plans the same whatever it sees
            continue
        events = script[name]
        if done[place] < len(events):
            after = copied(site)
            happen(after, name, events[done[place]])
            yield after, (*done[:place], done[place] + 1, *done[place + 1 :]), ticks
        after = copied(site)
        after.check(name)
        yield after, done, ticks
        after = copied(site)
        after.step(name)
        yield after, done, ticks
    if ticks:
        after = copied(site)
        after.now += NEIGHBOUR_AGE_S
        yield after, done, ticks - 1


ORDERS = {id(one): site_order(one, SITE) for one in (USUAL, WITHOUT_N1)}


def happen(site: AnnouncingSite, name: str, event: Event) -> None:
    match event:
        case Topology():
            site.servers[name].order = ORDERS[id(event)]
        case _:
            site.drain(name, event)


def start() -> AnnouncingSite:
    site = AnnouncingSite(USUAL, NOW)
    for one in site.servers.values():
        one.order = ORDERS[id(USUAL)]
    site.settle()
    return site


def explored(script: dict[str, list[Event]], ticks: int) -> Iterator[AnnouncingSite]:
    """Yield every state that can come."""
    first = (start(), (0,) * len(NAMES), ticks)
    known = {(key(first[0]), first[1], ticks)}
    waiting = [first]
    while waiting:
        state = waiting.pop()
        yield state[0]
        for after in moves(state[0], state[1], script, state[2]):
            which = (key(after[0]), after[1], after[2])
            if which not in known:
                known.add(which)
                waiting.append(after)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_no_order_of_events_leaves_a_vip_unannounced(script: dict[str, list[Event]]) -> None:
    vips = list(ORDERS[id(USUAL)].vips)
    count = 0
    for site in explored(script, 3):
        count += 1
        for vip in vips:
            assert site.announcers(vip), (vip, {n: o.plan.vips for n, o in site.servers.items()})
    assert count > FEWEST_STATES
