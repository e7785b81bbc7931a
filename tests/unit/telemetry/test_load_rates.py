"""Reports from readings of counts: rates, whoever came and went meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.telemetry.cmcd import PlayerCounts
from headrace.telemetry.flow_sums import FlowOrder
from headrace.telemetry.flows import Flows
from headrace.telemetry.load_rates import NodeState, Reading, carried, load_report
from headrace.telemetry.load_report import (
    LARGEST_BYTES,
    MOST_PAIRS,
    OTHER,
    Asked,
    Disk,
    Flow,
    LoadReport,
    decode_report,
    encode_report,
)
from headrace.telemetry.machine import DiskUse, MachineUse
from headrace.telemetry.metrics import BOUNDS_S
from headrace.telemetry.worker_load import WorkerLoad, quantile

NODE = NodeState("n1", "edge", ready=True, draining=False, processors=4)
MACHINE = MachineUse(1000, 4000, 10_000, 10**10, DiskUse(100, 300))
COUNTS = st.lists(st.integers(0, 2**40), min_size=4, max_size=4)


def worker(instance: str, flows: Flows | None = None, **counts: object) -> WorkerLoad:
    found = WorkerLoad(instance, **{"cpu_s": 0.0, **counts})  # type: ignore[arg-type]
    found.table = f"{instance}-1"
    if flows is not None:
        found.pairs, found.flows = list(flows.pairs), flows.packed()
    return found


def reading(at_s: float, *workers: WorkerLoad, machine: MachineUse = MACHINE) -> Reading:
    return Reading(at_s, {one.instance: one for one in workers}, machine)


def report(before: Reading, after: Reading) -> LoadReport:
    names = FlowOrder()
    names.take(before.workers)
    # As workers do: names that are known are not said again.
    said = names.known
    for one in after.workers.values():
        one.pairs_from = said.get(one.table, 0)
        one.pairs = one.pairs[one.pairs_from :]
    names.take(after.workers)
    found = load_report(before, after, names, NODE)
    assert decode_report(encode_report(found), node="n1") == found
    return found


def test_rates_are_of_all_workers_over_the_time_between() -> None:
    before = reading(
        10.0,
        worker("a", cpu_s=5.0, bytes_sent=1000, requests=10, hits=5, siblings={"n2": (1, 0)}),
        worker("gone", bytes_sent=9999, requests=99),
    )
    after = reading(
        12.0,
        worker("a", cpu_s=6.0, bytes_sent=3000, requests=20, hits=9, siblings={"n2": (9, 2)}),
        worker("new", cpu_s=3.0, bytes_sent=500, requests=2, hits=1, connections=7),
        machine=replace(
            MACHINE, busy_ticks=1100, all_ticks=4400, sent_bytes=12_500, disk=DiskUse(600, 4300)
        ),
    )
    found = report(before, after)
    assert found.interval_s == 2.0
    assert found.egress_bps == (2000 + 500) * 8 / 2
    assert (found.requests_per_s, found.hits_per_s, found.connections) == (6.0, 2.5, 7)
    assert found.cpu == 1.0 / (2 * 4)
    assert found.machine_cpu == 0.25
    assert (found.interface_bps, found.capacity_bps) == (10_000, 10**10)
    assert found.disk == Disk(2.0, 0.25)
    assert found.siblings == {"n2": Asked(8, 2)}


def test_flows_are_added_over_workers_whatever_their_order() -> None:
    one, other = Flows(), Flows()
    for flows, pairs in ((one, "ab"), (other, "ba")):
        for coverage in pairs:
            flow = flows.of(coverage, "vod")
            flow.bytes, flow.requests = 1000, 10
    before = reading(1.0, worker("a", one), worker("b", other))
    one.of("a", "vod").bytes += 500
    one.of("a", "vod").requests += 1
    other.of("a", "vod").bytes += 500
    other.of("c", "live").bytes += 250
    other.of("c", "live").requests += 5
    found = report(before, reading(2.0, worker("a", one), worker("b", other)))
    assert found.flows == {"a": {"vod": Flow(8000.0, 1.0)}, "c": {"live": Flow(2000.0, 5.0)}}


def test_another_table_of_the_same_worker_begins_at_zero() -> None:
    flows = Flows()
    flows.of("a", "vod").bytes = 10**9
    before = reading(1.0, worker("a", flows, bytes_sent=10**9))
    flows = Flows()
    flows.of("b", "vod").bytes = 1000
    flows.of("b", "vod").requests = 1
    again = worker("a", flows, bytes_sent=10**9 + 1000)
    again.table = "a-2"
    found = report(before, reading(2.0, again))
    assert found.flows == {"b": {"vod": Flow(8000.0, 1.0)}}
    assert found.egress_bps == 8000


@given(st.lists(COUNTS, min_size=1, max_size=4), st.floats(0, 100), st.floats(0, 100))
def test_no_counts_make_a_report_that_would_be_refused(
    counts: list[list[int]], at_s: float, later_s: float
) -> None:
    before = reading(
        at_s,
        *(
            worker(
                str(n), bytes_sent=one[0], requests=one[1], errors=one[2], origin_requests=one[3]
            )
            for n, one in enumerate(counts)
        ),
    )
    after = reading(later_s, *(worker(str(n)) for n in range(len(counts))))
    assert report(before, after).requests_per_s == 0.0
    report(after, replace_time(before, later_s + 1))


def replace_time(one: Reading, at_s: float) -> Reading:
    return Reading(at_s, one.workers, one.machine)


def test_a_worker_that_was_silent_has_not_begun_at_zero() -> None:
    flows = Flows()
    flow = flows.of("a", "vod")
    flow.bytes, flow.requests = 10**9, 10**6
    other = worker("b", bytes_sent=100)
    first = reading(0.0, worker("a", flows, bytes_sent=10**9, up_s=3600.0), other)
    # It says nothing once, and is carried.
    second = Reading(1.0, carried(first, {"b": other}), MACHINE)
    assert report(first, second).egress_bps == 0.0
    flow.bytes += 1000
    again = worker("a", flows, bytes_sent=10**9 + 1000, up_s=3602.0)
    found = report(second, reading(2.0, again, other))
    assert found.egress_bps == 8000.0
    assert found.flows == {"a": {"vod": Flow(8000.0, 0.0)}}
    # It had never been heard, and is old.
    found = report(reading(0.0, other), reading(1.0, again, other))
    assert (found.egress_bps, found.flows) == (0.0, {})
    # It is new.
    young = worker("a", flows, bytes_sent=1000, up_s=0.5)
    assert report(reading(0.0, other), reading(1.0, young, other)).egress_bps == 8000.0


def test_more_flows_than_fit_are_put_together_the_smallest_first() -> None:
    tables = []
    for number in range(4):
        flows = Flows()
        for at in range(MOST_PAIRS):
            flow = flows.of(f"c{number}-{at}", "vod")
            flow.bytes, flow.requests = 10 + at, 1
        tables.append(worker(str(number), flows))
    before = reading(0.0, *(worker(str(number)) for number in range(4)))
    found = report(before, reading(1.0, *tables))
    total = sum(flow.bps for one in found.flows.values() for flow in one.values())
    assert total == pytest.approx(8 * sum(4 * (10 + at) for at in range(MOST_PAIRS)))
    assert found.flows[OTHER][OTHER].requests_per_s > 1000
    assert f"c0-{MOST_PAIRS - 2}" in found.flows
    assert len(encode_report(found)) < LARGEST_BYTES


def test_players_and_decisions_are_put_together() -> None:
    one = worker("a", players={"x": PlayerCounts(3, 1)}, decisions=[("x", "vod", "north", 30)])
    two = worker("b", players={"x": PlayerCounts(1, 1)}, decisions=[("x", "vod", "north", 10)])
    earlier = worker("a", decisions=[("x", "vod", "north", 10), ("x", "vod", "gone", 5)])
    found = report(reading(0.0, earlier), reading(10.0, one, two))
    assert (found.players["x"].reports, found.players["x"].starved) == (4, 2)
    assert found.decisions == {"x": {"vod": {"north": 3.0}}}


@given(st.lists(st.floats(0, 200), min_size=1, max_size=100), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_in_the_bucket_of_the_true_one(times: list[float], share: float) -> None:
    counts = [0] * (len(BOUNDS_S) + 1)
    for one in times:
        counts[sum(one > bound for bound in BOUNDS_S)] += 1
    found = quantile(counts, share)
    true = sorted(times)[max(0, -(-int(share * 100) * len(times) // 100) - 1)]
    at = sum(true > bound for bound in BOUNDS_S)
    low = BOUNDS_S[at - 1] if at else 0.0
    assert low <= found <= BOUNDS_S[min(at, len(BOUNDS_S) - 1)]
