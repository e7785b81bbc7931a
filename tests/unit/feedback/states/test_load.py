"""What reports do: full servers, doubts, hints of others, and nonsense."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feedback.observation import NodeReport, Observations, Outcome, ProbeRecord
from headrace.feedback.states.model import State, Why
from headrace.telemetry.load_report import Asked, LoadReport
from headrace.topology.view import ServerState
from tests.unit.feedback.networks import GONE, Loop, network, observed, probed

NET = network()
CAPACITY_BPS = NET.servers[0].capacity_bps


def report(node: str, used: float = 0.1, **more: object) -> LoadReport:
    """Return a report of a node that sends a share of its capacity."""
    egress_bps = used * CAPACITY_BPS
    return LoadReport(node=node, role="edge", interval_s=5.0, egress_bps=egress_bps, **more)  # type: ignore[arg-type]


def reported(
    reports: Mapping[str, LoadReport], bad: Mapping[str, ProbeRecord] | None = None
) -> Observations:
    """Return observations with these reports."""
    seen = observed(NET, bad)
    return replace(seen, reports={name: NodeReport(0.0, one) for name, one in reports.items()})


def test_a_server_is_full_above_one_threshold_for_a_while_until_below_another() -> None:
    loop = Loop(NET)
    loop.see(reported({"s0a0": report("s0a0", 0.96)}))
    assert loop.states() == {}
    step = loop.see(reported({"s0a0": report("s0a0", 0.96)}))
    assert loop.states() == {"s0a0": State.FULL}
    assert step.view.servers["s0a0"].state is ServerState.ONLINE
    assert step.view.servers["s0a0"].weight == pytest.approx(0.875)
    loop.see(reported({"s0a0": report("s0a0", 0.9)}), 60)
    assert loop.states() == {"s0a0": State.FULL}
    loop.see(reported({"s0a0": report("s0a0", 0.8)}), 4)
    assert loop.states() == {"s0a0": State.FULL}
    loop.see(reported({"s0a0": report("s0a0", 0.8)}))
    assert loop.states() == {}


def test_a_full_server_that_reports_no_more_is_not_full_for_ever() -> None:
    loop = Loop(NET)
    loop.see(reported({"s0a0": report("s0a0", 0.99)}), 3)
    loop.well(5)
    assert loop.states() == {}


def test_the_smaller_of_two_capacities_counts() -> None:
    loop = Loop(NET)
    loop.see(reported({"s0a0": report("s0a0", 0.5, capacity_bps=CAPACITY_BPS * 0.5)}), 3)
    loop.see(reported({"s0a1": report("s0a1", 0.96, capacity_bps=CAPACITY_BPS * 4)}), 3)
    assert loop.state("s0a1") is State.FULL
    assert loop.state("s0a0") is State.FULL


def test_a_recovering_server_that_is_full_continues_its_ramp_later() -> None:
    loop = Loop(NET)
    loop.see(observed(NET, {"s0a0": GONE}))
    loop.well(31)
    loop.see(reported({"s0a0": report("s0a0", 0.99)}), 2)
    assert loop.states() == {"s0a0": State.FULL}
    step = loop.see(reported({"s0a0": report("s0a0", 0.1)}), 5)
    assert loop.states() == {"s0a0": State.RECOVERING}
    record = loop.memory.states.servers["s0a0"]
    assert record.ramp == pytest.approx(0.5, abs=0.05)
    assert record.relief < 1.0
    assert step.view.servers["s0a0"].weight == pytest.approx(0.55 * record.relief)


@pytest.mark.parametrize(
    ("said", "why", "after"),
    [
        (report("s0a0", ready=False), Why.NOT_READY, State.SUSPECT),
        (report("s0a0", impaired=True), Why.IMPAIRED, State.SUSPECT),
        (report("s0a0", draining=True), Why.NODE_DRAINS, State.DRAINING),
    ],
)
def test_what_a_server_says_of_itself_never_makes_it_fail(
    said: LoadReport, why: Why, after: State
) -> None:
    loop = Loop(NET)
    loop.see(reported({"s0a0": said}), 100)
    assert loop.states() == {"s0a0": after}
    assert loop.memory.states.servers["s0a0"].reasons == (why,)


def test_a_site_whose_disks_are_all_full_keeps_its_clients_and_its_servers_return() -> None:
    names = [server.name for server in NET.servers if server.site == "s0"]
    said = reported({name: report(name, impaired=True) for name in names})
    loop = Loop(NET)
    step = loop.see(said, 100)
    assert loop.states() == dict.fromkeys(names, State.SUSPECT)
    assert step.view.servers == {}  # no weight is lower, none has failed
    loop.see(observed(NET, {"s0a0": GONE}))
    assert loop.state("s0a0") is State.FAILED
    step = loop.see(said, 100)
    assert loop.states() == dict.fromkeys(names, State.SUSPECT)
    assert step.view.servers == {}


def test_a_report_that_is_missing_makes_a_suspect_of_who_reported_before() -> None:
    loop = Loop(NET)
    loop.see(reported({"s0a0": report("s0a0")}))
    loop.well(10)
    assert loop.states() == {}
    step = loop.well(100)
    assert loop.states() == {"s0a0": State.SUSPECT}
    assert loop.memory.states.servers["s0a0"].reasons == (Why.NO_REPORT,)
    assert step.view.servers == {}


def test_failures_of_several_others_make_one_failed_probe_enough() -> None:
    complaints = {
        name: report(name, siblings={"s0a0": Asked(10, 9)}) for name in ("s0a1", "s0a2", "s0a3")
    }
    loop = Loop(NET)
    loop.see(reported(complaints), 100)
    assert loop.states() == {"s0a0": State.SUSPECT}
    once = probed(*[Outcome.OK] * 9, Outcome.TIMEOUT)
    loop.see(reported(complaints, {"s0a0": once}))
    assert loop.states() == {"s0a0": State.FAILED}


def test_one_that_complains_alone_is_not_heard() -> None:
    loop = Loop(NET)
    others = {name: report(name, siblings={"s0a0": Asked(10, 0)}) for name in ("s0a1", "s0a2")}
    loop.see(reported(others | {"s0a3": report("s0a3", siblings={"s0a0": Asked(99, 99)})}))
    asked = {
        name: report(name, siblings={"s0a0": Asked(9, 0)}) for name in ("s1a0", "s1a1", "s1a2")
    }
    two = {name: report(name, siblings={"s0a0": Asked(9, 9)}) for name in ("s0a1", "s0a2")}
    loop.see(reported(asked | two))
    assert loop.states() == {}
    about = {name: report(name, siblings={"s0a0": Asked(99, 99)}) for name in ("s0a0", "s0a1")}
    loop.see(reported(about))
    assert loop.states() == {}


def test_servers_that_are_silent_since_they_are_busy_are_kept_by_the_floor() -> None:
    names = [f"s0a{number}" for number in range(4)]

    def after(said: dict[str, LoadReport]) -> list[State]:
        loop = Loop(NET)
        for count in range(1, 5):
            silent = dict.fromkeys(names[:count], GONE)
            loop.see(reported(said, silent), 40)
        return sorted(loop.states().values())

    kept = [State.FAILED] * 2 + [State.SUSPECT] * 2
    assert after({name: report(name, 0.6) for name in names}) == kept
    hot = {name: report(name, machine_cpu=0.95, requests_per_s=9.0) for name in names}
    assert after(hot) == kept
    assert after({name: report(name, machine_cpu=0.95) for name in names}) == [State.FAILED] * 4
    assert after({name: report(name, 0.1) for name in names}) == [State.FAILED] * 4


ODD = st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 1e300])
NONSENSE = st.one_of(
    st.builds(
        lambda odd: NodeReport(0.0, report("s0a0", odd)),
        st.sampled_from([math.nan, math.inf, -1.0, 1e300]),
    ),
    st.builds(
        lambda age_s: NodeReport(age_s, report("s0a0", 0.99, ready=False, draining=True)),
        st.sampled_from([math.nan, math.inf, -1.0, 1e9, 11.0]),
    ),
    st.builds(
        lambda odd: NodeReport(0.0, report("s0a0", 0.1, capacity_bps=odd)),
        st.sampled_from([math.nan, -1.0, 0.0, math.inf]),
    ),
    st.builds(lambda: NodeReport(0.0, report("stranger", 0.99, ready=False))),
)


@settings(max_examples=60)
@given(st.lists(NONSENSE, min_size=3, max_size=6))
def test_reports_of_nonsense_change_nothing(reports: list[NodeReport]) -> None:
    loop = Loop(NET)
    for one in reports:
        name = "s0a0" if one.report.node == "s0a0" else "stranger"
        step = loop.see(replace(observed(NET), reports={name: one}))
        assert step.changes == ()
        assert step.view.servers == {}
