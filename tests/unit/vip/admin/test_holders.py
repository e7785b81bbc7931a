"""Who has each VIP now, as a server sees it."""

from __future__ import annotations

from dataclasses import replace

from headrace.topology.model import AdminState
from headrace.vip.admin.holders import holders
from headrace.vip.announced import heard
from headrace.vip.plan.floor import Neighbour, announces_worse, said_to_neighbours
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.model import Memory, Plan
from headrace.vip.plan.order import SiteOrder, site_order
from headrace.vip.plan.plan import Known, plan
from headrace.vip.plan.wanted import Order
from tests.unit.vip.plan.sites import NOW, SOUND, a_server, a_site, names_of

ORDER = site_order(a_site([a_server(name) for name in names_of(3)]), "north")


def planned(name: str, own: Order | None = None, order: SiteOrder = ORDER) -> tuple[Plan, Memory]:
    known = Known(order, name, dict.fromkeys(order.vips, SOUND), own=own)
    found, memory = plan(known, None, NOW)
    for second in range(1, 120):
        found, memory = plan(known, memory, NOW + second)
    return found, memory


def seen(name: str, own: Order | None = None) -> Neighbour:
    found, memory = planned(name, own)
    leaving, announces = said_to_neighbours(found, memory)
    worse = frozenset(one.vip for one in found.vips if announces_worse(one))
    return Neighbour(Soundness.SOUND, NOW, leaving, announces, worse=worse)


def test_while_all_is_well_owners_have_their_vips() -> None:
    others = {name: seen(name) for name in ("n2", "n3")}
    found = holders(ORDER, planned("n1")[0], others)
    assert found == {vip: ORDER.vips[vip].owner for vip in ORDER.vips}


def test_of_one_that_fails_or_leaves_the_next_in_order_has_them() -> None:
    third = seen("n3")
    failed = replace(third, soundness=Soundness.FAILED, announces=None)
    for other in (failed, seen("n3", Order(AdminState.DRAINING))):
        found = holders(ORDER, planned("n1")[0], {"n2": seen("n2"), "n3": other})
        for vip, candidates in ORDER.vips.items():
            names = [name for name in candidates.names if name != "n3"]
            assert found[vip] == names[0]


def test_what_no_router_hears_does_not_count() -> None:
    deaf = heard(planned("n1")[0], ())
    found = holders(ORDER, deaf, {name: seen(name) for name in ("n2", "n3")})
    assert "n1" not in found.values()
    assert set(holders(ORDER, deaf, {}).values()) == {""}


def test_one_whose_checks_fail_has_nothing() -> None:
    failed = Verdict(Soundness.FAILED, why="no answer")
    found, _memory = plan(Known(ORDER, "n1", dict.fromkeys(ORDER.vips, failed)), None, NOW)
    has = holders(ORDER, found, {name: seen(name) for name in ("n2", "n3")})
    assert "n1" not in has.values()
