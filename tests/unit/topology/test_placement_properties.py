"""What holds of all networks: balance, few moves, and that all processes agree."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.topology.model import ContentClass, Topology, Widening
from headrace.topology.placement import FALLBACKS, Placement
from headrace.topology.view import ServerState, ServerView
from tests.harness.networks import one_site
from tests.unit.topology.zipf import holders, loads, moved, view_of, zipf

POPULAR = ContentClass("vod", widening=Widening())
DEMAND = zipf(100_000)
SOME = zipf(20_000)
FEW = zipf(3_000)
MIXES = {
    "equal": (1.0,),
    "two sizes": (1.0, 4.0),
    "three sizes": (1.0, 4.0, 10.0),
}
CAPACITIES = st.lists(st.floats(0.1, 100), min_size=2, max_size=12)


def a_site(count: int, mix: str = "equal") -> Topology:
    sizes = MIXES[mix]
    return one_site([sizes[number % len(sizes)] for number in range(count)], (POPULAR,))


def without(topology: Topology, name: str) -> Topology:
    return replace(topology, servers=tuple(one for one in topology.servers if one.name != name))


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("count", [4, 10, 40, 100])
def test_no_server_has_more_than_its_bound_of_a_skewed_demand(count: int, mix: str) -> None:
    topology = a_site(count, mix)
    placement = Placement(topology, view_of(DEMAND, topology))
    assert max(loads(placement, DEMAND).values()) <= 1.25


def test_a_thousand_servers_keep_their_bound() -> None:
    topology = a_site(1000)
    placement = Placement(topology, view_of(DEMAND, topology))
    assert max(loads(placement, DEMAND).values()) <= 1.25


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("count", [4, 10, 40])
def test_a_server_that_joins_or_leaves_moves_little_more_than_its_share(
    count: int, mix: str
) -> None:
    topology = a_site(count, mix)
    leaving = topology.servers[count // 2]
    share = leaving.capacity_bps / sum(server.capacity_bps for server in topology.servers)
    fewer = without(topology, leaving.name)
    view = view_of(SOME, topology)
    shards, demand = moved(Placement(topology, view), Placement(fewer, view), SOME)
    assert shards <= share + 0.05
    assert demand <= share + 0.05


@pytest.mark.parametrize("state", [ServerState.FAILED, ServerState.DRAINING, ServerState.FULL])
@pytest.mark.parametrize("count", [4, 10, 40])
def test_a_failure_moves_nobody_else_and_keeps_the_bound(count: int, state: ServerState) -> None:
    topology = a_site(count, "two sizes")
    view = view_of(SOME, topology)
    before = Placement(topology, view)
    after = Placement(topology, replace(view, servers={"n3": ServerView(state)}), before)
    for shard in SOME:
        was, now = holders(before, POPULAR, shard), holders(after, POPULAR, shard)
        assert [name for name in was if name != "n3"] == [name for name in now if name in was]
        assert "n3" not in now
    assert max(loads(after, SOME, ["n3"]).values()) <= 1.25


@given(CAPACITIES, st.data())
@settings(max_examples=30)
def test_fallbacks_are_distinct_and_a_failed_server_is_in_no_list(
    capacities: list[float], data: st.DataObject
) -> None:
    topology = one_site(capacities, (POPULAR,))
    states = {
        server.name: ServerView(data.draw(st.sampled_from(ServerState)), data.draw(st.floats(0, 1)))
        for server in topology.servers
    }
    view = replace(view_of(FEW, topology), servers=states)
    placement = Placement(topology, view)
    for shard in list(FEW)[:200]:
        owners = placement.owners("north", POPULAR, shard)
        names = [server.name for server in owners.servers]
        good = [name for name in states if states[name].state is ServerState.ONLINE]
        assert len(set(names)) == len(names)
        assert not any(states[name].state is ServerState.FAILED for name in names)
        order = [states[name].state for name in names]
        assert order == sorted(order, key=list(_BEST_FIRST).index)
        assert owners.width <= len(names)
        alive = sum(one.state is not ServerState.FAILED for one in states.values())
        assert len(names) == min(alive, max(owners.width, 1) + FALLBACKS) or len(good) < len(names)


_BEST_FIRST = (ServerState.ONLINE, ServerState.FULL, ServerState.DRAINING)


@given(CAPACITIES, st.integers(0, 2999), st.integers(1, 12))
@settings(max_examples=15)
def test_widening_a_shard_moves_no_other(capacities: list[float], rank: int, width: int) -> None:
    topology = one_site(capacities, (POPULAR,))
    view = view_of(FEW, topology)
    chosen = list(FEW)[rank]
    wider = {**view.widths.get("vod", {}), chosen.decode(): width}
    before = Placement(topology, view)
    after = Placement(topology, replace(view, widths={"vod": wider}), before)
    # The heavy ones, which come first and could be moved, and some of the others.
    for shard in {chosen, *list(FEW)[:500], *list(FEW)[500::10]}:
        was, now = holders(before, POPULAR, shard), holders(after, POPULAR, shard)
        if shard == chosen:
            shorter = min(len(was), len(now))
            assert was[:shorter] == now[:shorter]
        else:
            assert was == now


@given(CAPACITIES, st.integers(0, 1 << 32))
@settings(max_examples=20)
def test_the_order_of_the_description_does_not_matter(capacities: list[float], seed: int) -> None:
    topology = one_site(capacities, (POPULAR,))
    servers, view = list(topology.servers), view_of(FEW, topology)
    random = Random(seed)
    random.shuffle(servers)
    shares = list(view.demand["vod"].items())
    random.shuffle(shares)
    first = Placement(topology, view)
    other = Placement(
        replace(topology, servers=tuple(servers)), replace(view, demand={"vod": dict(shares)})
    )
    for shard in list(FEW)[:300]:
        assert first.owners("north", POPULAR, shard) == other.owners("north", POPULAR, shard)


@given(CAPACITIES, st.lists(st.sampled_from(ServerState), min_size=4, max_size=4))
@settings(max_examples=10)
def test_a_placement_made_from_a_former_one_is_the_same_as_a_new_one(
    capacities: list[float], states: list[ServerState]
) -> None:
    topology = one_site(capacities, (POPULAR,))
    view = view_of(FEW, topology)
    placement = Placement(topology, view)
    placement.prepare()
    for number, state in enumerate(states, 1):
        seen = replace(view, servers={f"n{number % 3 + 1}": ServerView(state, 0.5)})
        placement = Placement(topology, seen, placement)
        new = Placement(topology, seen)
        for shard in list(FEW)[:100]:
            assert placement.owners("north", POPULAR, shard) == new.owners("north", POPULAR, shard)


def test_processes_agree_whatever_the_seed_of_their_hashes() -> None:
    answers = {
        subprocess.run(
            [sys.executable, "-m", "tests.unit.topology.test_placement_properties"],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": "src:."},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("0", "4711")
    }
    assert {answer.strip().decode() for answer in answers} == {digest()}


def digest() -> str:
    """Return a digest of where all shards are."""
    topology = a_site(12, "three sizes")
    view = replace(
        view_of(FEW, topology),
        servers={"n3": ServerView(ServerState.FAILED), "n5": ServerView(weight=0.3)},
    )
    placement = Placement(topology, view)
    running = hashlib.sha256()
    for shard in FEW:
        owners = placement.owners("north", POPULAR, shard)
        running.update(repr(([one.name for one in owners.servers], owners.width)).encode())
    return running.hexdigest()


if __name__ == "__main__":
    print(digest())
