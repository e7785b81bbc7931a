"""What may not be taken out: floors, last servers, and everything at once."""

from __future__ import annotations

from dataclasses import replace

from headrace.feedback.observation import Observations, Observer, Outcome
from headrace.feedback.orders import Wish, wish_server
from headrace.feedback.states.model import AlarmKind, State, Why
from headrace.topology.model import ContentClass, Coverage, Site, SiteChoice, SiteKind, Topology
from tests.unit.feedback.networks import (
    GONE,
    OBSERVERS,
    REFUSED,
    RULES,
    Loop,
    network,
    observed,
    probed,
)

OK = Outcome.OK
WRONG = probed(*[OK] * 9, *[Outcome.WRONG_BYTES] * 3)
ONCE = probed(*[OK] * 9, Outcome.TIMEOUT)
TWICE = probed(*[OK] * 9, *[Outcome.TIMEOUT] * 2)


def servers(site: str, count: int) -> list[str]:
    """Return the names of so many servers of a site."""
    return [f"{site}a{number}" for number in range(count)]


def fail_slowly(loop: Loop, names: list[str], record: object = WRONG) -> None:
    """Let servers fail one after the other, so slowly that it is no mass failure."""
    for count in range(1, len(names) + 1):
        loop.see(observed(loop.topology, dict.fromkeys(names[:count], record)), 40)  # type: ignore[arg-type]


def test_of_servers_that_serve_badly_no_more_than_the_floor_allows_are_taken_out() -> None:
    loop = Loop(network())
    fail_slowly(loop, servers("s0", 4))
    states = loop.states()
    assert sorted(states.values()) == [State.FAILED] * 2 + [State.SUSPECT] * 2
    assert loop.last is not None
    assert [(one.kind, one.subject) for one in loop.last.alarms] == [(AlarmKind.FLOOR, "s0")]
    held = loop.memory.states.servers["s0a3"]
    assert held.reasons[0] is Why.FLOOR


def test_servers_that_are_not_there_are_taken_out_whatever_the_floor() -> None:
    loop = Loop(network())
    fail_slowly(loop, servers("s0", 4), GONE)
    assert loop.states() == dict.fromkeys(servers("s0", 4), State.FAILED)


def test_an_operator_may_want_a_floor_for_these_too() -> None:
    loop = Loop(network(), replace(RULES, floor_dead=0.25))
    fail_slowly(loop, servers("s0", 4), GONE)
    assert sorted(loop.states().values()) == [State.FAILED] * 3 + [State.SUSPECT]


def test_what_an_operator_withdrew_does_not_count_for_the_floor() -> None:
    loop = Loop(network())
    loop.orders = wish_server(loop.orders, "s0a0", Wish.WITHDRAWN, now=loop.now)
    loop.orders = wish_server(loop.orders, "s0a1", Wish.DRAINING, now=loop.now)
    fail_slowly(loop, ["s0a2", "s0a3"])
    assert loop.states() == {
        "s0a0": State.WITHDRAWN,
        "s0a1": State.DRAINING,
        "s0a2": State.FAILED,
        "s0a3": State.SUSPECT,
    }


def test_the_last_server_is_never_taken_out_and_released_when_another_returns() -> None:
    loop = Loop(network(sites=1, servers=2))
    both = {"s0a0": REFUSED, "s0a1": GONE}
    loop.see(observed(loop.topology, both), 100)
    assert loop.states() == {"s0a0": State.FAILED, "s0a1": State.SUSPECT}
    assert loop.last is not None
    assert [(one.kind, one.subject) for one in loop.last.alarms] == [(AlarmKind.LAST, "all")]
    loop.see(observed(loop.topology, {"s0a1": GONE}), 3)
    assert loop.states() == {"s0a0": State.RECOVERING, "s0a1": State.FAILED}


def test_the_last_one_that_speaks_https_is_kept() -> None:
    net = network(sites=1, servers=3)
    plain = tuple(
        replace(server, https_port=443 if server.name == "s0a0" else None) for server in net.servers
    )
    loop = Loop(replace(net, servers=plain))
    loop.see(observed(loop.topology, {"s0a0": GONE}), 10)
    assert loop.states() == {"s0a0": State.SUSPECT}


def test_each_coverage_keeps_one_unless_an_external_site_may_serve() -> None:
    base = network(sites=2, servers=1)

    def states(external: bool, url: str = "https://cdn.example") -> dict[str, State]:
        net = Topology(
            sites=(*base.sites, Site("cdn", SiteKind.EXTERNAL, base_url=url)),
            servers=base.servers,
            coverage=(
                Coverage("north", (SiteChoice("s0"), SiteChoice("cdn", order=2))),
                Coverage("all", (SiteChoice("s1"),), default=True),
            ),
            classes=(ContentClass("video", external=external),),
        )
        loop = Loop(net)
        loop.see(observed(net, {"s0a0": GONE}), 10)
        return loop.states()

    assert states(external=False) == {"s0a0": State.SUSPECT}
    assert states(external=True) == {"s0a0": State.FAILED}
    assert states(external=True, url="http://cdn.example") == {"s0a0": State.SUSPECT}


def test_when_most_of_everything_fails_at_once_nothing_changes_and_people_are_called() -> None:
    loop = Loop(network())
    loop.well(5)
    most = dict.fromkeys([*servers("s0", 3), *servers("s1", 3), "s2a0"], GONE)
    step = loop.see(observed(loop.topology, most), 200)
    assert loop.states() == {}
    assert loop.memory.states.servers["s0a0"].reasons[0] is Why.MASS_FAILURE
    assert step.view.servers == {}
    assert [one.kind for one in step.alarms] == [AlarmKind.MASS_FAILURE]
    loop.well(3)
    assert loop.states() == {}


def test_when_all_of_two_servers_are_silent_or_slow_it_is_the_observers() -> None:
    """Unless a host says itself that nothing listens there."""
    loop = Loop(network(sites=2, servers=1))
    slow = probed(*[OK] * 9, *[Outcome.SLOW] * 3), probed(*[OK] * 9, *[Outcome.SLOW] * 5)
    for record in (GONE, WRONG):
        loop.see(observed(loop.topology, {"s0a0": record, "s1a0": record}), 60)
        assert loop.states() == {}
    loop.well(3)
    loop.see(observed(loop.topology, {"s0a0": slow[1], "s1a0": slow[0]}))
    assert loop.state("s0a0") is State.ONLINE
    loop.well(3)
    loop.see(observed(loop.topology, {"s0a0": REFUSED, "s1a0": ONCE}))
    assert loop.state("s0a0") is State.FAILED


def test_what_was_concluded_just_before_a_mass_failure_is_taken_back() -> None:
    loop = Loop(network())
    loop.well(5)
    loop.see(observed(loop.topology, dict.fromkeys(servers("s0", 2), REFUSED)))
    assert loop.states() == dict.fromkeys(servers("s0", 2), State.FAILED)
    everything = dict.fromkeys([server.name for server in loop.topology.servers], REFUSED)
    step = loop.see(observed(loop.topology, everything), 5)
    assert loop.states() == dict.fromkeys(servers("s0", 2), State.SUSPECT)
    assert step.view.servers == {}
    assert {one.penalty for one in loop.memory.states.servers.values()} == {0.0}


def test_a_site_that_died_is_taken_out_when_all_others_serve() -> None:
    loop = Loop(network())
    loop.well(5)
    step = loop.see(observed(loop.topology, dict.fromkeys(servers("s0", 4), REFUSED)))
    assert loop.states() == dict.fromkeys(servers("s0", 4), State.FAILED)
    assert step.changes[0].reasons == (Why.SITE_LOST, Why.REFUSED)
    assert [(one.kind, one.subject) for one in step.alarms] == [(AlarmKind.SITE_FAILURE, "s0")]


def test_a_site_that_is_silent_needs_more_probes_than_a_server() -> None:
    loop = Loop(network())
    loop.well(5)
    loop.see(observed(loop.topology, dict.fromkeys(servers("s0", 4), TWICE)))
    assert loop.states() == {}
    loop.see(observed(loop.topology, dict.fromkeys(servers("s0", 4), GONE)))
    assert set(loop.states().values()) == {State.FAILED}


def test_a_site_that_serves_badly_as_a_whole_is_kept() -> None:
    loop = Loop(network())
    loop.well(5)
    step = loop.see(observed(loop.topology, dict.fromkeys(servers("s0", 4), WRONG)), 60)
    assert loop.states() == {}
    assert [(one.kind, one.subject) for one in step.alarms] == [(AlarmKind.SITE_FAILURE, "s0")]


def test_a_large_site_may_die_though_it_is_most_of_the_network() -> None:
    small = network(sites=2, servers=2)
    big = network(sites=1, servers=8)
    net = replace(small, servers=(*big.servers, *small.servers[2:]))
    loop = Loop(net)
    loop.well(5)
    loop.see(observed(net, dict.fromkeys(servers("s0", 8), GONE)), 5)
    assert loop.states() == dict.fromkeys(servers("s0", 8), State.FAILED)


def test_a_damped_server_returns_when_it_is_needed() -> None:
    loop = Loop(network(sites=1, servers=2))
    for _flap in range(4):
        loop.well(7)
        loop.see(observed(loop.topology, {"s0a0": GONE}), 3)
    loop.well(10)
    assert loop.states() == {"s0a0": State.FAILED}
    loop.orders = wish_server(loop.orders, "s0a1", Wish.WITHDRAWN, now=loop.now)
    loop.well(3)
    assert loop.states() == {"s0a0": State.RECOVERING, "s0a1": State.WITHDRAWN}


def test_a_pinned_server_stands_in_for_others_though_it_fails() -> None:
    """Its operator says that it serves: it is not among those that a floor may have to keep."""
    loop = Loop(network(sites=1, servers=2))
    loop.orders = wish_server(loop.orders, "s0a0", Wish.ONLINE, now=loop.now)
    loop.see(observed(loop.topology, {"s0a0": REFUSED, "s0a1": GONE}), 5)
    assert loop.states() == {"s0a1": State.FAILED}


def test_a_wave_of_failures_is_seen_before_it_has_reached_everybody() -> None:
    loop = Loop(network())
    loop.well(5)
    everything = dict.fromkeys([server.name for server in loop.topology.servers], ONCE)
    step = loop.see(observed(loop.topology, everything))
    assert (loop.states(), step.alarms) == ({}, ())
    step = loop.see(observed(loop.topology, everything | {"s0a0": TWICE, "s1a0": TWICE}))
    assert loop.states() == {}
    assert [one.kind for one in step.alarms] == [AlarmKind.MASS_FAILURE]


def test_what_failed_a_short_time_before_counts_for_a_mass_failure() -> None:
    first = [*servers("s0", 2), *servers("s1", 2), "s2a0"]
    second = [*first, "s0a2", "s1a2"]

    def after(seconds: int) -> dict[str, State]:
        loop = Loop(network())
        loop.see(observed(loop.topology, dict.fromkeys(first, GONE)), seconds)
        assert loop.states() == dict.fromkeys(first, State.FAILED)
        loop.see(observed(loop.topology, dict.fromkeys(second, GONE)))
        return loop.states()

    assert after(10) == dict.fromkeys(first, State.FAILED)
    assert after(40) == dict.fromkeys(second, State.FAILED)


def large_and_small() -> Topology:
    """Return a network with a site of eight servers and one of four."""
    return replace(
        network(sites=2),
        servers=(*network(sites=1, servers=8).servers, *network(sites=2).servers[4:]),
    )


def test_a_large_site_that_serves_badly_is_not_taken_for_gone() -> None:
    net = large_and_small()
    loop = Loop(net)
    step = loop.see(observed(net, dict.fromkeys(servers("s0", 8), WRONG)))
    assert loop.states() == {}
    assert [one.kind for one in step.alarms] == [AlarmKind.MASS_FAILURE]


def test_a_site_is_gone_only_when_another_is_seen_to_serve() -> None:
    net = large_and_small()
    loop = Loop(net)
    records = dict.fromkeys(servers("s0", 8), GONE)
    loop.see(Observations({name: Observer(name, 0.0, records) for name in OBSERVERS}))
    assert loop.states() == {}
    loop.see(observed(net, records))
    assert loop.states() == dict.fromkeys(records, State.FAILED)
