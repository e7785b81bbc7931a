"""What a step makes of reports: lost ones, others' load, external sites, classes kept inside."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feedback.balance.groups import Groups
from headrace.feedback.balance.model import NO_BALANCE, Balance, Reach
from headrace.feedback.balance.rules import DEFAULT_RULES
from headrace.feedback.balance.step import BalanceStep, balance
from headrace.feedback.balance.weights import view_weights
from headrace.feedback.observation import NodeReport
from headrace.simulate.fluid import Conditions, Fluid
from headrace.simulate.fluid_balance import Balancing
from headrace.topology.model import Site, SiteKind, Topology
from headrace.topology.view import ServerState, ServerView
from tests.unit.feedback.balance.networks import GBPS, INSIDE, VOD, network, told

COVERAGE = {"c": [["a"], ["b"]], "d": [["b"]]}
ELSEWHERE = Site("elsewhere", SiteKind.EXTERNAL, base_url="https://cdn.example.net")


def steps(
    topology: Topology,
    reports: dict[str, NodeReport],
    servers: dict[str, ServerView] | None = None,
    *,
    count: int = 1,
    before: Balance = NO_BALANCE,
    applied: bool = True,
) -> BalanceStep:
    groups = Groups(topology)
    for _ in range(count):
        made = balance(before, groups, servers or {}, reports, DEFAULT_RULES, 5.0, applied=applied)
        before = made.memory
    return made


def planned(made: BalanceStep, site: str) -> float:
    assert made.explanation is not None
    load, _moved = made.explanation.of_site(site)
    assert load is not None
    return load.planned_bps / GBPS


def test_weights_are_worked_out_once_in_an_interval() -> None:
    topology = network(COVERAGE)
    groups = Groups(topology)
    reports = told(topology, {"a": {("c", "vod"): 55.0}})
    first = balance(NO_BALANCE, groups, {}, reports, DEFAULT_RULES, 0.0)
    assert first.explanation is not None
    second = balance(first.memory, groups, {}, {}, DEFAULT_RULES, 1.0)
    assert second.explanation is None
    assert second.memory == msgspec.structs.replace(first.memory, since_s=1.0)
    memory = second.memory
    for _ in range(3):
        memory = balance(memory, groups, {}, reports, DEFAULT_RULES, 1.0).memory
    assert balance(memory, groups, {}, reports, DEFAULT_RULES, 1.0).explanation is not None


def test_nothing_is_said_without_reports() -> None:
    made = steps(network(COVERAGE), {}, count=3)
    assert made.memory == Balance(since_s=0.0)


def test_an_overflow_goes_to_the_next_order_and_says_why() -> None:
    topology = network(COVERAGE)
    made = steps(topology, told(topology, {"a": {("c", "vod"): 55.0}}))
    shared, own = view_weights(made.memory, topology)
    assert shared["c"]["a"] == pytest.approx(48 / 55, abs=0.03)
    assert sum(shared["c"].values()) == pytest.approx(1.0, abs=1e-3)
    assert own == {}
    assert made.explanation is not None
    load, (moved,) = made.explanation.of_site("a")
    assert load is not None
    assert "a sends 55 Gb/s of 60 Gb/s" in load.says()
    assert moved.says().startswith("coverage c (anywhere) wants 55 Gb/s; moved: ")
    assert "from a" in moved.says()
    assert "to b" in moved.says()


def test_a_lost_report_is_not_taken_for_less_demand() -> None:
    topology = network(COVERAGE)
    reports = told(topology, {"a": {("c", "vod"): 55.0}})
    whole = steps(topology, reports)
    del reports["a-0"], reports["a-3"]
    reports["a-1"] = replace_age(reports["a-1"], 60.0)
    part = steps(topology, reports)
    assert part.memory.demand["c"]["vod"] == pytest.approx(whole.memory.demand["c"]["vod"])


def replace_age(report: NodeReport, age_s: float) -> NodeReport:
    return NodeReport(age_s, report.report)


def test_where_nobody_reports_any_more_what_was_known_stays() -> None:
    topology = network(COVERAGE)
    made = steps(topology, told(topology, {"a": {("c", "vod"): 55.0}}))
    silent = steps(topology, {}, count=6, before=made.memory)
    kept = silent.memory.weights["c"][Reach.ANYWHERE]
    assert kept == pytest.approx(made.memory.weights["c"][Reach.ANYWHERE], abs=0.02)
    forgotten = steps(topology, {}, count=1000, before=made.memory)
    assert forgotten.memory.weights == {}


def test_a_site_that_is_silent_gets_no_more() -> None:
    """Nobody knows what b sends: its clients are there, and what is too much goes past it."""
    topology = network({"c": [["a"], ["b"], ["x"]], "d": [["b"]]})
    reports = told(topology, {"a": {("c", "vod"): 55.0}})
    heard = steps(topology, reports)
    assert view_weights(heard.memory, topology)[0]["c"].keys() == {"a", "b"}
    silent = {name: one for name, one in reports.items() if not name.startswith("b-")}
    made = steps(topology, silent)
    assert view_weights(made.memory, topology)[0]["c"].keys() == {"a", "x"}


def test_a_failed_servers_last_word_does_not_count() -> None:
    topology = network(COVERAGE)
    reports = told(topology, {"a": {("c", "vod"): 30.0}})
    down = {"a-0": ServerView(ServerState.FAILED), "a-1": ServerView(ServerState.FAILED)}
    made = steps(topology, reports, down)
    assert made.memory.demand["c"]["vod"] == pytest.approx(20 * GBPS)


def test_no_server_is_believed_to_send_more_than_it_can() -> None:
    topology = network(COVERAGE)
    made = steps(topology, told(topology, {"a": {("c", "vod"): 1e5}}))
    assert made.memory.demand["c"]["vod"] == pytest.approx(75 * GBPS)


def test_names_that_the_description_does_not_have_change_nothing() -> None:
    topology = network(COVERAGE)
    made = steps(
        topology, told(topology, {"a": {("x", "vod"): 5.0, ("c", "y"): 5.0, ("c", "vod"): 1.0}})
    )
    assert made.memory.demand == {"c": {"vod": pytest.approx(GBPS)}}
    # It is load all the same.
    assert made.memory.other["a"] == pytest.approx(10 * GBPS)


def test_load_that_is_no_clients_takes_room() -> None:
    topology = network(COVERAGE)
    reports = told(topology, {"a": {("c", "vod"): 30.0}})
    for name in [f"a-{number}" for number in range(6)]:
        busy = msgspec.structs.replace(reports[name].report, egress_bps=9.0 * GBPS)
        reports[name] = NodeReport(0.0, busy)
    made = steps(topology, reports, count=6)
    assert planned(made, "a") <= 48.7
    assert view_weights(made.memory, topology)[0]["c"]["b"] > 0.15


def test_external_sites_take_what_is_left_and_their_traffic_is_not_forgotten() -> None:
    topology = network({"c": [["a"]]}, sites=[ELSEWHERE])
    policy = Balancing(topology)
    fluid = Fluid(topology, lambda _now_s: {("c", "vod"): 70.0 * GBPS}, policy, Conditions())
    fluid.run(300.0)
    assert fluid.record.used["a"][-1] == pytest.approx(0.8, abs=0.02)
    late = fluid.record.used["a"][200:]
    assert max(late) - min(late) < 0.01
    assert policy.memory.demand["c"]["vod"] == pytest.approx(70 * GBPS, rel=0.01)


def test_classes_that_must_stay_inside_do() -> None:
    topology = network({"c": [["a"]]}, sites=[ELSEWHERE], classes=(VOD, INSIDE))
    reports = told(topology, {"a": {("c", "vod"): 20.0, ("c", "inside"): 35.0}})
    made = steps(topology, reports)
    shared, own = view_weights(made.memory, topology)
    assert shared["c"]["elsewhere"] > 0.3
    assert own == {"inside": {"c": {}}}
    only = steps(topology, told(topology, {"a": {("c", "inside"): 55.0}}))
    assert only.memory.weights == {}


def test_the_cheaper_of_two_helps() -> None:
    sites = [Site("b", price_per_gb=0.02), Site("x", price_per_gb=0.01)]
    topology = network({"c": [["a"], ["b", "x"]]}, sites=sites)
    made = steps(topology, told(topology, {"a": {("c", "vod"): 55.0}}))
    assert view_weights(made.memory, topology)[0]["c"].keys() == {"a", "x"}


def test_of_equal_price_the_preferred_one_helps() -> None:
    sites = [Site("b", preference=1), Site("x", preference=2)]
    topology = network({"c": [["a"], ["b", "x"]]}, sites=sites)
    made = steps(topology, told(topology, {"a": {("c", "vod"): 55.0}}))
    assert view_weights(made.memory, topology)[0]["c"].keys() == {"a", "x"}


def test_parents_come_before_external_sites() -> None:
    sites = [Site("a", parents=("mid",)), Site("mid", SiteKind.MID), ELSEWHERE]
    topology = network({"c": [["a"]]}, sites=sites)
    made = steps(topology, told(topology, {"a": {("c", "vod"): 55.0}}))
    assert view_weights(made.memory, topology)[0]["c"].keys() == {"a", "mid"}


def test_a_dry_run_says_the_same_and_takes_nothing_for_moved() -> None:
    topology = network(COVERAGE)
    reports = told(topology, {"a": {("c", "vod"): 55.0}})
    made = steps(topology, reports, count=5, applied=False)
    assert made.explanation is not None
    assert not made.explanation.applied
    assert made.memory.weights["c"][Reach.ANYWHERE]["b"] == pytest.approx(7 / 55, abs=0.03)
    assert made.memory.arrived == {}


def test_the_memory_is_read_as_it_was_written() -> None:
    topology = network(COVERAGE)
    made = steps(topology, told(topology, {"a": {("c", "vod"): 55.0}}), count=3)
    data = msgspec.json.encode(made.memory)
    assert msgspec.json.decode(data, type=Balance) == made.memory


def test_a_site_that_is_gone_from_the_description_is_forgotten() -> None:
    topology = network({"c": [["a"], ["b"], ["x"]]})
    made = steps(
        topology, told(topology, {"a": {("c", "vod"): 60.0}, "b": {("c", "vod"): 50.0}}), count=8
    )
    assert "x" in made.memory.weights["c"][Reach.ANYWHERE]
    smaller = network({"c": [["a"], ["b"]]})
    after = steps(
        smaller, told(smaller, {"a": {("c", "vod"): 50.0}, "b": {("c", "vod"): 30.0}}),
        before=made.memory,
    )  # fmt: skip
    assert after.memory.weights["c"][Reach.ANYWHERE].keys() <= {"a", "b"}
    assert sum(after.memory.weights["c"][Reach.ANYWHERE].values()) == pytest.approx(1.0)


def test_a_site_that_a_coverage_has_no_more_keeps_no_share_of_its_clients() -> None:
    former = network({"c": [["a"], ["b"]], "d": [["x", "y"]]})
    loads = {"a": {("c", "vod"): 55.0}}
    moved = steps(former, told(former, loads), count=6)
    assert moved.memory.weights["c"][Reach.ANYWHERE].keys() == {"a", "b"}
    # The coverage has another site than that which helped it; what it helped is served elsewhere.
    after = network({"c": [["a", "x"]], "d": [["b", "y"]]})
    little = told(after, {"a": {("c", "vod"): 0.2}, "x": {("c", "vod"): 0.2}})
    made = balance(moved.memory, Groups(after), {}, little, DEFAULT_RULES, 5.0)
    for table in (made.memory.weights, made.memory.arrived):
        for shares in table.get("c", {}).values():
            assert shares.keys() <= {"a", "x"}
            assert sum(shares.values()) == pytest.approx(1.0, abs=1e-3)


def test_a_step_changes_no_site_by_more_than_it_may() -> None:
    topology = network(COVERAGE)
    reports = told(topology, {"a": {("c", "vod"): 74.0}, "b": {("d", "vod"): 1.0}})
    small = replace(DEFAULT_RULES, step=0.1)
    made = balance(NO_BALANCE, Groups(topology), {}, reports, small, 5.0)
    assert planned(made, "a") == pytest.approx(74.0 - 6.0)


_names = st.sampled_from(["a", "b", "c", "d", "nobody"])
_shares = st.dictionaries(_names, st.floats(0, 1), max_size=3)
_units = st.dictionaries(_names, st.dictionaries(st.sampled_from(Reach), _shares), max_size=3)
_memories = st.builds(
    Balance,
    since_s=st.none() | st.floats(0, 1e9),
    demand=st.dictionaries(
        _names, st.dictionaries(st.sampled_from(["vod", "x"]), st.floats(0, 1e18))
    ),
    weights=_units,
    arrived=_units,
    other=st.dictionaries(_names, st.floats(0, 1e18)),
    drift=st.dictionaries(_names, st.floats(-1e18, 1e18)),
    near=_shares,
)


@given(_memories, st.floats(0, 1e5), st.floats(0, 3600))
@settings(max_examples=150, deadline=None)
def test_any_memory_is_continued_and_soon_forgotten(
    before: Balance, gbps: float, elapsed_s: float
) -> None:
    """Whatever was adopted: what comes of it is sound, and in the end reports alone count."""
    topology = replace(
        network(COVERAGE),
        coverage=(
            *network(COVERAGE).coverage[:1],
            replace(network(COVERAGE).coverage[1], default=True),
        ),
    )
    reports = told(topology, {"a": {("c", "vod"): gbps}, "b": {("d", "vod"): 1.0}})
    groups = Groups(topology)
    memory = balance(before, groups, {}, reports, DEFAULT_RULES, elapsed_s).memory
    for _step in range(2):
        memory = msgspec.json.decode(msgspec.json.encode(memory), type=Balance)
        memory = balance(memory, groups, {}, reports, DEFAULT_RULES, 5.0).memory
        for weights in view_weights(memory, topology)[0].values():
            assert weights.keys() <= {"a", "b"}
            assert sum(weights.values()) == pytest.approx(1.0, abs=1e-3)
    for _step in range(60):
        memory = balance(memory, groups, {}, reports, DEFAULT_RULES, 60.0).memory
    fresh = balance(NO_BALANCE, groups, {}, reports, DEFAULT_RULES, 0.0).memory
    assert memory.demand.keys() == fresh.demand.keys()
    for coverage, wanted in fresh.demand.items():
        assert memory.demand[coverage] == pytest.approx(wanted, rel=0.02)
