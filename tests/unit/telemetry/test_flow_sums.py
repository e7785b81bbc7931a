"""Sums over workers are right whatever each counts in which order, and whoever comes and goes."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from headrace.telemetry import flow_sums
from headrace.telemetry.flow_sums import FlowOrder
from headrace.telemetry.flows import Flows, Pair, unpacked
from headrace.telemetry.worker_load import WorkerLoad

PAIRS = st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"))
ADDED = st.lists(st.tuples(st.integers(0, 3), PAIRS, st.integers(0, 1000)), max_size=20)
ROUNDS = st.lists(st.tuples(ADDED, st.none() | st.integers(0, 3)), min_size=1, max_size=6)


@given(ROUNDS, st.sampled_from([2, 1000]))
def test_the_sum_is_of_what_each_worker_counted(
    rounds: list[tuple[list[tuple[int, Pair, int]], int | None]], most_ordered: int
) -> None:
    usual, flow_sums.MOST_ORDERED = flow_sums.MOST_ORDERED, most_ordered
    try:
        _check(rounds)
    finally:
        flow_sums.MOST_ORDERED = usual


def _check(rounds: list[tuple[list[tuple[int, Pair, int]], int | None]]) -> None:
    order = FlowOrder()
    tables: dict[int, tuple[str, Flows]] = {}
    for number, (added, replaced) in enumerate(rounds):
        if replaced is not None:
            tables.pop(replaced, None)
        for worker, pair, size in added:
            name, flows = tables.setdefault(worker, (f"{worker}-{number}", Flows()))
            flow = flows.of(*pair)
            flow.bytes += size
            flow.requests += 1
        known = order.known
        said = {}
        for name, flows in tables.values():
            begun = known.get(name, 0)
            said[name] = WorkerLoad(
                name, 0.0, table=name, pairs_from=begun, pairs=flows.pairs[begun:],
                flows=flows.packed(),
            )  # fmt: skip
        order.take(said)
        found = order.sums({name: unpacked(one.flows) for name, one in said.items()}, said)
        sent, asked = Counter[Pair](), Counter[Pair]()
        for _name, flows in tables.values():
            for pair in flows.pairs:
                sent[pair] += flows.of(*pair).bytes
                asked[pair] += flows.of(*pair).requests
        assert len(set(order.pairs)) == len(order.pairs)
        assert dict(sent) == {p: n for p, n in zip(order.pairs, found[0], strict=True) if p in sent}
        assert dict(asked) == {p: n for p, n in zip(order.pairs, found[1], strict=True) if n}
        assert set(order.known) == set(said)
