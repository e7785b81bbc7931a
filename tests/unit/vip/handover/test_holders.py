"""Who has each VIP now, as a server sees it."""

from __future__ import annotations

from dataclasses import replace

from headrace.topology.model import AdminState
from headrace.vip.announced import heard
from headrace.vip.handover.holders import holders, unless
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


def test_those_before_the_holder_of_whom_nothing_is_known_may_have_it() -> None:
    mine = planned("n1")[0]
    for soundness in (Soundness.UNKNOWN, Soundness.DEGRADED):
        others = {"n2": seen("n2"), "n3": Neighbour(soundness, NOW)}
        has = holders(ORDER, mine, others)
        found = unless(ORDER, "n1", has, others)
        assert found
        for vip, candidates in ORDER.vips.items():
            names = candidates.names
            is_before = names.index("n3") < names.index(has[vip])
            assert found.get(vip, ()) == (("n3",) if is_before else ())


def test_of_those_that_were_not_asked_yet_nothing_is_known() -> None:
    has = holders(ORDER, planned("n1")[0], {})
    found = unless(ORDER, "n1", has, {})
    for vip, candidates in ORDER.vips.items():
        names = candidates.names
        assert found.get(vip, ()) == tuple(names[: names.index("n1")])
    nobodys = unless(ORDER, "n1", dict.fromkeys(ORDER.vips, ""), {})
    assert {frozenset(names) for names in nobodys.values()} == {frozenset(("n2", "n3"))}


def test_who_answers_or_has_failed_is_in_no_doubt() -> None:
    failed = replace(seen("n3"), soundness=Soundness.FAILED, announces=None)
    others = {"n2": seen("n2"), "n3": failed}
    assert unless(ORDER, "n1", holders(ORDER, planned("n1")[0], others), others) == {}
