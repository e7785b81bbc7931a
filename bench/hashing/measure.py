"""What an algorithm costs and how well it spreads, and the same of the placement itself."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bench.hashing.algorithms import ALGORITHMS, Build, Servers, without
from headrace.topology.model import ContentClass, Server, Site, Topology, Widening
from headrace.topology.placement import Placement
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View
from headrace.topology.widening import widen

SIZES = (1, 4, 10)
"""Weights of servers, in turn: 10, 40 and 100 Gbit/s."""

CLASS = ContentClass("all", widening=Widening())
SKEW = 0.9


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one algorithm and number of servers: `deviation` and `most` are of what servers have, as
    multiples of what their weight says; `excess` is which part of the keys moves beyond the share
    of a server that leaves.
    """

    name: str
    servers: int
    build_s: float
    memory_bytes: int
    find_us: float
    deviation: float
    most: float
    excess: float


@dataclass(frozen=True, slots=True)
class Held:
    """Of the placement, and a skewed demand: `ring_most` is what the busiest server has when
    nothing is known of the demand, `most` when it is, `failed_most` with a failed server more.
    """

    servers: int
    mix: str
    heavy: int
    ring_most: float
    most: float
    failed_most: float
    moved_excess: float
    demand_excess: float
    ring_s: float
    heavy_s: float
    state_s: float
    memory_bytes: int
    known_us: float
    first_us: float


def keys(count: int) -> list[bytes]:
    """Return keys as paths are."""
    return [
        b"/vod/programme-%d/v1/video/%d.m4s" % (number // 40, number) for number in range(count)
    ]


def measure_all(counts: tuple[int, ...], many: int) -> Iterator[Cost]:
    """Measure each algorithm with each number of servers."""
    for count in counts:
        servers = [(f"e{number}", SIZES[number % len(SIZES)]) for number in range(count)]
        for name, build in ALGORITHMS.items():
            # What takes 400 µs a key is asked fewer.
            few = many // 20 if name == "weighted rendezvous" and count >= 1000 else many
            yield measure(name, build, servers, keys(few))


def measure(name: str, build: Build, servers: Servers, asked: list[bytes]) -> Cost:
    """Measure one algorithm."""
    began = time.process_time()
    find = build(servers)
    build_s = time.process_time() - began
    memory_bytes = _memory_of(lambda: build(servers))
    began = time.process_time()
    found = [find(key) for key in asked]
    find_us = (time.process_time() - began) / len(asked) * 1e6
    total = sum(weight for _name, weight in servers)
    counts = [0] * len(servers)
    for number in found:
        counts[number] += 1
    ratios = [
        count / len(asked) * total / weight
        for count, (_name, weight) in zip(counts, servers, strict=True)
    ]
    deviation = (sum((ratio - 1) ** 2 for ratio in ratios) / len(ratios)) ** 0.5
    leaving = len(servers) // 2
    after = without(build, servers, leaving)
    moved = sum(after(key) != was for key, was in zip(asked, found, strict=True))
    excess = moved / len(asked) - servers[leaving][1] / total
    return Cost(name, len(servers), build_s, memory_bytes, find_us, deviation, max(ratios), excess)


def _memory_of(make: Callable[[], object]) -> int:
    """Return the bytes that something holds."""
    tracemalloc.start()
    kept = make()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return held


def zipf(count: int) -> dict[bytes, float]:
    """Return keys with their shares of the demand."""
    shares = [(rank + 1) ** -SKEW for rank in range(count)]
    total = sum(shares)
    return {key: share / total for key, share in zip(keys(count), shares, strict=True)}


def a_site(weights: list[int]) -> Topology:
    """Return a site with a server for each weight."""
    servers = tuple(
        Server(f"e{number}", "site", f"e{number}.example", capacity_bps=weight * 10**10)
        for number, weight in enumerate(weights)
    )
    return Topology(sites=(Site("site"),), servers=servers, classes=(CLASS,))


def view_of(demand: dict[bytes, float], topology: Topology) -> View:
    """Return the view that has what is heavy, and the widths that follow."""
    capacities = [server.capacity_bps for server in topology.servers]
    least = 0.01 * min(capacities) / sum(capacities)
    measured = {"all": {key.decode(): share for key, share in demand.items() if share >= least}}
    return View(
        demand=measured, widths=widen({}, measured, topology.classes, len(topology.servers))
    )


def hold(weights: list[int], mix: str, demand: dict[bytes, float]) -> Held:
    """Measure the placement."""
    topology = a_site(weights)
    view = view_of(demand, topology)
    plain, ring_s = _timed(topology, NO_VIEW, None)
    placement, heavy_s = _timed(topology, view, plain)
    failed = replace(view, servers={f"e{len(weights) // 2}": ServerView(ServerState.FAILED)})
    after, state_s = _timed(topology, failed, placement)
    first_us, known_us = (_question_us(placement, list(demand)) for _ in range(2))
    gone = topology.servers[len(weights) // 2]
    left = replace(topology, servers=tuple(one for one in topology.servers if one is not gone))
    without_it = Placement(left, view)
    share = gone.capacity_bps / sum(server.capacity_bps for server in topology.servers)
    shards, moved = _moved(placement, without_it, demand)
    placed = placement.site("site")
    return Held(
        len(weights), mix,
        len(placed.heavy.shares) if placed is not None else 0,
        _most(plain, demand), _most(placement, demand), _most(after, demand, gone.name),
        shards - share, moved - share, ring_s, heavy_s, state_s,
        _memory_of(lambda: _timed(topology, view, None)), known_us, first_us,
    )  # fmt: skip


def _timed(topology: Topology, view: View, former: Placement | None) -> tuple[Placement, float]:
    began = time.process_time()
    placement = Placement(topology, view, former)
    placement.prepare()
    return placement, time.process_time() - began


def _question_us(placement: Placement, asked: list[bytes]) -> float:
    owners = placement.owners
    began = time.process_time()
    for key in asked:
        owners("site", CLASS, key)
    return (time.process_time() - began) / len(asked) * 1e6


def _holders(placement: Placement, key: bytes) -> list[str]:
    owners = placement.owners("site", CLASS, key)
    return [server.name for server in owners.servers[: owners.width]]


def _most(placement: Placement, demand: dict[bytes, float], without_name: str = "") -> float:
    """Return what the busiest server has, as a multiple of its fair share."""
    serving = [one for one in placement.topology.servers if one.name != without_name]
    total = sum(server.capacity_bps for server in serving)
    got = {server.name: 0.0 for server in serving}
    for key, share in demand.items():
        held = _holders(placement, key)
        for name in held:
            got[name] += share / len(held)
    return max(got[server.name] * total / server.capacity_bps for server in serving)


def _moved(before: Placement, after: Placement, demand: dict[bytes, float]) -> tuple[float, float]:
    """Return which part of the keys, and of the demand, is held elsewhere."""
    count = shares = 0.0
    for key, share in demand.items():
        was, now = set(_holders(before, key)), _holders(after, key)
        part = sum(name not in was for name in now) / len(now)
        count += part
        shares += part * share
    return count / len(demand), shares
