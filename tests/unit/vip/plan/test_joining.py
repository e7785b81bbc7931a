"""A server that routers hear only since a moment ago leaves neighbours' VIPs with whoever has them:
servers that start together would else hand them on before their owners know.
"""

from __future__ import annotations

from itertools import permutations

import pytest

from headrace.bgp.announcement import Family
from headrace.topology.model import AdminState
from headrace.topology.vips import Announce
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.hearing import JOINS_S
from headrace.vip.plan.model import Address, Drain, Held, Memory, Phase, Plan, Standing, Why
from headrace.vip.plan.order import site_order
from headrace.vip.plan.plan import Known, plan
from headrace.vip.plan.wanted import Order
from tests.unit.vip.plan.sites import NOW, SOUND, a_server, a_site, all_sound, names_of

SITE = a_site(map(a_server, names_of(3)), Announce(neighbours=2))
ORDER = site_order(SITE, "north")
BOTH = frozenset(Family)
STEP_S = 0.1
SETTLED_S = 2 * JOINS_S + 2 * STEP_S


class Starting:
    """Servers of one site; a router hears each from some time on, and takes the best route."""

    def __init__(self, *, stays: bool = False) -> None:
        self.now = NOW
        self.up_at: dict[str, float] = {}
        self._stays = stays
        self.memories: dict[str, Memory | None] = {}
        self.set_back_s: dict[str, float] = {}
        self.own: dict[str, Order] = {}
        self.verdicts = dict.fromkeys(all_sound(SITE), SOUND)

    def plans(self) -> dict[str, Plan]:
        """Let each server that runs plan now."""
        found = {}
        for name, at in self.up_at.items():
            known = Known(
                ORDER,
                name,
                self.verdicts,
                up=BOTH if self.now >= at else frozenset(),
                own=self.own.get(name),
                stays=self._stays,
            )
            clock = self.now - self.set_back_s.get(name, 0.0)
            found[name], self.memories[name] = plan(known, self.memories.get(name), clock)
        return found

    def routes(self) -> dict[Address, str]:
        """Return to whom the router sends each VIP now."""
        best: dict[Address, tuple[int, str]] = {}
        for name, one in self.plans().items():
            if self.now >= self.up_at[name]:
                for each in one.vips:
                    if each.announcement is not None:
                        offer = (each.announcement.med or 0, name)
                        best[each.vip] = min(best.get(each.vip, offer), offer)
        return {vip: name for vip, (_med, name) in best.items()}

    def moves(self, seconds: float) -> dict[Address, list[str]]:
        """Return by VIP where it went, one after the other."""
        found: dict[Address, list[str]] = {}
        for _step in range(round(seconds / STEP_S)):
            for vip, name in self.routes().items():
                went = found.setdefault(vip, [])
                if went[-1:] != [name]:
                    went.append(name)
            self.now += STEP_S
        return found


@pytest.mark.parametrize("apart_s", [0.0, 0.3, JOINS_S - 2 * STEP_S])
def test_servers_that_return_together_take_their_own_vips_and_no_others(apart_s: float) -> None:
    site = Starting()
    site.up_at["n3"] = NOW
    site.moves(SETTLED_S)
    site.up_at |= {"n1": site.now + 1.0, "n2": site.now + 1.0 + apart_s}
    moves = site.moves(SETTLED_S)
    owners = {vip: one.owner for vip, one in ORDER.vips.items()}
    assert set(moves) == set(owners)
    for vip, went in moves.items():
        assert went == (["n3"] if owners[vip] == "n3" else ["n3", owners[vip]])


def test_a_server_that_returns_alone_takes_a_dead_owners_vip_a_moment_later() -> None:
    site = Starting()
    site.up_at["n3"] = NOW
    site.moves(SETTLED_S)
    returns_at = site.now
    site.up_at["n1"] = returns_at
    lent = [vip for vip, one in ORDER.vips.items() if one.names[:2] == ("n2", "n1")]
    assert lent
    at_once = site.moves(JOINS_S - STEP_S)
    assert all(at_once[vip] == ["n3"] for vip in lent)
    later = site.moves(1.0)
    assert all(later[vip][-1] == "n1" for vip in lent)


def test_a_server_that_is_alone_announces_all_at_once() -> None:
    site = Starting()
    site.up_at["n1"] = NOW
    assert set(site.routes()) == set(ORDER.vips)


def test_what_routers_keep_over_a_restart_is_announced_as_it_was() -> None:
    site = Starting(stays=True)
    site.up_at["n1"] = NOW
    assert {one.standing for one in site.plans()["n1"].vips} == {Standing.SERVING}


def test_a_check_that_failed_and_an_own_vip_go_before() -> None:
    site = Starting()
    site.up_at["n1"] = NOW
    lent = next(vip for vip, one in ORDER.vips.items() if one.owner == "n2")
    site.verdicts[lent] = Verdict(Soundness.FAILED)
    found = {one.vip: one.why for one in site.plans()["n1"].vips}
    assert found[lent] is Why.FAILED
    assert set(found.values()) == {Why.FAILED, Why.JOINS, Why.OWNER}


@pytest.mark.parametrize("apart_s", [0.5, JOINS_S - 2 * STEP_S])
@pytest.mark.parametrize("names", list(permutations(names_of(3), 2)))
def test_of_two_that_start_together_a_vip_goes_to_the_better_one_and_stays(
    names: tuple[str, str], apart_s: float
) -> None:
    """Also that of the third, which is dead."""
    site = Starting()
    site.up_at = dict(zip(names, (NOW, NOW + apart_s), strict=True))
    moves = site.moves(apart_s + SETTLED_S)
    assert set(moves) == set(ORDER.vips)
    for vip, went in moves.items():
        better = min(names, key=ORDER.vips[vip].names.index)
        assert went in ([better], [names[0], better])


@pytest.mark.parametrize("set_back_s", [0.5, SETTLED_S - 1.0, 86_400.0])
def test_a_clock_that_is_set_back_moves_nothing(set_back_s: float) -> None:
    site = Starting()
    site.up_at = {"n1": NOW, "n3": NOW}
    before = site.moves(SETTLED_S)
    site.set_back_s["n1"] = set_back_s
    assert {vip: [went[-1]] for vip, went in before.items()} == site.moves(JOINS_S)


def test_a_server_that_starts_as_it_leaves_takes_no_neighbours_vips() -> None:
    site = Starting()
    site.up_at["n3"] = NOW
    site.moves(SETTLED_S)
    site.memories["n1"] = Memory(drain=Drain(Phase.LINGERING, site.now))
    site.own["n1"] = Order(AdminState.DRAINING)
    site.up_at["n1"] = site.now
    for vip, went in site.moves(1.0).items():
        assert went == (["n1"] if ORDER.vips[vip].owner == "n1" else ["n3"])


def test_a_server_that_starts_after_a_new_description_leaves_what_was_its_neighbours() -> None:
    """Others have it, and would be worse for as long as they start themselves."""
    site = Starting()
    site.up_at["n1"] = NOW
    former = a_server("n9").vips[0].ipv4
    assert former is not None
    site.verdicts[former] = SOUND
    site.memories["n1"] = Memory(held={former: Held("n9", 1, NOW + 30.0)})
    found = {one.vip: (one.standing, one.why) for one in site.plans()["n1"].vips}
    assert found[former] == (Standing.WORSE, Why.JOINS)
    site.now += JOINS_S
    found = {one.vip: (one.standing, one.why) for one in site.plans()["n1"].vips}
    assert found[former] == (Standing.LEAVING, Why.LEAVING)
