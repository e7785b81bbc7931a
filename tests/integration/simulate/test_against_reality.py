"""The simulator against real edges: the same requests, the same hits and origin requests."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import subprocess
import sys
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.tiering.clients import ask_all, count_at
from bench.tiering.stand import SERVERS, store_bytes
from bench.tiering.trace import Arrangement, Request, Scale, path_of, requests

from headrace.topology.build import load_topology
from headrace.topology.classify import Classes
from headrace.topology.model import Topology
from headrace.topology.placement import Placement
from tests.harness.edge import HOST, free_port
from tests.harness.polling import eventually
from tests.harness.replayed import replayed
from tests.harness.sites import OTHER_SITE, SITE, described_site, running_site

WITHIN = 0.05
MEASURED = Path(__file__).parents[3] / "docs" / "benchmarks" / "tiering.json"

HERE, THERE, ABOVE = ("one", "two"), ("three", "four"), ("mid",)
OBJECTS, REQUESTS, WARM_UP = 600, 4800, 1800
BODY_BYTES = 20 * 1024
"""Too large to be answered from memory for a moment after it was evicted."""
STORE_BYTES = 4 * 1024 * 1024
"""170 objects: all of the upper server's are replaced within seconds."""


@pytest.mark.parametrize("arrangement", Arrangement, ids=lambda one: one.name.lower())
def test_what_the_bench_of_tiering_measured_comes_from_the_simulator(
    arrangement: Arrangement, tmp_path: Path
) -> None:
    measured = json.loads(MEASURED.read_text())
    scale = Scale(**measured["scale"])
    topology = load_topology(described_site(tmp_path, SERVERS))
    asked = requests(scale, arrangement, topology, HOST.encode(), measured["seed"])
    found = replayed(
        topology,
        asked,
        warm_up=scale.warm_up,
        body_bytes=scale.body_bytes,
        store_bytes=store_bytes(scale),
        tiers=arrangement.tiers,
    )
    row = next(one for one in measured["rows"] if one["arrangement"] == arrangement.value)
    assert found.requests == row["requests"]
    assert found.hits == pytest.approx(row["hits"], rel=WITHIN)
    assert found.at_origin == pytest.approx(row["at_origin"], rel=WITHIN)


@pytest.mark.timeout(300)
def test_two_sites_below_a_third_do_what_the_simulator_says(tmp_path: Path) -> None:
    names = (*HERE, *THERE, *ABOVE)
    settings = {
        "store": {"size": STORE_BYTES, "slice": "64KiB", "checksum": "off"},
        "limits": {"origin_requests_per_address": 10_000},
    }
    with (
        counting_origin() as port,
        running_site(
            f"http://127.0.0.1:{port}", tmp_path, names, {}, settings, mid=ABOVE, other=THERE
        ) as site,
    ):
        trace = list(two_sites_asked(site.topology))
        asyncio.run(ask(trace[:WARM_UP], site.places))
        before = asyncio.run(count_at(port))
        hits = asyncio.run(ask(trace[WARM_UP:], site.places))
        at_origin = asyncio.run(count_at(port)) - before
        topology = site.topology
    found = replayed(
        topology, trace, warm_up=WARM_UP, body_bytes=BODY_BYTES, store_bytes=STORE_BYTES
    )
    assert found.hits == pytest.approx(hits, rel=WITHIN)
    assert found.at_origin == pytest.approx(at_origin, rel=WITHIN)
    assert 0 < at_origin < hits < len(trace)


@contextlib.contextmanager
def counting_origin() -> Iterator[int]:
    """Start an origin that counts what it is asked for; yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "bench.tiering.origin", str(port), str(BODY_BYTES)]
    process = subprocess.Popen(command)
    try:
        eventually(lambda: _answers(port), "the origin answers")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        return asyncio.run(count_at(port)) == 0
    except ConnectionRefusedError:
        return False


async def ask(trace: list[Request], places: dict[str, tuple[str, int]]) -> int:
    """Ask for all; return how many the first server had itself."""
    seen = await ask_all(iter(trace), places, HOST, BODY_BYTES)
    assert seen.wrong == []
    assert seen.requests == len(trace)
    return seen.hits


def two_sites_asked(topology: Topology) -> Iterator[Request]:
    """Yield requests of clients who are sent to the owner in their site, and now and then are not
    where they were sent to.
    """
    chance = random.Random(1)
    sums = list(itertools.accumulate((rank + 1) ** -0.9 for rank in range(OBJECTS)))
    classes, placement = Classes(topology.classes, topology.servers), Placement(topology)
    for _ in range(REQUESTS):
        number = min(bisect(sums, chance.random() * sums[-1]), OBJECTS - 1)
        site, here = (SITE, HERE) if chance.random() < 0.6 else (OTHER_SITE, THERE)
        found = classes.of(HOST.encode(), path_of(number).encode())
        assert found is not None
        owner = placement.owners(site, found.content, found.shard).servers[0].name
        yield Request(number, chance.choice(here) if chance.random() < 0.3 else owner)
