"""Who may know a connection: the rules one by one."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from headrace.topology.model import Site
from headrace.vip.handover.holding import (
    NOBODY,
    Holding,
    Port,
    but_for_cut,
    in_doubt,
    keeps_connections,
    next_failing,
    next_holding,
    next_holdings,
    next_ports,
    nobody_answers,
    onward,
    targets,
    with_ports,
)
from headrace.vip.plan.floor import Neighbour
from headrace.vip.plan.health import Soundness
from headrace.vip.plan.model import Plan, Standing
from headrace.vip.plan.order import Candidates, SiteOrder
from tests.unit.vip.test_announced import planned

VIP = ip_address("192.0.2.1")
NOW, KEEP_S, PATIENCE_S = 1000.0, 60.0, 3.0
ORDER = SiteOrder(Site("north"), {}, {VIP: Candidates("a", 0, ("a", "b", "c"))})
SOUND = Soundness.SOUND


def says(
    *, announces: bool = True, takes: int | None = 8094, at: float = NOW, to: str = ""
) -> Neighbour:
    """What a sound server says of the VIP."""
    vips = frozenset({VIP} if announces else ())
    return Neighbour(SOUND, at, False, vips, takes, {VIP: to} if to else {})


def test_who_had_it_before_is_remembered_for_a_while() -> None:
    at_a = next_holding(NOBODY, "a", NOW, KEEP_S)
    assert at_a == Holding("a")
    at_b = next_holding(at_a, "b", NOW, KEEP_S)
    assert at_b == Holding("b", (("a", NOW + KEEP_S),))
    assert next_holding(at_b, "b", NOW + 59, KEEP_S) == at_b
    assert next_holding(at_b, "b", NOW + 60, KEEP_S) == Holding("b")
    # The latest is the first, and nobody is there twice.
    back = next_holding(at_b, "a", NOW + 1, KEEP_S)
    assert back == Holding("a", (("b", NOW + 61),))
    third = next_holding(at_b, "c", NOW + 1, KEEP_S)
    assert third.past == (("b", NOW + 61), ("a", NOW + 60))


def test_where_nobody_has_it_the_last_one_does() -> None:
    assert next_holding(Holding("a"), "", NOW, KEEP_S) == Holding("a")


def test_a_clock_that_was_set_back_keeps_nothing_for_ever() -> None:
    at_b = Holding("b", (("a", NOW + KEEP_S),))
    assert next_holding(at_b, "b", NOW - 10_000, KEEP_S) == Holding("b")


def test_a_server_that_starts_had_nothing() -> None:
    """What it announces at once, another one had until now."""
    plan = Plan("a")
    found = next_holdings(ORDER, plan, {"b": says(), "c": says()}, {}, NOW, KEEP_S)
    assert found[VIP] == Holding("b")


def test_who_was_cut_off_waits_for_the_word_of_those_that_may_have_it() -> None:
    mine = Plan("a", (planned("192.0.2.1"),))
    silent = {name: Neighbour(Soundness.FAILED, NOW) for name in "bc"}
    assert nobody_answers(silent)
    assert not nobody_answers({**silent, "c": says()})
    doubtful = doubtful_of(silent, NOW)
    others = but_for_cut(silent, doubtful, dict.fromkeys("bc", Port(8094, NOW)))
    out = next_holdings(ORDER, Plan("a"), others, {VIP: Holding("a")}, NOW, KEEP_S, doubtful)
    assert targets(ORDER, "a", out, others) == {VIP: "b"}
    # The one that answers first need not be the one that has it.
    others["c"] = says(at=NOW + 1)
    out = next_holdings(ORDER, Plan("a"), others, out, NOW + 1, KEEP_S, {"b"})
    assert out[VIP] == Holding("a", unsure=True)
    assert targets(ORDER, "a", out, others) == {VIP: "b"}
    others["b"] = says(announces=False, at=NOW + 2)
    back = next_holdings(ORDER, mine, others, out, NOW + 2, KEEP_S)
    assert back[VIP] == Holding("a", (("c", NOW + 62),))
    assert targets(ORDER, "a", back, others) == {VIP: "c"}


def doubtful_of(neighbours: dict[str, Neighbour], cut_at: float) -> set[str]:
    """Return who is in doubt, as far as these words say."""
    return in_doubt(neighbours, next_failing({}, neighbours, cut_at), cut_at)


def test_one_that_died_before_a_server_was_cut_off_gets_nothing() -> None:
    dead = {"b": Neighbour(Soundness.FAILED, NOW), "c": says(at=NOW + 1)}
    assert but_for_cut(dead, doubtful_of(dead, NOW - 1), {"b": Port(8094, NOW)}) == dead


def test_one_that_does_not_answer_may_not_be_reached_until_another_answers() -> None:
    """Who has a VIP is asked first, and the line has just failed: the next has not been asked
    since, and need not have it."""
    cut = {"b": Neighbour(Soundness.FAILED, NOW), "c": says(at=NOW - 0.5)}
    assert doubtful_of(cut, NOW - 10) == {"b"}
    # The question was under way when the line failed.
    assert doubtful_of({**cut, "c": says(at=NOW + 0.1)}, NOW - 10) == {"b"}
    assert doubtful_of({**cut, "c": says(at=NOW + 0.5)}, NOW - 10) == set()
    before = {VIP: Holding("b", (("a", NOW + 60),))}
    assert next_holdings(ORDER, Plan("a"), cut, before, NOW, KEEP_S, {"b"}) == before


def test_one_that_was_known_to_be_dead_stays_so_while_nobody_is_reached() -> None:
    """What is open at the one after it would go to it first, and wait, whenever the line fails."""
    dead = Neighbour(Soundness.FAILED, NOW)
    failing = next_failing({}, {"b": dead, "c": says(at=NOW + 1)}, 0.0)
    cut = {name: Neighbour(Soundness.FAILED, NOW + 10) for name in "bc"}
    failing = next_failing(failing, cut, NOW + 12)
    assert in_doubt(cut, failing, NOW + 12) == {"c"}
    # Each of the two is asked again and again, and neither is always the later one.
    back = {"b": Neighbour(Soundness.FAILED, NOW + 13.2), "c": says(at=NOW + 13)}
    failing = next_failing(failing, back, NOW + 12)
    assert in_doubt(back, failing, NOW + 12) == set()
    back["b"] = says(at=NOW + 14)
    failing = next_failing(failing, back, NOW + 12)
    assert failing == {}
    failing = next_failing(failing, cut, NOW + 20)
    assert in_doubt(cut, failing, NOW + 20) == {"b", "c"}


def test_who_drained_last_had_a_vip_before_the_one_that_takes_it_back() -> None:
    """All drain, so the first that did has it again for want of others. The second, which drained
    before the third, is the better one of those, but had it before."""
    worse = frozenset({VIP})
    others = {
        "b": Neighbour(SOUND, NOW, leaving=True, announces=frozenset(), takes=8094, worse=worse),
        "c": Neighbour(SOUND, NOW, leaving=True, announces=frozenset(), takes=8094, worse=worse),
    }
    before = {VIP: Holding("c", (("b", NOW + 50),))}
    mine = Plan("a", (replace(planned("192.0.2.1"), standing=Standing.WORST),))
    found = next_holdings(ORDER, mine, others, before, NOW, KEEP_S)
    assert found[VIP] == Holding("a", (("c", NOW + KEEP_S), ("b", NOW + 50)))
    others["c"] = Neighbour(Soundness.FAILED, NOW)
    found = next_holdings(ORDER, mine, others, before, NOW, KEEP_S)
    assert found[VIP].past[0] == ("b", NOW + KEEP_S)


def test_packets_go_to_the_holder_and_then_to_who_had_it_before() -> None:
    everybody = {"b": says(), "c": says()}
    assert targets(ORDER, "a", {VIP: Holding("b")}, everybody) == {VIP: "b"}
    at_home = Holding("a", (("c", 2000.0), ("b", 1900.0)))
    assert targets(ORDER, "a", {VIP: at_home}, everybody) == {VIP: "c"}
    assert targets(ORDER, "a", {VIP: at_home}, {"b": says()}) == {VIP: "b"}
    assert targets(ORDER, "a", {VIP: Holding("a")}, everybody) == {}


def test_who_is_no_candidate_any_more_is_asked_while_it_announces_the_vip_yet() -> None:
    """By a new description. It drops then what is passed on, and a client waits for nothing."""
    moved = SiteOrder(Site("north"), {}, {VIP: Candidates("b", 0, ("b", "c"))})
    home = {VIP: Holding("b", (("a", NOW + 60),))}
    announces = {"a": says(), "c": says(announces=False)}
    assert targets(moved, "b", home, announces) == {VIP: "a"}
    assert targets(moved, "b", home, {**announces, "a": says(announces=False)}) == {}
    away = {VIP: Holding("b", (("c", NOW + 60), ("a", NOW + 60)))}
    assert onward(moved, "c", away, announces) == {VIP: "a"}
    assert onward(moved, "c", away, {**announces, "a": says(announces=False)}) == {}


def test_nothing_goes_to_a_server_that_failed_or_takes_nothing() -> None:
    holding = {VIP: Holding("b")}
    failed = Neighbour(Soundness.FAILED, NOW, takes=8094)
    assert targets(ORDER, "a", holding, {"b": failed}) == {}
    assert targets(ORDER, "a", holding, {"b": says(takes=None)}) == {}
    assert targets(ORDER, "a", holding, {}) == {}


def test_a_neighbour_that_knows_nothing_asks_the_owner() -> None:
    assert targets(ORDER, "b", {VIP: Holding("b")}, {"a": says()}) == {VIP: "a"}
    assert targets(ORDER, "b", {VIP: NOBODY}, {"a": says()}) == {VIP: "a"}
    assert targets(ORDER, "a", {VIP: NOBODY}, {"b": says()}) == {}


def test_connections_are_kept_if_the_next_one_passes_them_on() -> None:
    def kept(holding: Holding, now: float = NOW, **others: Neighbour) -> bool:
        return keeps_connections(ORDER, "a", {VIP: holding}, others, now, 3.0)

    mine = Holding("a")
    assert kept(mine, b=says(to="a"))
    assert kept(mine, b=says(to="a"), c=says())  # c is not the next one
    assert not kept(mine, b=says(), c=says(to="a"))
    assert not kept(mine, b=says(to="c"))
    assert not kept(mine, b=says(announces=False, to="a"))
    assert not kept(mine)
    assert not kept(mine, now=NOW + 4, b=says(to="a"))
    # It has moved already.
    moved = Holding("b", (("a", NOW + 60),))
    assert kept(moved, b=says(to="a"))
    assert not kept(moved, b=says(to="c"))
    # It had nothing: there is nothing to keep, and nothing to wait less for.
    assert not kept(Holding("b"), b=says(to="a"))


def test_a_vip_that_others_have_and_do_not_pass_on_holds_up_no_drain() -> None:
    """A server that held a neighbour's VIP while all started would have lingered for nothing."""
    other = ip_address("192.0.2.2")
    order = SiteOrder(Site("north"), {}, {**ORDER.vips, other: Candidates("b", 0, ("b", "c", "a"))})
    b = replace(says(to="a"), announces=frozenset({VIP, other}), passes={VIP: "a", other: "c"})

    def kept(of_mine: str) -> bool:
        holdings = {VIP: Holding(of_mine, (("a", NOW + 60),)), other: Holding("b", (("a", NOW),))}
        return keeps_connections(order, "a", holdings, {"b": b}, NOW, 3.0)

    assert kept("a")
    assert kept("b")
    assert not kept("c")  # which is not there, and nothing comes back from it


def test_nobody_has_a_vip_next_that_a_new_description_does_not_have() -> None:
    """Who had it is known from before: the first plan by the new description is made with that."""
    gone = ip_address("192.0.2.2")
    b = replace(says(to="a"), announces=frozenset({VIP, gone}), passes={VIP: "a", gone: "a"})
    holdings = {VIP: Holding("a"), gone: Holding("a")}
    described = SiteOrder(ORDER.site, {}, {**ORDER.vips, gone: ORDER.vips[VIP]})
    assert keeps_connections(described, "a", holdings, {"b": b}, NOW, 3.0)
    assert not keeps_connections(ORDER, "a", holdings, {"b": b}, NOW, 3.0)
    # Of one that b has by now, b says it, candidate or not.
    moved = {gone: Holding("b", (("a", NOW + 60),))}
    assert keeps_connections(ORDER, "a", moved, {"b": b}, NOW, 3.0)


def test_what_a_server_had_only_while_all_started_is_not_remembered() -> None:
    announced = Plan("b", (replace(planned("192.0.2.1"), vip=VIP),))
    quiet = says(announces=False)
    mine = next_holdings(ORDER, announced, {"a": quiet}, {}, NOW, KEEP_S)
    assert mine[VIP].holder == "b"
    soon = next_holdings(ORDER, announced, {"a": says()}, mine, NOW + 1, KEEP_S)
    assert soon[VIP] == Holding("a")
    late = next_holdings(ORDER, announced, {"a": says()}, mine, NOW + 5, KEEP_S)
    assert late[VIP] == Holding("a", (("b", NOW + 5 + KEEP_S),))


def test_a_server_that_is_silent_for_a_while_is_asked_yet() -> None:
    silent = Neighbour(Soundness.UNKNOWN, NOW + 90)
    ports = next_ports({"b": says(), "c": says(takes=None)}, {}, NOW, PATIENCE_S)
    assert ports == {"b": Port(8094, NOW)}
    others = {"b": silent, "c": silent}
    later = next_ports(others, ports, NOW + 90, PATIENCE_S)
    found = with_ports(others, later)
    assert targets(ORDER, "a", {VIP: Holding("b")}, found) == {VIP: "b"}
    assert found["c"].takes is None
    # It stays so as long as its edge serves.
    others = {"b": Neighbour(Soundness.DEGRADED, NOW + 99)}
    later = next_ports(others, later, NOW + 99, PATIENCE_S)
    assert with_ports(others, later)["b"].takes == 8094
    # One that says that it takes nothing is believed.
    others = {"b": says(takes=None)}
    later = next_ports(others, ports, NOW, PATIENCE_S)
    assert later == {"b": Port(8094, NOW, given_up=True)}
    assert with_ports(others, later)["b"].takes is None
    # It stays so when it says nothing then, until it names a port again.
    others = {"b": silent}
    later = next_ports(others, later, NOW + 90, PATIENCE_S)
    assert with_ports(others, later)["b"].takes is None
    assert next_ports({"b": says()}, later, NOW, PATIENCE_S) == {"b": Port(8094, NOW)}


def test_a_server_that_asks_is_not_given_up() -> None:
    """It is back, and hears that packets are passed on to it: that must go on."""
    before = {"b": Port(8094, NOW - PATIENCE_S)}
    failed = Neighbour(Soundness.FAILED, NOW - 1)
    assert next_ports({"b": failed}, before, NOW, PATIENCE_S)["b"].given_up
    asked = replace(failed, heard_at=NOW - 0.1)
    assert next_ports({"b": asked}, before, NOW, PATIENCE_S) == before
    assert next_ports({"b": asked}, before, NOW + PATIENCE_S, PATIENCE_S)["b"].given_up


def test_a_server_that_misses_an_answer_keeps_its_connections() -> None:
    """An answer that is late, or an error of a busy edge, is no death."""
    ports = next_ports({"b": says()}, {}, NOW, PATIENCE_S)
    holdings = {VIP: Holding("a", (("b", NOW + KEEP_S),))}
    asked = []
    for after_s in (0.8, 1.8, 2.8, 3.8, 4.8):
        failed = {"b": Neighbour(Soundness.FAILED, NOW + after_s)}
        ports = next_ports(failed, ports, NOW + after_s, PATIENCE_S)
        asked.append(targets(ORDER, "a", holdings, with_ports(failed, ports)) == {VIP: "b"})
    assert asked == [True, True, True, False, False]
    # Nor is it asked for ever when the clock was set back.
    before = {"b": Port(8094, NOW + 100)}
    assert next_ports(failed, before, NOW, PATIENCE_S)["b"].given_up


def test_who_is_worse_has_it_rather_than_who_leaves() -> None:
    """As routers have it. Else what was opened at the worse one would be reset when the other
    returns, who would not know that anybody but itself had had it.
    """
    worse = frozenset({VIP})
    a = Neighbour(SOUND, NOW, leaving=True, announces=frozenset(), takes=8094, worse=worse)
    b = replace(a, leaving=False)
    drains = Plan("a", (replace(planned("192.0.2.1"), standing=Standing.WORST),))
    degraded = Plan("b", (replace(planned("192.0.2.1"), standing=Standing.WORSE),))
    for plan, others in (
        (drains, {"b": b}),
        (degraded, {"a": a}),
        (Plan("c"), {"a": a, "b": b}),
    ):
        found = next_holdings(ORDER, plan, others, {VIP: Holding("a")}, NOW, KEEP_S)
        assert found[VIP] == Holding("b", (("a", NOW + KEEP_S),))
    left = {VIP: Holding("b", (("a", NOW + KEEP_S),))}
    back = next_holdings(ORDER, Plan("a", (planned("192.0.2.1"),)), {"b": b}, left, NOW, KEEP_S)
    assert targets(ORDER, "a", back, {"b": b}) == {VIP: "b"}
