"""A server that routers hear only since a moment ago leaves neighbours' VIPs with whoever has them:
servers that start together would else hand them on before their owners know.
"""

from __future__ import annotations

import pytest

from headrace.bgp.announcement import Family
from headrace.topology.vips import Announce
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.hearing import JOINS_S
from headrace.vip.plan.model import Address, Memory, Plan, Standing, Why
from headrace.vip.plan.order import site_order
from headrace.vip.plan.plan import Known, plan
from tests.unit.vip.plan.sites import NOW, SOUND, a_server, a_site, all_sound, names_of

SITE = a_site(map(a_server, names_of(3)), Announce(neighbours=2))
ORDER = site_order(SITE, "north")
BOTH = frozenset(Family)
STEP_S = 0.1


class Starting:
    """Servers of one site; a router hears each from some time on, and takes the best route."""

    def __init__(self, *, stays: bool = False) -> None:
        self.now = NOW
        self.up_at: dict[str, float] = {}
        self._stays = stays
        self._memories: dict[str, Memory | None] = {}
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
                stays=self._stays,
            )
            found[name], self._memories[name] = plan(known, self._memories.get(name), self.now)
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
    site.moves(2 * JOINS_S)
    site.up_at |= {"n1": site.now + 1.0, "n2": site.now + 1.0 + apart_s}
    moves = site.moves(4 * JOINS_S)
    owners = {vip: one.owner for vip, one in ORDER.vips.items()}
    assert set(moves) == set(owners)
    for vip, went in moves.items():
        assert went == (["n3"] if owners[vip] == "n3" else ["n3", owners[vip]])


def test_a_server_that_returns_alone_takes_a_dead_owners_vip_a_moment_later() -> None:
    site = Starting()
    site.up_at["n3"] = NOW
    site.moves(2 * JOINS_S)
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
