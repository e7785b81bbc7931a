"""Points on a ring, and whom a shard meets."""

from __future__ import annotations

from bisect import bisect_right

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.topology.bounded_loads import settle
from headrace.topology.ring import Ring, points_of

WEIGHTS = st.lists(st.floats(0.1, 100), min_size=1, max_size=12)


def a_ring(weights: list[float]) -> Ring:
    return Ring([(f"n{number}", weight * 1e10) for number, weight in enumerate(weights)])


@given(WEIGHTS, st.lists(st.binary(max_size=40), max_size=30))
@settings(max_examples=30)
def test_the_index_finds_the_arc_that_a_plain_search_finds(
    weights: list[float], shards: list[bytes]
) -> None:
    ring = a_ring(weights)
    points = list(ring.points)
    for shard in shards:
        expected = bisect_right(points, xxhash.xxh3_64_intdigest(shard)) % len(points)
        assert ring.arc_of(shard) == expected


@given(WEIGHTS)
@settings(max_examples=30)
def test_the_arcs_are_the_whole_ring_and_every_server_is_met_once(weights: list[float]) -> None:
    ring = a_ring(weights)
    assert sum(ring.sizes) == pytest.approx(1)
    assert min(ring.sizes) >= 0
    for arc in (0, len(ring.homes) - 1, len(ring.homes) // 2):
        met = list(ring.walk(arc))
        assert met[0] == ring.homes[arc]
        assert sorted(met) == list(range(len(weights)))


def test_points_depend_on_a_servers_own_capacity_alone_and_are_bounded() -> None:
    assert points_of(1e10) == 64
    assert points_of(4e10) == 256
    assert points_of(1e8) == 64
    assert points_of(1e13) == 1024


@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(0.001, 0.3)), min_size=1, max_size=40),
    st.lists(st.floats(0, 3), min_size=5, max_size=5),
)
def test_only_what_is_too_much_for_a_server_moves(
    pieces: list[tuple[int, float]], limits: list[float]
) -> None:
    at = [server for server, _size in pieces]
    sizes = [size for _server, size in pieces]
    before = list(at)
    loads = [sum(size for server, size in pieces if server == one) for one in range(5)]
    full = {server for server in range(5) if loads[server] > limits[server]}
    shed = settle(at, sizes, range(len(at)), loads, limits, limits, lambda _piece: range(5))
    for piece, (was, now) in enumerate(zip(before, at, strict=True)):
        assert was == now or (piece in shed and was in full)
    for one in range(5):
        held = sum(size for server, size in zip(at, sizes, strict=True) if server == one)
        assert loads[one] == pytest.approx(held)
        if sum(limits) > 2 * (sum(sizes) + 5 * 0.3):
            assert held <= limits[one] + 1e-9 or max(limits) < max(sizes)
