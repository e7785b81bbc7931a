"""The bench of look-ups among prefixes measures what it says."""

from __future__ import annotations

from pathlib import Path

from bench.prefixes import measure
from bench.prefixes.report import report
from bench.prefixes.tables import NETWORKS, clients, prefixes, write_description

from headrace.topology.build import load_topology

COUNT = 2_000


def test_a_description_has_all_prefixes(tmp_path: Path) -> None:
    table = prefixes(COUNT, seed=1)
    assert len(set(table)) == COUNT
    assert {bits for bits, _address, _length in table} == {32, 128}
    topology = load_topology(write_description(table, tmp_path))
    assert sum(len(network.prefixes) for network in topology.networks) == COUNT
    assert len(topology.coverage) == NETWORKS + 1
    assert prefixes(COUNT, seed=1) == table


def test_all_ways_say_the_same(tmp_path: Path) -> None:
    table = prefixes(COUNT, seed=2)
    description = write_description(table, tmp_path)
    assert measure.disagreements(description, table, 2_000, 3) == []
    found = measure.LengthTable(load_topology(description))
    named = [found.find(client) for client in clients(table, 32, 500, 4)]
    assert "" in named
    assert len(set(named)) > 10


def test_each_way_has_a_row(tmp_path: Path) -> None:
    table = prefixes(COUNT, seed=3)
    description = write_description(table, tmp_path)
    ways = (measure.ours, measure.mapped, measure.by_length)
    results = [way(description, table, 50, 1) for way in ways]
    page = report(results, prefixes=COUNT, look_ups=50, seed=1, where="Measured.")
    assert all(f"| {result.way} |" in page for result in results)
    assert all(result.v4_us > 0 and result.v6_us > 0 for result in results)
